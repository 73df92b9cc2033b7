"""qwebhook: webhooks for Qlik Cloud from the command line, and an engine that delivers them."""

__version__ = "0.1.0"
