"""Where events come from when nobody pushes them: a Qlik Cloud tenant's audit log, read over its API."""
