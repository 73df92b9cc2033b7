"""What these tests work with: servers and homes as the acceptance tests have them."""

from __future__ import annotations

from tests.acceptance.conftest import home, serve, server

__all__ = ["home", "serve", "server"]
