"""Past events delivered again by a qwebhook server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from qwebhook.model.timestamps import to_rfc3339
from qwebhook.store.contract import ReplayOutcome
from qwebhook.store.replayed import Replayed
from qwebhook.store.rest import tenant
from qwebhook.store.rest.service import Service

# The server answers when all of it is in the queue: a million events take minutes.
TIMEOUT = 3600.0
# How many ranges of deliveries the server is asked about at once.
RANGES = 1000


class _Replays(msgspec.Struct):
    data: list[Replayed]


class Replays:
    """Replays, by a server's operations."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def replay(self, webhook_id: str, since: int, until: int | None, everything: bool, dry_run: bool) -> Replayed:
        if not self._service.is_qwebhook:
            raise tenant.not_offered(
                self._service.name,
                "keeps no events to replay",
                "`qwebhook resend` sends one delivery again; a qwebhook store replays from the tenant's audit log",
            )
        body = {
            "webhookId": webhook_id,
            "since": to_rfc3339(since),
            # Unless it is said, the server's own clock tells what is now.
            "until": None if until is None else to_rfc3339(until),
            "all": everything,
            "dryRun": dry_run,
        }
        answer = self._service.own("POST", "/replays", body=body, repeatable=dry_run, timeout=TIMEOUT)
        found: _Replays = self._service.remote.decoded(answer, _Replays)
        return next((one for one in found.data if one.webhook_id == webhook_id), Replayed(webhook_id))

    def outcome(self, replayed: Replayed) -> ReplayOutcome:
        total = ReplayOutcome(0, 0, 0)
        for ranges in _portions(replayed.ranges):
            asked = {"replays": [{"webhookId": replayed.webhook_id, "ranges": ranges}]}
            answer = self._service.own("POST", "/replays/outcome", body=asked, repeatable=True)
            found: ReplayOutcome = self._service.remote.decoded(answer, ReplayOutcome)
            total.pending += found.pending
            total.succeeded += found.succeeded
            total.failed += found.failed
        return total


def _portions(ranges: Sequence[tuple[int, int]]) -> Iterator[Sequence[tuple[int, int]]]:
    for start in range(0, len(ranges), RANGES):
        yield ranges[start : start + RANGES]
