"""The server's log: a line for each thing that happened, on stderr; JSON where nobody is looking."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import msgspec

from qwebhook.model.timestamps import to_rfc3339

Format = Literal["text", "json"]


class Log:
    """Writes lines such as `2026-11-24T16:18:59.123Z info attempt webhook=orders outcome=delivered`.

    form: None means text on a terminal and JSON elsewhere. Within an event loop, the lines of one turn are written
    together, since under load a system call for each would cost more than the rest of the log.
    """

    def __init__(self, stream: TextIO | None = None, form: Format | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lines: list[str] = []
        self._json = form == "json" or (form is None and not self._stream.isatty())

    def info(self, what: str, **fields: Any) -> None:
        """Something that was to be expected."""
        self._write("info", what, fields)

    def warning(self, what: str, **fields: Any) -> None:
        """Something that somebody should look at."""
        self._write("warning", what, fields)

    def error(self, what: str, **fields: Any) -> None:
        """Something that somebody must look at."""
        self._write("error", what, fields)

    def _write(self, level: str, what: str, fields: dict[str, Any]) -> None:
        now = to_rfc3339(time.time_ns() // 1_000_000)
        if self._json:
            line = msgspec.json.encode({"time": now, "level": level, "what": what, **fields}).decode()
        else:
            line = f"{now} {level} {what} " + " ".join(f"{name}={_shown(value)}" for name, value in fields.items())
        self._lines.append(line + "\n")
        if len(self._lines) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self.flush)
        except RuntimeError:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        lines, self._lines = self._lines, []
        try:
            self._stream.write("".join(lines))
            self._stream.flush()
        except (OSError, ValueError):
            pass  # a log that nobody takes must not stop deliveries


@contextmanager
def library_warnings(log: Log) -> Iterator[None]:
    """Within the block, what libraries warn of through Python's logging are lines of the log, too."""
    handler = _LibraryWarnings(log)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


class _LibraryWarnings(logging.Handler):
    """Of an exception only its kind and its place are told: the text of an unforeseen one may hold a secret."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"library": record.name, "message": record.getMessage().partition("\n")[0]}
        if record.exc_info and record.exc_info[0] is not None:
            frames = traceback.extract_tb(record.exc_info[2])
            fields["error"] = record.exc_info[0].__name__
            fields["at"] = [f"{frame.filename}:{frame.lineno}" for frame in frames[-3:]]
        tell = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        tell("library", **fields)


def _shown(value: Any) -> str:
    text = str(value)
    # Quoted when it could be taken for something else, or break the line.
    return msgspec.json.encode(text).decode() if not text.isprintable() or " " in text or '"' in text else text
