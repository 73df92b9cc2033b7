"""The queue and the history, written: one transaction accepts what has come and records what was done.

Used by one thread at a time; the server's is its writer. Claims live in the worker's memory, since one server has
the file: after a crash, everything pending is simply due.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from qwebhook.model.delivery import (
    DISABLED_EVENT,
    Delivered,
    RetryAt,
)
from qwebhook.model.disabling import disabled_event
from qwebhook.model.endpoint import Endpoint, EndpointIndex
from qwebhook.model.event import Event
from qwebhook.model.identifiers import row_id
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import (
    NEVER,
    Accepted,
    BackfillStep,
    Claim,
    DirectAttempt,
    Original,
    Place,
    Recording,
    ReplayOutcome,
    ReplayQuery,
    ReplayStep,
    SourcePlace,
    Written,
)
from qwebhook.store.sqlite import backfilling, claiming, replaying, resending, source_places
from qwebhook.store.sqlite.batch import Batch, Numbers, prepare
from qwebhook.store.sqlite.connection import Connection, store_errors
from qwebhook.store.sqlite.failing import Failing
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.replaying import PastEvent
from qwebhook.store.sqlite.rows import FINAL_STATES, json_text
from qwebhook.store.sqlite.sweeping import Sweeper
from qwebhook.store.sqlite.webhooks import Webhooks

_SQL = queries("journal")


class SqliteJournal:
    """`Journal` over one connection of its own."""

    def __init__(self, connection: Connection) -> None:
        prepare(connection)
        self._connection = connection
        self._now = 0
        self._webhooks = Webhooks(connection, lambda: self._now)
        self._sweeper = Sweeper(connection)
        self._data_version = -1
        self._version = -1
        self._next_event = 0
        self._next_delivery = 0
        self._failing = Failing(connection, self._webhooks)
        self._index = self._told = EndpointIndex()

    # Accepting and recording

    def write(self, events: Sequence[Event], recordings: Sequence[Recording], now: int) -> Written:
        """See Journal.write."""
        self._now = now
        accepted = self._write_at_once(events, recordings)
        if accepted is not None:
            return Written(accepted, [], [], self._news())
        with self._turn(now):
            accepted = self._accept(events)
            disabled = self._record(recordings)
            raised: list[Claim] = []
            if disabled:
                self._load_endpoints()
                telling = [disabled_event(one, now) for one, cause in disabled if cause != DISABLED_EVENT]
                raised = [claim for one in self._accept(telling) for claim in one.claims]
        return Written(accepted, [webhook for webhook, _ in disabled], raised, self._news())

    def _write_at_once(self, events: Sequence[Event], recordings: Sequence[Recording]) -> list[Accepted] | None:
        """Write in one statement what is nearly always to be written: new events, and successes of webhooks that have
        not failed before. None, and nothing written, if there is more to it or the store has changed.
        """
        if self._version < 0 or any(
            not isinstance(one.outcome, Delivered) or one.claim.webhook in self._failing for one in recordings
        ):
            return None
        before = Numbers(self._version, self._next_event, self._next_delivery)
        batch = Batch()
        for recording in recordings:
            batch.record(recording, "success", "delivered")
        accepted = self._place(batch, events, {})
        written = False
        try:
            written = batch.write_at_once(
                self._connection, before, Numbers(self._version, self._next_event, self._next_delivery)
            )
        finally:
            if not written:
                _, self._next_event, self._next_delivery = before
        return accepted if written else None

    @contextmanager
    def _turn(self, now: int) -> Iterator[None]:
        """A transaction that sees what others have changed; the numbers that are given out in it are kept with it."""
        self._now = now
        before = self._index
        try:
            with self._connection.transaction():
                self._look()
                numbers = self._next_event, self._next_delivery
                yield
                if numbers != (self._next_event, self._next_delivery):
                    self._connection.execute(_SQL["set_counters"], (self._next_event, self._next_delivery))
        except BaseException:
            # What was read within the transaction may be undone with it: look again at the next. The index must not
            # keep anything of it, since its versions will be given again.
            self._data_version = self._version = -1
            self._index = before
            raise

    def _accept(self, events: Sequence[Event], for_all: bool = True) -> list[Accepted]:
        """for_all: whether the webhooks that want them get them."""
        if not events:
            return []
        keys = [_text(event.key) for event in events]
        rows = [(row, key, self._now) for row, key in enumerate(keys, self._next_event)]
        inserted = self._connection.execute(_SQL["insert_keys"], (json_text(rows),)).rowcount
        known = self._rows_of(keys) if inserted < len(events) else {}  # some came before
        batch = Batch()
        accepted = self._place(batch, events, known, for_all)
        batch.write(self._connection)
        return accepted

    def _place(
        self, batch: Batch, events: Sequence[Event], known: dict[str, tuple[int, int]], for_all: bool = True
    ) -> list[Accepted]:
        """Give events their rows, and put them and their deliveries into a batch. known: for keys that came before, and
        maybe for others, the row of the event and when it was accepted.
        """
        now, number = self._now, self._connection.number
        accepted: list[Accepted] = []
        for row, event in enumerate(events, self._next_event):
            key = event.key
            text = _text(key)
            original, at = known.get(text, (row, now))
            if original != row:
                accepted.append(Accepted(row_id("event", at, number, original), True, []))
                continue
            claims = [
                Claim(
                    endpoint.row, now, self._take_sequence(), 1, row, event.type, key, event.body, now, 0, event.trace
                )
                for endpoint in (self._index.matching(event) if for_all else ())
            ]
            batch.accept(row, text, event, now)
            batch.enqueue(claims)
            accepted.append(Accepted(row_id("event", now, number, row), False, claims))
        self._next_event += len(events)
        return accepted

    def _rows_of(self, keys: list[str]) -> dict[str, tuple[int, int]]:
        found: str = self._connection.execute(_SQL["rows_of_keys"], (json_text(keys),)).fetchone()[0]
        rows = msgspec.json.decode(found, type=list[tuple[str, int, int]])
        return {key: (row, accepted_at) for key, row, accepted_at in rows}

    def _take_sequence(self) -> int:
        sequence = self._next_delivery
        self._next_delivery += 1
        return sequence

    def _record(self, recordings: Sequence[Recording]) -> list[tuple[Webhook, str]]:
        """Write attempts down; the webhooks that were disabled by them, each with the type of the event."""
        disabled: dict[int, tuple[Webhook, str]] = {}
        batch = Batch()
        for recording in recordings:
            claim = recording.claim
            if isinstance(recording.outcome, Delivered):
                batch.record(recording, "success", "delivered")
                self._failing.end(claim.webhook)
                continue
            batch.record(recording, "fail", *self._end_failed(recording, batch))
            # A second failure in this batch finds it disabled; the index is left as it is, should this be undone.
            endpoint = None if claim.webhook in disabled else self._index.by_row.get(claim.webhook)
            webhook = None if endpoint is None else self._failing.note(recording, endpoint, self._now)
            if webhook is not None:
                disabled[claim.webhook] = webhook, claim.type
        batch.write(self._connection)
        return list(disabled.values())

    def _end_failed(self, recording: Recording, batch: Batch) -> tuple[str, int | None]:
        """Take the delivery from the queue, or put it back for its retry; its state, and when the retry is due."""
        claim, outcome = recording.claim, recording.outcome
        key = (claim.webhook, claim.due, claim.sequence)
        held = self._connection.execute(_SQL["delete_pending"], key).rowcount == 1
        if not isinstance(outcome, RetryAt):
            return FINAL_STATES[type(outcome)], None
        if not held:
            return "cancelled", None  # the webhook, or its queue, was deleted while this was in flight
        due = claim.due if self._is_strict(claim) else outcome.due
        batch.enqueue([msgspec.structs.replace(claim, due=due, attempt=claim.attempt + 1)])
        return "retrying", outcome.due

    def _is_strict(self, claim: Claim) -> bool:
        endpoint = self._index.by_row.get(claim.webhook)
        return endpoint is not None and endpoint.strict

    # Sending again, and apart from the queue

    def original(self, webhook_id: str, delivery_id: str) -> Original:
        """See Journal.original."""
        return resending.original(self._connection, self._webhooks, webhook_id, delivery_id)

    def record_direct(self, attempt: DirectAttempt) -> str:
        """See Journal.record_direct."""
        # Not before what was written while the attempt lasted: records are listed in the order of their numbers.
        with self._turn(max(attempt.exchange.started_at, self._now)):
            sequence, triggered_at = self._take_sequence(), self._now
            outcome = resending.write(self._connection, attempt, sequence, triggered_at)
            if isinstance(outcome, Delivered):
                self._failing.end(attempt.webhook)
        return row_id("delivery", triggered_at, self._connection.number, sequence)

    def replay(self, query: ReplayQuery, after: Place, limit: int, now: int, dry_run: bool = False) -> ReplayStep:
        """See Journal.replay."""
        if dry_run:
            with self._connection.snapshot():
                return replaying.look(self._connection, self._endpoint(query), query, after, limit, dry_run)[0]
        with self._turn(now):
            endpoint = self._endpoint(query)
            step, events = replaying.look(self._connection, endpoint, query, after, limit, dry_run)
            step.claims = self._enqueue_again(endpoint.row, events)
        return step

    def _enqueue_again(self, webhook: int, events: Sequence[PastEvent]) -> list[Claim]:
        """Put events that came before into the queue of a webhook's row."""
        now = self._now
        claims = [
            Claim(
                webhook,
                now,
                self._take_sequence(),
                1,
                event.row,
                event.type,
                event.key,
                event.body,
                now,
                0,
                event.trace,
            )
            for event in events
        ]
        batch = Batch()
        batch.enqueue(claims)
        batch.write(self._connection)
        resending.keep_events(self._connection, [event.row for event in events], now)
        return claims

    def _endpoint(self, query: ReplayQuery) -> Endpoint:
        return self._webhooks.endpoint(self._webhooks.row(query.webhook_id)[0], tolerant=True)

    def replay_outcome(self, webhook_id: str, first: int, last: int, own: bool = False) -> ReplayOutcome:
        """See Journal.replay_outcome."""
        return replaying.outcome(self._connection, webhook_id, first, last, own)

    # What a source gives

    def backfill(
        self, webhook_id: str, events: Sequence[Event], now: int, *, accept: bool, dry_run: bool = False
    ) -> BackfillStep:
        """See Journal.backfill."""
        if dry_run:
            with self._connection.snapshot():
                webhook: int = self._webhooks.row(webhook_id)[0]
                return backfilling.look(self._connection, webhook, events, accept)[0]
        with self._turn(now):
            webhook = self._webhooks.row(webhook_id)[0]
            if accept:
                self._accept(backfilling.unknown(self._connection, events), for_all=False)
            step, wanted = backfilling.look(self._connection, webhook, events, accept)
            backfilling.restore(self._connection, wanted)
            step.claims = self._enqueue_again(webhook, wanted)
        return step

    def source_place(self, source: str) -> SourcePlace | None:
        """See Journal.source_place."""
        return source_places.read(self._connection, source)

    def keep_source_place(self, source: str, place: SourcePlace, now: int) -> None:
        """See Journal.keep_source_place."""
        source_places.keep(self._connection, source, place, now)

    # Seeing what others changed

    def refresh(self) -> EndpointIndex | None:
        """See Journal.refresh."""
        with self._connection.snapshot():
            self._look()
        return self._news()

    def _news(self) -> EndpointIndex | None:
        """The endpoints, if whoever works with them does not have them as they are."""
        if self._index is self._told:
            return None
        self._told = self._index
        return self._index

    def foreign_commits(self) -> int:
        """A number that changes when another connection has committed."""
        with store_errors(self._connection.path):
            version: int = self._connection.execute(_SQL["data_version"]).fetchone()[0]
        return version

    def _look(self) -> None:
        """Take up what other connections committed. Within the transaction, nothing can come between."""
        data_version = self._connection.execute(_SQL["data_version"]).fetchone()[0]
        if data_version == self._data_version:
            return
        version, next_event, next_delivery = self._connection.execute(_SQL["counters"]).fetchone()
        self._next_event, self._next_delivery = next_event, next_delivery
        self._failing.look()
        if version != self._version:
            self._load_endpoints()
            self._version = version
        self._data_version = data_version

    def _load_endpoints(self) -> None:
        known = self._index.by_row
        endpoints = []
        for row, version in self._connection.execute(queries("webhooks")["versions"]).fetchall():
            endpoint = known.get(row)
            if endpoint is None or endpoint.version != version:
                endpoint = self._webhooks.endpoint(row, tolerant=True)
            endpoints.append(endpoint)
        self._index = EndpointIndex(endpoints)

    # Claiming

    def claim(self, webhook: int, now: int, limit: int, held: set[int]) -> list[Claim]:
        """See Journal.claim."""
        return claiming.claim(self._connection, webhook, now, limit, held)

    def next_due(self, webhook: int, held: set[int]) -> int | None:
        """See Journal.next_due."""
        return claiming.next_due(self._connection, webhook, held)

    def hasten(self, now: int) -> None:
        """See Journal.hasten."""
        claiming.hasten(self._connection, now)

    def pending(self) -> tuple[int, int | None]:
        """See Journal.pending."""
        return claiming.pending(self._connection)

    def delivery_id(self, claim: Claim) -> str:
        """See Journal.delivery_id."""
        return row_id("delivery", claim.triggered_at, self._connection.number, claim.sequence)

    # Care

    def check_writable(self) -> None:
        """See Journal.check_writable."""
        with self._connection.transaction():
            self._connection.execute(_SQL["try_to_write"])

    def sweep(self, before: int, limit: int, now: int = NEVER) -> int:
        """See Journal.sweep."""
        return self._sweeper.sweep(before, limit, now)

    def close(self) -> None:
        """See Journal.close."""
        self._connection.close()


def _text(key: bytes) -> str:
    return b2a_base64(key, newline=False).decode()
