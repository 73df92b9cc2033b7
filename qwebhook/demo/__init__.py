"""The whole product in half a minute: a receiver to try things with, and the story that `qwebhook demo` tells."""
