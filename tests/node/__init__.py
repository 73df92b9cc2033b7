"""What needs Node.js: run by `make test-all`, which installs it, and not by `make test`."""
