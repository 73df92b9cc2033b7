"""What earlier runs have found out about servers, so that a run need not ask again: a file beside `contexts.toml`.

It is no more than a shortcut. Where it cannot be read or written, and after a week, the server is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from qwebhook.cli.contexts_file import write_private
from qwebhook.model.decoding import NOT_JSON
from qwebhook.store.rest.service import Known

FILE_NAME = "servers.json"
KEPT_SECONDS = 7 * 86_400


class _Learnt(msgspec.Struct):
    """at: when, in seconds since the epoch."""

    at: float
    known: Known


class ServerMemory:
    """What is known of one server, by its URL. file: where that of all is. clock: seconds since the epoch."""

    def __init__(self, file: Path, url: str, clock: Callable[[], float]) -> None:
        self._file = file
        self._url = url
        self._clock = clock

    def recall(self) -> Known:
        learnt = self._read().get(self._url)
        if learnt is None or not 0 <= self._clock() - learnt.at < KEPT_SECONDS:
            return Known()
        return learnt.known

    def remember(self, known: Known) -> None:
        servers = self._read() | {self._url: _Learnt(self._clock(), known)}
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._file, msgspec.json.encode(servers))
        except OSError:
            return

    def _read(self) -> dict[str, _Learnt]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, _Learnt])
        except (OSError, *NOT_JSON):
            return {}
