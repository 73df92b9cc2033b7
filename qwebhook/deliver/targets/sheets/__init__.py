"""Spreadsheets: rows are written in order, many at once, and a file is whole or as it was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from qwebhook.deliver.daemon_threads import DaemonThreads
from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.targets import settled
from qwebhook.deliver.targets.sheets.files import write_file
from qwebhook.deliver.targets.sheets.rows import Change
from qwebhook.deliver.targets.sheets.trouble import NeverWritten, NotWritten
from qwebhook.model.delivery import Exchange, Settled
from qwebhook.model.sheet import GoogleAccount

# A disk or Google may hang, which is to hold up no other spreadsheet, nor the end of the process.
THREADS = 32


class Sheets:
    """Writes spreadsheets, each by one thread at a time. For one event loop.

    folders: beneath which files may lie. google: the account for Google's; None if there is none.
    """

    def __init__(self, folders: Sequence[Path], google: GoogleAccount | None) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._google = google
        self._threads = DaemonThreads("qwebhook-sheets", THREADS)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def write(self, url: str, prepared: Sequence[PreparedRequest]) -> list[Exchange]:
        """Make the changes to the spreadsheet of a URL, and say what came of each."""
        if not prepared:
            return []
        started_at, start = time.time_ns() // 1_000_000, time.perf_counter()
        changes = [msgspec.json.decode(one.body, type=Change) for one in prepared]
        lock = self._locks.setdefault(url, asyncio.Lock())
        try:
            async with lock:
                loop = asyncio.get_running_loop()
                words = await loop.run_in_executor(self._threads, self._write, url, changes)
            results = [Settled("done", one) for one in words]
        except NeverWritten as error:
            results = [Settled("never", str(error))] * len(prepared)
        except (NotWritten, OSError) as error:
            results = [Settled("again", _words(error))] * len(prepared)
        duration = (time.perf_counter() - start) * 1000
        return [settled(one, result, started_at, duration) for one, result in zip(prepared, results, strict=True)]

    def _write(self, url: str, changes: Sequence[Change]) -> list[str]:
        if url[:7].lower() == "gsheet:":
            from qwebhook.deliver.targets.sheets.google import write_google

            assert self._google is not None  # `Allowed.lack`
            return write_google(self._google, url, changes)
        return write_file(self._folders, url, changes)


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the file'}: {error.strerror.lower()}"
    return str(error)
