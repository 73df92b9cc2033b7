"""The queue and the history against a model of them that fits on a page: whatever is done, in whatever order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from qwebhook.model.delivery import DISABLE_AFTER, DISABLE_FAILURES
from qwebhook.model.errors import NotFound, Unavailable
from qwebhook.model.identifiers import ROW_LIMIT
from qwebhook.model.patch import replacements
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.store.contract import (
    BEGINNING,
    Claim,
    DeliveryQuery,
    DirectAttempt,
    Recording,
    ReplayOutcome,
    ReplayQuery,
    StatisticsQuery,
)
from tests.builders import APP_CREATED, APP_DELETED, USER, event, webhook_draft
from tests.store.conftest import DATABASE_DRIVERS, Driver
from tests.store.recordings import DAY, HOUR, NOW, SECOND, dead, delivered, exchange, gone, retry

RETENTION = 7 * DAY
KEYS_KEPT = 100 * DAY
TYPES = (APP_CREATED, APP_DELETED)
EVENT_IDS = tuple("abcdefgh")
ENDS = ("delivered", "retry", "dead", "gone")


class Hook(msgspec.Struct):
    """A webhook, as far as the queue is concerned. failing: since when, and how often, nothing has succeeded."""

    id: str
    row: int
    types: tuple[str, ...]
    enabled: bool
    failing: tuple[int, int] | None = None


class Past(msgspec.Struct):
    """An accepted event; `used`: when it was last sent again. Its body goes when neither keeps it."""

    kind: str
    body: bytes
    accepted: int
    used: int = 0


class Entry(msgspec.Struct):
    """A delivery: waiting while `due` is a time, on record once an attempt was recorded."""

    hook: Hook
    event: Past
    triggered: int
    due: int | None
    attempts: int = 0
    state: str = ""


class Queue(RuleBasedStateMachine):
    driver: type[Any]

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.store_driver: Driver = self.driver(Path(self.folder))
        self.store = self.store_driver.make()
        self.journal = self.store_driver.journal()
        self.now = NOW
        self.hooks: list[Hook] = []
        self.entries: dict[int, Entry] = {}  # by sequence
        self.keys: dict[str, tuple[str, int]] = {}  # event's id: the id it was given, and when
        self.events: list[Past] = []  # as long as their bodies are kept, in order
        self.held: dict[int, Claim] = {}  # by sequence

    def teardown(self) -> None:
        self.store_driver.close()  # type: ignore[attr-defined]
        shutil.rmtree(self.folder)

    # What people do

    @precondition(lambda self: len(self.hooks) < 3)
    @rule(types=st.sampled_from([(APP_CREATED,), (APP_DELETED,), TYPES]), enabled=st.booleans())
    def create(self, types: tuple[str, ...], enabled: bool) -> None:
        made = self.store.create_webhook(webhook_draft(event_types=list(types), enabled=enabled), USER)
        self.hooks.append(Hook(made.id, self.store.endpoint(made.id).row, types, enabled))

    @precondition(lambda self: self.hooks)
    @rule(pick=st.integers(0), enabled=st.booleans())
    def toggle(self, pick: int, enabled: bool) -> None:
        hook = self.hooks[pick % len(self.hooks)]
        self.store.patch_webhook(hook.id, replacements({"enabled": enabled}), USER)
        if enabled and not hook.enabled:
            hook.failing = None
        hook.enabled = enabled

    @precondition(lambda self: self.hooks)
    @rule(pick=st.integers(0), whole=st.booleans())
    def delete_or_discard(self, pick: int, whole: bool) -> None:
        hook = self.hooks[pick % len(self.hooks)]
        waiting = [entry for entry in self.entries.values() if entry.hook is hook and entry.due is not None]
        if whole:
            self.store.delete_webhook(hook.id)
            self.hooks.remove(hook)
        else:
            assert self.store.discard_pending(hook.id) == len(waiting)
        for entry in waiting:
            entry.due = None
            entry.state = "cancelled" if entry.attempts else ""

    # What the engine does

    @rule(
        ids=st.lists(st.sampled_from(EVENT_IDS), min_size=1, max_size=4),
        kind=st.sampled_from(TYPES),
        picks=st.lists(st.tuples(st.integers(0), st.sampled_from(ENDS)), max_size=3),
    )
    def write(self, ids: list[str], kind: str, picks: list[tuple[int, str]]) -> None:
        recordings = self.ends_of(picks)
        written = self.journal.write([event(id=one, type=kind) for one in ids], recordings, self.now)
        for one, accepted in zip(ids, written.accepted, strict=True):
            if one in self.keys:
                assert accepted.duplicate
                assert accepted.id == self.keys[one][0]
                assert accepted.claims == []
                continue
            assert not accepted.duplicate
            self.keys[one] = (accepted.id, self.now)
            past = Past(kind, event(id=one, type=kind).body, self.now)
            self.events.append(past)
            wanting = [hook for hook in self.hooks if hook.enabled and kind in hook.types]
            assert [claim.webhook for claim in accepted.claims] == [hook.row for hook in wanting]
            for hook, claim in zip(wanting, accepted.claims, strict=True):
                assert claim.sequence not in self.entries
                assert claim.body == past.body
                self.entries[claim.sequence] = Entry(hook, past, self.now, self.now)
        disabled = self.recorded(recordings)
        assert [webhook.id for webhook in written.disabled] == [hook.id for hook in disabled]

    @rule(picks=st.lists(st.tuples(st.integers(0), st.sampled_from(ENDS)), min_size=1, max_size=6))
    def record(self, picks: list[tuple[int, str]]) -> None:
        recordings = self.ends_of(picks)
        written = self.journal.write([], recordings, self.now)
        assert [webhook.id for webhook in written.disabled] == [hook.id for hook in self.recorded(recordings)]

    @rule(pick=st.integers(0), succeeds=st.booleans())
    def resend(self, pick: int, succeeds: bool) -> None:
        listed = self.store.list_deliveries(DeliveryQuery(sort="triggeredAt", limit=100)).items
        recorded = [entry for _, entry in sorted(self.entries.items()) if entry.attempts][:100]
        pairs = [(one, entry) for one, entry in zip(listed, recorded, strict=True) if entry.hook in self.hooks]
        if not pairs:
            return
        record, entry = pairs[pick % len(pairs)]
        if entry.event not in self.events:
            with pytest.raises(NotFound):
                self.journal.original(entry.hook.id, record.id)
            return
        original = self.journal.original(entry.hook.id, record.id)
        assert (original.type, original.body) == (entry.event.kind, entry.event.body)
        assert original.endpoint.row == entry.hook.row
        made = exchange(original.body, 200 if succeeds else 410, started_at=self.now)
        identifier = self.journal.record_direct(DirectAttempt(entry.hook.row, original.event, original.type, made))
        assert self.store.get_delivery(entry.hook.id, identifier).request.body.encode() == original.body
        self.entries[sequence_of(identifier)] = Entry(
            entry.hook, entry.event, self.now, None, 1, "delivered" if succeeds else "gone"
        )
        entry.event.used = self.now
        if succeeds:
            entry.hook.failing = None

    @precondition(lambda self: self.hooks)
    @rule(
        pick=st.integers(0),
        ago=st.sampled_from([0, SECOND, DAY, 1000 * DAY]),
        until_ago=st.sampled_from([-1, 0, SECOND]),
        everything=st.booleans(),
        limit=st.sampled_from([1, 2, 100]),
    )
    def replay(self, pick: int, ago: int, until_ago: int, everything: bool, limit: int) -> None:
        hook = self.hooks[pick % len(self.hooks)]
        query = ReplayQuery(hook.id, self.now - ago, self.now - until_ago, everything)
        matching = [
            past for past in self.events if past.kind in hook.types and query.since <= past.accepted < query.until
        ]
        mine = [entry for entry in self.entries.values() if entry.hook is hook]
        waiting = [entry.event for entry in mine if entry.due is not None]
        done = [] if everything else [entry.event for entry in mine if entry.state == "delivered"]
        wanted = [past for past in matching if past not in done and past not in waiting]
        for dry_run in (True, False):
            steps = [self.journal.replay(query, BEGINNING, limit, self.now, dry_run)]
            while steps[-1].last is not None:
                steps.append(self.journal.replay(query, steps[-1].last, limit, self.now, dry_run))
            assert sum(step.matching for step in steps) == len(matching)
            assert sum(step.delivered for step in steps) == len([past for past in matching if past in done])
            assert sum(step.enqueued for step in steps) == len(wanted)
        claims = [claim for step in steps for claim in step.claims]
        assert [claim.body for claim in claims] == [past.body for past in wanted]
        for past, claim in zip(wanted, claims, strict=True):
            assert (claim.webhook, claim.due, claim.attempt, claim.type) == (hook.row, self.now, 1, past.kind)
            assert claim.sequence not in self.entries
            self.entries[claim.sequence] = Entry(hook, past, self.now, self.now)
            past.used = self.now
        if claims:
            outcome = self.journal.replay_outcome(hook.id, claims[0].sequence, claims[-1].sequence)
            assert outcome == ReplayOutcome(len(claims), 0, 0)

    @rule(what=st.sampled_from(["events", "attempts"]), picks=st.lists(st.tuples(st.integers(0), st.just("gone"))))
    def fail_to_write(self, what: Any, picks: list[tuple[int, str]]) -> None:
        before = dict(self.held)
        recordings = self.ends_of(picks)
        self.held = before
        if what == "attempts" and not recordings:
            return
        with self.store_driver.refusing(what), pytest.raises(Unavailable):
            self.journal.write([event(id="never")], recordings, self.now)

    def ends_of(self, picks: list[tuple[int, str]]) -> list[Recording]:
        """The recordings of some of what is held, which is not held any longer."""
        recordings = []
        for pick, end in picks:
            if not self.held:
                break
            claim = self.held.pop(sorted(self.held)[pick % len(self.held)])
            if end == "retry" and claim.attempt < 10:
                recordings.append(retry(claim, self.now + 5 * SECOND))
            else:
                makers = {"delivered": delivered, "gone": gone, "retry": dead, "dead": dead}
                recordings.append(makers[end](claim))
        return recordings

    def recorded(self, recordings: list[Recording]) -> list[Hook]:
        """Do in the model what the recordings do; the webhooks that they disable."""
        disabled = []
        for recording in recordings:
            kind = type(recording.outcome).__name__
            entry = self.entries[recording.claim.sequence]
            hook, waiting = entry.hook, entry.due is not None
            entry.attempts += 1
            entry.due = None
            if kind == "Delivered":
                entry.state = "delivered"
                hook.failing = None
                continue
            entry.state = {"Dead": "dead", "Gone": "gone", "RetryAt": "retrying" if waiting else "cancelled"}[kind]
            if kind == "RetryAt" and waiting:
                entry.due = self.now + 5 * SECOND
            if hook.enabled and hook in self.hooks:
                since, failures = hook.failing or (self.now, 0)
                hook.failing = (since, failures + 1)
                too_long = failures + 1 >= DISABLE_FAILURES and self.now - since >= DISABLE_AFTER
                if kind == "Gone" or too_long:
                    hook.enabled = False
                    disabled.append(hook)
        return disabled

    @precondition(lambda self: self.hooks)
    @rule(pick=st.integers(0), limit=st.integers(1, 4))
    def claim(self, pick: int, limit: int) -> None:
        hook = self.hooks[pick % len(self.hooks)]
        claims = self.journal.claim(hook.row, self.now, limit, set(self.held))
        assert [claim.sequence for claim in claims] == self.due(hook)[:limit]
        for claim in claims:
            entry = self.entries[claim.sequence]
            assert (claim.attempt, claim.due, claim.body) == (entry.attempts + 1, entry.due, entry.event.body)
            assert claim.triggered_at == entry.triggered
            self.held[claim.sequence] = claim

    def due(self, hook: Hook) -> list[int]:
        """What a claim for the webhook may give now, in order."""
        waiting = [
            (entry.due, sequence)
            for sequence, entry in self.entries.items()
            if entry.hook is hook and entry.due is not None and entry.due <= self.now and sequence not in self.held
        ]
        return [sequence for _, sequence in sorted(waiting)]

    @rule()
    def crash(self) -> None:
        self.journal.close()
        self.journal = self.store_driver.journal()
        self.held.clear()

    @rule(steps=st.sampled_from([SECOND, 10 * SECOND, HOUR, 2 * DAY, 6 * DAY, 60 * DAY]))
    def wait(self, steps: int) -> None:
        self.now += steps

    @rule(limit=st.sampled_from([2, 1000]))
    def sweep(self, limit: int) -> None:
        # A step that takes nothing may only have passed what has to stay: a few more get round.
        rows = len(self.entries) + len(self.keys)
        for _ in range(3 + 2 * rows // limit):
            self.journal.sweep(self.now - RETENTION, limit)
        old = self.now - RETENTION
        self.entries = {
            sequence: entry
            for sequence, entry in self.entries.items()
            if entry.due is not None or entry.triggered >= old or (sequence in self.held and not entry.attempts)
        }
        # Of what was cancelled in flight nothing is left; its attempt would be that of a delivery without a record.
        for sequence in [sequence for sequence in self.held if sequence not in self.entries]:
            del self.held[sequence]
        needed = [entry.event for entry in self.entries.values() if entry.due is not None]
        self.events = [
            past for past in self.events if max(past.accepted, past.used) >= old or any(past is one for one in needed)
        ]
        self.keys = {one: key for one, key in self.keys.items() if key[1] >= old - KEYS_KEPT}

    # What must hold after every step

    @invariant()
    def the_queue_is_as_expected(self) -> None:
        waiting = [entry for entry in self.entries.values() if entry.due is not None]
        oldest = min((entry.triggered for entry in waiting), default=None)
        assert self.journal.pending() == (len(waiting), oldest)
        for hook in self.hooks:
            dues = [
                entry.due
                for sequence, entry in self.entries.items()
                if entry.hook is hook and entry.due is not None and sequence not in self.held
            ]
            assert self.journal.next_due(hook.row, set(self.held)) == min(dues, default=None)

    @invariant()
    def the_history_is_as_expected(self) -> None:
        expected = [
            (entry.hook.id, entry.state, entry.attempts, to_rfc3339(entry.triggered))
            for _, entry in sorted(self.entries.items())
            if entry.attempts
        ]
        found = self.store.list_deliveries(DeliveryQuery(sort="triggeredAt", limit=100)).items
        shown = [(one.webhook_id, one.qwebhook.state, one.qwebhook.attempts, one.triggered_at) for one in found]
        assert shown == expected[:100]
        for one in found:
            assert (one.qwebhook.next_attempt_at is not None) == (one.qwebhook.state == "retrying")
            assert (one.status == "success") == (one.qwebhook.state == "delivered")

    @invariant()
    def the_figures_are_as_expected(self) -> None:
        statistics = self.store.statistics()
        recorded = [entry for entry in self.entries.values() if entry.attempts]
        assert statistics.succeeded == sum(entry.state == "delivered" for entry in recorded)
        assert statistics.failed == sum(entry.state != "delivered" for entry in recorded)
        assert statistics.pending == sum(entry.due is not None for entry in self.entries.values())
        by_webhook = self.store.list_statistics(StatisticsQuery()).items
        assert [one.webhook_id for one in by_webhook] == [hook.id for hook in self.hooks]
        assert sum(one.pending for one in by_webhook) == statistics.pending

    @invariant()
    def the_webhooks_are_as_expected(self) -> None:
        for hook in self.hooks:
            assert self.store.get_webhook(hook.id).enabled is hook.enabled


def sequence_of(delivery_id: str) -> int:
    """The number in a delivery's id, by which deliveries are in order."""
    return int(delivery_id.replace("-", "")[16:], 16) & (ROW_LIMIT - 1)


@pytest.mark.parametrize("driver", DATABASE_DRIVERS)
def test_the_journal_does_what_its_model_does(driver: type[Any]) -> None:
    machine = type("Machine", (Queue,), {"driver": driver})
    examples = 60 if settings().max_examples <= 60 else 1000
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=40))
