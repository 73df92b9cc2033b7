"""Where a spreadsheet's file is: a name in a folder that is held open.

Whoever may write beneath a folder of --allow-files could put a link in the place of a folder or a file, between a look
at it and a write. So folders are opened one within the other, no links followed, and what is done is done in the last.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# A pipe that has been put in the place of a file is not waited for.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
# To go through a folder, one need not be allowed to read it.
_THROUGH = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)


class Place:
    """path: of the file, for words. folder: open; None where folders cannot be opened (Windows), and paths are used."""

    def __init__(self, path: Path, folder: int | None) -> None:
        self.path = path
        self.folder = folder

    def open(self, flags: int, name: str = "", mode: int = 0o600) -> int:
        """A file of the folder, this one unless named. Raises OSError, for a link, too."""
        return os.open(self._where(name), flags | _NO_LINKS | _AT_ONCE, mode, dir_fd=self.folder)

    def status(self, name: str = "") -> os.stat_result | None:
        """Of a link it is the link's own; None if there is nothing."""
        try:
            return os.stat(self._where(name), dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def may_be_written(self) -> bool:
        return os.access(self._where(""), os.W_OK, dir_fd=self.folder)

    def take(self, name: str) -> None:
        """Put another file of the folder in the place of this one. Raises OSError."""
        os.replace(self._where(name), self._where(""), src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def remove(self, name: str) -> None:
        """Remove another file of the folder, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._where(name), dir_fd=self.folder)

    def sync_folder(self) -> None:
        """After this, what was put there is there. Raises OSError."""
        if self.folder is not None:
            os.fsync(self.folder)

    def _where(self, name: str) -> str:
        name = name or self.path.name
        return name if self.folder is not None else str(self.path.parent / name)


@contextlib.contextmanager
def opened(root: Path, path: Path) -> Iterator[Place]:
    """The place of a file beneath a folder, for the block. Both without links. Raises OSError for what became one."""
    if os.open not in os.supports_dir_fd:
        yield Place(path, None)
        return
    folder = os.open(root, _THROUGH | _NO_LINKS)
    try:
        for part in path.parent.relative_to(root).parts:
            inner = os.open(part, _THROUGH | _NO_LINKS, dir_fd=folder)
            os.close(folder)
            folder = inner
        # What is open to go through can neither be locked nor synced.
        inner = os.open(".", os.O_RDONLY | _NO_LINKS, dir_fd=folder)
        os.close(folder)
        folder = inner
        yield Place(path, folder)
    finally:
        os.close(folder)
