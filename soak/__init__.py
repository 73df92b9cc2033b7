"""The soak: `qwebhook serve` killed again and again under load, and what became of every event."""
