"""Files as spreadsheets: where they may lie, one writer at a time, and replaced as a whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

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
    path = _allowed(folders, name)
    with _folder_locked(path.parent):
        _check_writable(path)
        if url[:4].lower() == "csv:":
            from qwebhook.deliver.targets.sheets.csv_file import write_csv

            return write_csv(path, changes)
        from qwebhook.deliver.targets.sheets.xlsx_file import write_xlsx

        return write_xlsx(path, tab, changes)


def _allowed(folders: Sequence[Path], name: str) -> Path:
    """The file itself, symbolic links resolved, beneath one of the folders."""
    if not folders:
        raise NeverWritten("files are written with --allow-files only")
    path = Path(name).resolve()
    if not any(path.is_relative_to(folder) for folder in folders):
        raise NeverWritten(f"{name} is not beneath a folder of --allow-files")
    if not path.parent.is_dir():
        raise NotWritten(f"there is no folder {path.parent}")
    return path


def _check_writable(path: Path) -> None:
    """Refuse what is no file, what is not to be written, and what somebody has open."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise NeverWritten(f"{path} is no file")
        # A folder that can be written lets us replace a file that cannot, which is not what its owner wants.
        if not mode & 0o222 or not os.access(path, os.W_OK):
            raise NotWritten(f"{path} is read-only")
    for mark, program in ((f".~lock.{path.name}#", "LibreOffice"), (f"~${path.name}", "Excel")):
        if (path.parent / mark).exists():
            raise NotWritten(f"{path} is open in {program}")


@contextlib.contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """Within the block, no other qwebhook writes into the folder, whatever its process. It leaves nothing behind."""
    if sys.platform == "win32":  # one server has a store; only a test-fire could come between
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace(path: Path, write: Callable[[Path], None]) -> None:
    """Put what is written into a new file in the place of another, which is whole until then and keeps its mode.

    Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    new = Path(name)
    try:
        os.close(descriptor)
        if path.exists():
            _take_after(path, new)
        else:
            new.chmod(0o666 & ~_UMASK)
        write(new)
        _sync(new)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        _sync(path.parent)


def _take_after(path: Path, new: Path) -> None:
    shutil.copymode(path, new)
    if os.name == "posix":
        was = path.stat()
        with contextlib.suppress(PermissionError):
            os.chown(new, was.st_uid, was.st_gid)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
