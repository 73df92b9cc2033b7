"""The server: takes events in over HTTP, answers for its state, and lives until it is told to stop."""
