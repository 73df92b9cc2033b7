"""What has happened in a store before a command is run: events that came, and how their deliveries ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from qwebhook.model.event import read_event
from qwebhook.store.contract import Claim, Recording
from qwebhook.store.sqlite import SqliteStore
from tests.builders import cloud_event_body
from tests.cli.world import Cli
from tests.store.recordings import NOW


def take_in(
    cli: Cli, *identifiers: str, ending: Callable[[Claim], Recording] | None = None, at: int = NOW, **members: Any
) -> list[str]:
    """Accept an event for each id; the ids of the deliveries, whose first attempts end so, or are pending for None.

    at: milliseconds since the epoch. members: of the events.
    """
    events = [read_event(cloud_event_body(id=one, **members)) for one in identifiers]
    with closing(SqliteStore.open(cli.store)) as store, closing(store.open_journal()) as journal:
        claims = [claim for one in journal.write(events, [], at).accepted for claim in one.claims]
        if ending is not None:
            journal.write([], [ending(claim) for claim in claims], at)
        return [journal.delivery_id(claim) for claim in claims]


def pending(cli: Cli) -> int:
    """How many deliveries are in the queue."""
    with closing(SqliteStore.open(cli.store)) as store, closing(store.open_journal()) as journal:
        return journal.pending()[0]
