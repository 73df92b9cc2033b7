"""Files as spreadsheets: where they may lie, one writer at a time, and replaced as a whole."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from qwebhook.deliver.targets.sheets.place import Place, opened
from qwebhook.deliver.targets.sheets.rows import Change
from qwebhook.deliver.targets.sheets.trouble import NeverWritten, NotWritten
from qwebhook.model.sheet import file_and_tab


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current


# There is no other way to read it than to set it: of two threads, one could take what the other has set for its own.
_UMASK = _umask()


def write_file(folders: Sequence[Path], url: str, changes: Sequence[Change]) -> list[str]:
    """Make the changes to the file of a `csv:` or `xlsx:` URL; what came of each, in words.

    folders: resolved. Raises NotWritten, NeverWritten, OSError; the file is as it was then.
    """
    name, tab = file_and_tab(url)
    root, path = _allowed(folders, name)
    with opened(root, path) as place, _folder_locked(place):
        _check_writable(place)
        if url[:4].lower() == "csv:":
            from qwebhook.deliver.targets.sheets.csv_file import write_csv

            return write_csv(place, changes)
        from qwebhook.deliver.targets.sheets.xlsx_file import write_xlsx

        return write_xlsx(place, tab, changes)


def _allowed(folders: Sequence[Path], name: str) -> tuple[Path, Path]:
    """The folder that it is beneath, and the file itself, symbolic links resolved."""
    path = Path(name).resolve()
    root = next((folder for folder in folders if path.parent.is_relative_to(folder)), None)
    if root is None:
        raise NeverWritten(f"{name} is not beneath a folder of --allow-files")
    if not path.parent.is_dir():
        raise NotWritten(f"there is no folder {path.parent}")
    return root, path


def _check_writable(place: Place) -> None:
    """Refuse what is no file, what is not to be written, and what somebody has open."""
    path, status = place.path, place.status()
    if status is not None:
        if not stat.S_ISREG(status.st_mode):
            raise NeverWritten(f"{path} is no file")
        # A folder that can be written lets us replace a file that cannot, which is not what its owner wants.
        if not status.st_mode & 0o222 or not place.may_be_written():
            raise NotWritten(f"{path} is read-only")
    for mark, program in ((f".~lock.{path.name}#", "LibreOffice"), (f"~${path.name}", "Excel")):
        if place.status(mark) is not None:
            raise NotWritten(f"{path} is open in {program}")


@contextlib.contextmanager
def _folder_locked(place: Place) -> Iterator[None]:
    """Within the block, no other qwebhook writes into the folder, whatever its process. It leaves nothing behind."""
    if sys.platform == "win32":  # one server has a store; only a test-fire could come between
        yield
        return
    import fcntl

    assert place.folder is not None
    fcntl.flock(place.folder, fcntl.LOCK_EX)
    yield  # until the folder is closed


@contextlib.contextmanager
def reading(place: Place) -> Iterator[IO[bytes] | None]:
    """The file, to read; None if there is none. Raises NotWritten for what is no file any more, OSError."""
    try:
        descriptor = place.open(os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotWritten(f"{place.path} is no file")
        yield file


def replace(place: Place, write: Callable[[IO[bytes]], object]) -> None:
    """Put what is written into a new file in the place of another, which is whole until then and keeps its mode.

    Raises OSError.
    """
    new = f".{place.path.name}.{secrets.token_hex(4)}.part"
    descriptor = place.open(os.O_RDWR | os.O_CREAT | os.O_EXCL, new)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _take_after(place.status(), descriptor)
            write(file)
            file.flush()
            os.fsync(descriptor)
        place.take(new)
    except BaseException:
        place.remove(new)
        raise
    place.sync_folder()


def _take_after(was: os.stat_result | None, new: int) -> None:
    if os.name != "posix":
        return
    os.fchmod(new, 0o666 & ~_UMASK if was is None else stat.S_IMODE(was.st_mode))
    if was is not None:
        with contextlib.suppress(PermissionError):
            os.fchown(new, was.st_uid, was.st_gid)
