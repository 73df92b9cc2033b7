"""The nouns: webhook, event, delivery, and the pure decisions about them.

Nothing in this package touches a file (but for the catalogue's own data), a socket, a clock or a random source;
time and randomness come in as arguments. It imports nothing of the packages above it.
"""
