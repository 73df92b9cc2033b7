"""What a tenant says of the users, spaces and apps that events name by their ids."""

from __future__ import annotations

from typing import Any

from qwebhook.store.rest.remote import Bounds, Remote
from qwebhook.store.rest.service import segment

_PATHS = {"user": "/api/v1/users/", "space": "/api/v1/spaces/", "app": "/api/v1/apps/"}
# Of a look-up with all its tries, and of an answer: nobody needs a name at any price.
SECONDS = 5.0
LARGEST = 1 << 20
# Thousands are kept, and a template that shows one must not fail for its length.
LONGEST = 500


class TenantDirectory:
    """A tenant's users, spaces and apps."""

    def __init__(self, remote: Remote, seconds: float = SECONDS) -> None:
        """seconds: that a look-up may take."""
        self._remote = remote
        self._bounds = Bounds(seconds, LARGEST)

    def look_up(self, kind: str, identifier: str) -> dict[str, str]:
        """What is known of one, by the names that templates use (`name`, and a user's `email`); empty if there is
        none, or it may not be seen. Raises Unavailable, NotAuthorised.
        """
        path = _PATHS[kind] + segment(identifier, kind)
        answer = self._remote.request("GET", path, expected=(400, 403, 404), bounds=self._bounds)
        if answer.status != 200:
            return {}
        found: dict[str, Any] = self._remote.decoded(answer, dict[str, Any])
        about = found.get("attributes")  # where an app has them
        if not isinstance(about, dict):
            about = found
        told = {field: about.get(field) for field in ("name", "email")}
        return {field: value[:LONGEST] for field, value in told.items() if isinstance(value, str) and value}

    def close(self) -> None:
        """End the connections."""
        self._remote.close()
