"""Events written into a spreadsheet, as the delivery engine does it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qwebhook.deliver.sender import Sender
from qwebhook.deliver.targets import Allowed, Targets, prepare
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Settled
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.sheet import SheetSettings
from qwebhook.model.webhook import Settings
from tests.builders import cloud_event_body, endpoint, webhook

NOW = 1_795_536_000_000
CREATED = "com.qlik.v1.user.created"
UPDATED = "com.qlik.v1.user.updated"
DELETED = "com.qlik.v1.user.deleted"
COLUMNS = {"Id": "data.id", "Name": "data.name", "Mail": "data.email"}


def at(url: str, **sheet: Any) -> Endpoint:
    """An endpoint that writes into the spreadsheet of the URL."""
    settings = Settings(sheet=SheetSettings(**sheet)) if sheet else Settings()
    return endpoint(webhook(url=url, event_types=[CREATED, UPDATED, DELETED], qwebhook=settings))


def user(number: int, event_type: str = CREATED, **data: Any) -> tuple[str, bytes]:
    """An event about a user: its type, and its body."""
    about = {"id": f"u{number}", "name": f"User {number}", "email": f"u{number}@example.com"} | data
    return event_type, cloud_event_body(id=f"e{number}-{event_type}", type=event_type, data=about)


def write(
    to: Endpoint, events: Sequence[tuple[str, bytes]], folder: Path | None = None, **allowed: Any
) -> list[Settled]:
    """What came of each, written at once. folder: what `--allow-files` names."""

    async def run() -> list[Settled]:
        targets = Targets(Sender(AddressPolicy([])), Allowed(folders=[folder] if folder else [], **allowed))
        prepared = [prepare(to, bytes(16), kind, body, NOW) for kind, body in events]
        try:
            results = [one.result for one in await targets.write(to, prepared)]
        finally:
            await targets.close()
        assert all(isinstance(result, Settled) for result in results)
        return results  # type: ignore[return-value]

    return asyncio.run(run())
