"""A backend for the library `keyring`, so that tests reach no one's real keys: a JSON file that `TEST_KEYRING` names.

PYTHON_KEYRING_BACKEND=tests.cli.keyring_backend.FileKeyring
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class FileKeyring(KeyringBackend):
    """`{"SERVICE/USER": PASSWORD}`. `TEST_KEYRING=locked` is one that cannot be opened."""

    priority = 1  # type: ignore[assignment]

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write({**self._read(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        kept = self._read()
        if kept.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("there is none")
        self._write(kept)

    def _file(self) -> Path:
        named = os.environ["TEST_KEYRING"]
        if named == "locked":
            raise KeyringLocked("it is locked")
        return Path(named)

    def _read(self) -> dict[str, str]:
        file = self._file()
        kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        return kept

    def _write(self, kept: dict[str, str]) -> None:
        self._file().write_text(json.dumps(kept))
