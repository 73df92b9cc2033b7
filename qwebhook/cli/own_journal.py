"""A journal of the command's own, for what the delivery engine does outside a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from qwebhook.cli.session import Session

if TYPE_CHECKING:
    from qwebhook.deliver.writer import Run
    from qwebhook.store.contract import Journal

T = TypeVar("T")


@contextmanager
def own_journal(session: Session) -> Iterator[Run]:
    """Runs work on a journal of the session's store, within one event loop; closed at the end of the block."""
    journal = session.open_database().open_journal()

    async def run(work: Callable[[Journal], T], /) -> T:
        # The loop must have its turn for a Ctrl-C to be heard: before, since what is done must be known to be done.
        await asyncio.sleep(0)
        return work(journal)

    try:
        yield run
    finally:
        journal.close()
