"""A clock that can be set without the machine's: qwebhook runs with `time` moved by what a file says.

    python -m soak.clock FILE serve --store …

The monotonic clock, by which it waits, goes on as it does when a machine's clock is set.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path

_MOVED = struct.Struct("<q")  # nanoseconds


class Clock:
    """The clock of the processes that run with its file; as the machine's, until it is set."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(_MOVED.size))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _MOVED.size)

    def move(self, seconds: float) -> None:
        """Set it to so many seconds from the machine's, at once and for all."""
        _MOVED.pack_into(self._shared, 0, round(seconds * 1e9))


def _run(path: Path) -> int:
    with path.open("rb") as file:
        shared = mmap.mmap(file.fileno(), _MOVED.size, access=mmap.ACCESS_READ)
    machine = time.time_ns

    def time_ns() -> int:
        moved: int = _MOVED.unpack_from(shared)[0]
        return machine() + moved

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
    # Imported when the clock is in place, so that nobody has the machine's.
    from qwebhook.__main__ import main

    return main()


if __name__ == "__main__":
    file = Path(sys.argv.pop(1))
    raise SystemExit(_run(file))
