"""A small disk in memory, which fills up, grows, and is remounted read-only: Linux, and root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Self


class NoSmallDisk(Exception):
    """There can be none here; the words say why."""


class SmallDisk:
    """In a `with` block it is mounted on a folder. Raises NoSmallDisk if that cannot be. kib: its size."""

    def __init__(self, folder: Path, kib: int) -> None:
        if sys.platform != "linux":
            raise NoSmallDisk("a disk in memory is made on Linux only")
        if os.geteuid() != 0:
            raise NoSmallDisk("only root may mount a disk")
        self.folder = folder
        self._kib = kib

    def __enter__(self) -> Self:
        self.folder.mkdir()
        try:
            _run("mount", "-t", "tmpfs", "-o", f"size={self._kib}k,mode=700", "tmpfs", str(self.folder))
        except (OSError, subprocess.CalledProcessError) as error:
            raise NoSmallDisk(f"no disk can be mounted: {getattr(error, 'stderr', None) or error}") from None
        return self

    def __exit__(self, *_: object) -> None:
        _run("umount", str(self.folder))

    def leave_free(self, kib: int) -> None:
        """Make or take room, as if files had been deleted or written."""
        disk = os.statvfs(self.folder)
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize >> 10
        _run("mount", "-o", f"remount,size={used + kib}k", str(self.folder))

    def remount(self, mode: str) -> None:
        """`ro` or `rw`. The kernel refuses `ro` while anyone has a file open for writing."""
        _run("mount", "-o", f"remount,{mode}", str(self.folder))


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True, timeout=30)
