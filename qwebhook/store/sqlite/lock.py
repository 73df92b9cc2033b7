"""One server per store file: an advisory lock beside the store, which names its holder and ends with the process."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import msgspec

from qwebhook.model.errors import StoreBusy, StoreReadOnly


class Holder(msgspec.Struct):
    """Who serves a store. url: where it listens, "" until it does."""

    pid: int
    url: str = ""

    def __str__(self) -> str:
        return f"process {self.pid}" + (f" at {self.url}" if self.url else "")


def lock_path(store: Path) -> Path:
    """Where the lock of a store lies: one for the file, whatever links lead to it."""
    file = store.resolve()
    return file.with_name(file.name + ".lock")


class ServerLock:
    """The lock, held until `release` or the end of the process. Raises StoreBusy, naming the holder."""

    def __init__(self, store: Path) -> None:
        path = lock_path(store)
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreReadOnly(f"the lock {path} cannot be made: {error.strerror}") from None
        if not _lock_patiently(self._descriptor):
            holder = _read(self._descriptor)
            os.close(self._descriptor)
            raise StoreBusy(
                f"the store {store} is served already by {holder or 'another process'}",
                "stop it first, or give another --store",
            )
        self.describe("")

    def describe(self, url: str) -> None:
        """Write down who holds the lock, and where it listens."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, msgspec.json.encode(Holder(os.getpid(), url)), 0)

    def release(self) -> None:
        """Let go; the file stays, since deleting it could delete another's lock."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def holder_of(store: Path) -> Holder | None:
    """Who serves a store now; None if nobody does."""
    try:
        descriptor = os.open(lock_path(store), os.O_RDWR)
    except OSError:
        return None
    try:
        return None if _try_lock(descriptor, shared=True) else _read(descriptor) or Holder(0)
    finally:
        os.close(descriptor)


def _lock_patiently(descriptor: int) -> bool:
    """Take the lock; whoever asks who serves holds it for a moment, too, and is waited for."""
    for _ in range(10):
        if _try_lock(descriptor):
            return True
        time.sleep(0.02)
    return False


def _read(descriptor: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=Holder)
    except msgspec.DecodeError:
        return None


if sys.platform == "win32":
    import msvcrt

    # Far beyond the text: Windows locks are mandatory, and others must be able to read who holds it.
    _LOCKED_BYTE = 1 << 30

    def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
        # Windows has no shared locks here: of two who ask at the same moment, one may see a holder.
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
        """shared: as whoever asks does, so that of two at the same moment neither takes the other for a server."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
