"""Templates: an event made into the body that a receiver wants."""
