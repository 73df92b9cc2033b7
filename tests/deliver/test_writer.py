"""The writer: everything that waits goes into one transaction, and what fails takes no more with it than it must."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from qwebhook.deliver import writer as writer_module
from qwebhook.deliver.writer import BATCH_LIMIT, WAITING_BYTES, WAITING_LIMIT, Overloaded, Writer
from qwebhook.model.delivery import Delivered, Exchange, Reply
from qwebhook.model.errors import InvalidInput, QwebhookError, StoreBusy, StoreFull, Unavailable
from qwebhook.model.event import Event
from qwebhook.store.contract import Accepted, Claim, Recording, Written
from qwebhook.store.sqlite import SqliteStore
from tests.builders import URL, USER, event, webhook_draft
from tests.deliver.claims import NOW, claim
from tests.store.recordings import delivered

EVENT = event()


def recording(sequence: int = 1) -> Recording:
    exchange = Exchange(URL, {}, b"{}", NOW, 1.0, Reply(200, [], b""), 1.0)
    return Recording(claim(sequence), exchange, Delivered(), "status 200")


class Journal:
    """Keeps what it is given to write. gate: the thread waits for it; fault: raises instead of writing."""

    def __init__(self) -> None:
        self.transactions: list[tuple[list[Event], list[int]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.fault: Callable[[Sequence[Event], Sequence[Recording]], Exception | None] = lambda *_: None
        self.failures = 0

    def write(self, events: Sequence[Event], recordings: Sequence[Recording], now: int) -> Written:
        self.entered.set()
        assert self.gate.wait(10)
        error = self.fault(events, recordings)
        if error is not None:
            self.failures += 1
            raise error
        self.transactions.append((list(events), [one.claim.sequence for one in recordings]))
        return Written([Accepted(one.id, False, []) for one in events], [], [], None)


class Desk:
    """A writer over such a journal, and what it told."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.written: list[Written] = []
        self.failed: list[QwebhookError] = []
        self.writer = Writer(self.journal, lambda: NOW, self.written.append, self.failed.append)  # type: ignore[arg-type]


def with_desk(test: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
    """Run a test in an event loop of its own, for ten seconds at most."""

    async def run() -> None:
        desk = Desk()
        try:
            await asyncio.wait_for(test(desk), 10)
        finally:
            desk.journal.gate.set()
            desk.journal.fault = lambda *_: None
            assert await desk.writer.close(5)

    asyncio.run(run())


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", 0.02)


def events(*ids: object) -> list[Event]:
    return [event(id=str(one)) for one in ids]


def test_what_comes_in_one_turn_goes_into_one_transaction() -> None:
    async def test(desk: Desk) -> None:
        accepting = [desk.writer.accept(events(number)) for number in range(5)]
        recorded = desk.writer.record(recording(7))
        accepted = await asyncio.gather(*accepting)
        await recorded
        assert [[one.id for one in group] for group in accepted] == [["0"], ["1"], ["2"], ["3"], ["4"]]
        ((written, sequences),) = desk.journal.transactions
        assert [one.id for one in written] == ["0", "1", "2", "3", "4"]
        assert sequences == [7]

    with_desk(test)


def test_what_comes_during_a_transaction_goes_into_the_next() -> None:
    async def test(desk: Desk) -> None:
        desk.journal.gate.clear()
        first = desk.writer.accept(events("first"))
        await asyncio.to_thread(desk.journal.entered.wait, 5)
        waiting = [desk.writer.accept(events(number)) for number in range(20)]
        recorded = [desk.writer.record(recording(number)) for number in range(20)]
        desk.journal.gate.set()
        await asyncio.gather(first, *waiting, *recorded)
        assert [(len(one), len(other)) for one, other in desk.journal.transactions] == [(1, 0), (20, 20)]

    with_desk(test)


def test_each_caller_gets_the_part_that_is_its_own() -> None:
    async def test(desk: Desk) -> None:
        groups = [events("a", "b"), [], events("c"), events("d", "e", "f")]
        accepted = await asyncio.gather(*(desk.writer.accept(group) for group in groups))
        assert [[one.id for one in group] for group in accepted] == [["a", "b"], [], ["c"], ["d", "e", "f"]]

    with_desk(test)


def test_the_worker_is_told_before_the_callers_go_on() -> None:
    async def test(desk: Desk) -> None:
        await desk.writer.accept([EVENT])
        assert len(desk.written) == 1

    with_desk(test)


def test_a_caller_that_went_away_does_not_disturb_the_others() -> None:
    async def test(desk: Desk) -> None:
        gone, stays = desk.writer.accept(events("gone")), desk.writer.accept(events("stays"))
        gone_recording, last = desk.writer.record(recording(1)), desk.writer.record(recording(2))
        gone.cancel()
        gone_recording.cancel()
        assert [one.id for one in await stays] == ["stays"]
        await last
        assert desk.journal.transactions[0][1] == [1, 2]

    with_desk(test)


def test_a_transaction_takes_so_many_events_and_no_group_is_split() -> None:
    async def test(desk: Desk) -> None:
        groups = [[EVENT] * (BATCH_LIMIT - 1), [EVENT] * 3, [EVENT]]
        await asyncio.gather(*(desk.writer.accept(group) for group in groups))
        assert [len(one) for one, _ in desk.journal.transactions] == [BATCH_LIMIT + 2, 1]

    with_desk(test)


def test_too_much_waiting_is_refused_at_once_and_taken_later() -> None:
    async def test(desk: Desk) -> None:
        desk.journal.gate.clear()
        waiting = [desk.writer.accept([EVENT] * 100) for _ in range(WAITING_LIMIT // 100)]
        with pytest.raises(Overloaded):
            desk.writer.accept([EVENT])
        recorded = desk.writer.record(recording())
        desk.journal.gate.set()
        await asyncio.gather(recorded, *waiting)
        await desk.writer.accept([EVENT])

    with_desk(test)


def test_too_many_bytes_waiting_are_refused_too() -> None:
    large = event(data="x" * 1_000_000)
    fitting = WAITING_BYTES // len(large.body)

    async def test(desk: Desk) -> None:
        for _ in range(2):  # what was written, or refused, no longer counts
            desk.journal.gate.clear()
            waiting = [desk.writer.accept([large]) for _ in range(fitting)]
            with pytest.raises(Overloaded):
                desk.writer.accept([large])
            small = desk.writer.accept([EVENT])
            desk.journal.gate.set()
            await asyncio.gather(small, *waiting)
        desk.journal.fault = lambda *_: StoreBusy("locked", "")
        for _ in range(3):
            with pytest.raises(StoreBusy):
                await desk.writer.accept([large] * (fitting - 1))
        desk.journal.fault = lambda *_: None
        assert len(await desk.writer.accept([large] * (fitting + 1))) == fitting + 1

    with_desk(test)


def test_one_request_may_hold_more_than_may_wait() -> None:
    """A megabyte of the shortest events is more than the limit, and sending it again would not make it less."""

    async def test(desk: Desk) -> None:
        many = [EVENT] * (WAITING_LIMIT + 1)
        assert len(await desk.writer.accept(many)) == len(many)
        desk.journal.gate.clear()
        waiting = desk.writer.accept(many)
        with pytest.raises(Overloaded):
            desk.writer.accept([EVENT])
        desk.journal.gate.set()
        await waiting

    with_desk(test)


def test_a_failing_store_refuses_events_and_keeps_recordings_until_it_works() -> None:
    async def test(desk: Desk) -> None:
        desk.journal.fault = lambda *_: StoreFull("no room", "")
        accepting, recorded = desk.writer.accept(events("lost")), desk.writer.record(recording(1))
        with pytest.raises(StoreFull):
            await accepting
        assert not recorded.done()
        later = desk.writer.record(recording(2))
        while desk.journal.failures < 4:  # noqa: ASYNC110 it is another thread that counts
            await asyncio.sleep(0.01)
        with pytest.raises(StoreFull):
            await desk.writer.accept(events("lost too"))
        assert not recorded.done()
        assert not later.done()
        assert {type(error) for error in desk.failed} == {StoreFull}
        desk.journal.fault = lambda *_: None
        await asyncio.gather(recorded, later)
        assert [one.id for one in await desk.writer.accept(events("taken"))] == ["taken"]
        recordings = [sequence for _, sequences in desk.journal.transactions for sequence in sequences]
        assert recordings == [1, 2]
        assert [one.id for written, _ in desk.journal.transactions for one in written] == ["taken"]

    with_desk(test)


def test_refused_events_no_longer_count_as_waiting() -> None:
    async def test(desk: Desk) -> None:
        desk.journal.fault = lambda *_: StoreBusy("locked", "")
        for _ in range(3):
            with pytest.raises(StoreBusy):
                await desk.writer.accept([EVENT] * (WAITING_LIMIT - 1))
        desk.journal.fault = lambda *_: None
        assert len(await desk.writer.accept([EVENT] * 10)) == 10

    with_desk(test)


@pytest.mark.parametrize(
    "error", [TypeError("cannot be encoded"), InvalidInput("not UTF-8"), QwebhookError("UNIQUE constraint failed")]
)
def test_one_thing_that_cannot_be_written_does_not_take_others_with_it(error: Exception) -> None:
    def fault(events: Sequence[Event], recordings: Sequence[Recording]) -> Exception | None:
        poisonous = any(one.claim.sequence == 13 for one in recordings) or any(one.id == "bad" for one in events)
        return error if poisonous else None

    async def test(desk: Desk) -> None:
        desk.journal.fault = fault
        good = [desk.writer.record(recording(number)) for number in (1, 2, 3)]
        bad = desk.writer.record(recording(13))
        good += [desk.writer.record(recording(number)) for number in (4, 5)]
        accepted, refused, after = (desk.writer.accept(events(one)) for one in ("good", "bad", "after"))
        await asyncio.gather(*good)
        assert len(await accepted) == len(await after) == 1
        for future in (bad, refused):
            with pytest.raises(Unavailable):
                await future
        recordings = [sequence for _, sequences in desk.journal.transactions for sequence in sequences]
        assert sorted(recordings) == [1, 2, 3, 4, 5]
        # Afterwards it writes together again.
        before = len(desk.journal.transactions)
        await asyncio.gather(*(desk.writer.record(recording(number)) for number in range(20, 30)))
        assert len(desk.journal.transactions) == before + 1

    with_desk(test)


def test_what_cannot_be_written_is_found_however_much_else_comes_in() -> None:
    """As when there is a backlog to deliver: an attempt that is on record makes room for the next."""

    async def test(desk: Desk) -> None:
        loop, recorded = asyncio.get_running_loop(), []

        def record_more() -> None:
            recorded.extend(desk.writer.record(recording(len(recorded))) for _ in range(10))

        def fault(events: Sequence[Event], _: Sequence[Recording]) -> Exception | None:
            if all(one.id != "bad" for one in events):
                return None
            loop.call_soon_threadsafe(record_more)
            return ValueError("it cannot be written")

        desk.journal.fault = fault
        record_more()
        bad, good = desk.writer.accept(events("bad")), desk.writer.accept(events("good"))
        with pytest.raises(Unavailable):
            await bad
        assert [one.id for one in await good] == ["good"]
        await asyncio.gather(*recorded)

    with_desk(test)


def test_what_a_constraint_of_the_store_forbids_is_given_up_and_nothing_with_it(tmp_path: Path) -> None:
    """Tried again with the rest, it would keep everything from being written for good."""
    store = SqliteStore.open(tmp_path / "store.db", create=True)
    store.create_webhook(webhook_draft(), USER)
    journal = store.open_journal()

    async def run() -> None:
        failed: list[QwebhookError] = []
        writer = Writer(journal, lambda: NOW, lambda _: None, failed.append)
        ((first,), (second,)) = [one.claims for one in await writer.accept(events("first", "second"))]
        await writer.record(delivered(first))
        twice, good, accepted = (
            writer.record(delivered(first)),
            writer.record(delivered(second)),
            writer.accept(events("third")),
        )
        with pytest.raises(Unavailable):
            await asyncio.wait_for(twice, 5)
        await good
        assert len(await accepted) == 1
        assert len(failed) == 1
        assert await writer.close(5)

    asyncio.run(run())
    journal.close()
    store.close()


def test_other_work_runs_between_transactions() -> None:
    async def test(desk: Desk) -> None:
        assert await desk.writer.run(lambda journal: journal) is desk.journal  # type: ignore[comparison-overlap]
        with pytest.raises(ZeroDivisionError):
            await desk.writer.run(lambda journal: 1 // 0)

    with_desk(test)


def test_other_work_gets_its_turn_however_much_there_is_to_write() -> None:
    async def test(desk: Desk) -> None:
        loop = asyncio.get_running_loop()

        async def another() -> None:
            desk.writer.accept(events("another"))

        def more_comes(*_: object) -> None:
            # During each transaction, so that there is always a next one.
            asyncio.run_coroutine_threadsafe(another(), loop).result(5)

        desk.journal.fault = more_comes
        first = desk.writer.accept(events("first"))
        assert await desk.writer.run(lambda _: "done") == "done"
        assert (await first)[0].id == "first"
        desk.journal.fault = lambda *_: None

    with_desk(test)


def test_closing_writes_what_waits() -> None:
    async def run() -> None:
        desk = Desk()
        future = desk.writer.record(recording())
        assert await desk.writer.close(5)
        assert future.done()

    asyncio.run(run())


def test_closing_gives_up_on_a_store_that_does_not_work() -> None:
    async def run() -> None:
        desk = Desk()
        desk.journal.fault = lambda *_: StoreFull("no room", "")
        desk.writer.record(recording())
        assert not await desk.writer.close(0.2)

    asyncio.run(run())


def test_claims_are_handed_on() -> None:
    made: list[Claim] = [claim(1)]

    async def test(desk: Desk) -> None:
        desk.journal.write = lambda *_: Written([Accepted("1", False, made)], [], [], None)  # type: ignore[method-assign]
        assert (await desk.writer.accept([EVENT]))[0].claims is made

    with_desk(test)
