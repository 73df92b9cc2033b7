"""Rows are written in the order of their events, many at once, whatever happens to the file meanwhile."""

from __future__ import annotations

import asyncio
import csv
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from qwebhook.deliver.attempt import attempt_together
from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.sender import Sender
from qwebhook.deliver.targets import Allowed, Targets, prepare, settled
from qwebhook.deliver.targets.sheets import Sheets, csv_file, files
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Exchange, Settled
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.sheet import SheetSettings
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import DeliveryQuery
from qwebhook.store.sqlite import SqliteStore
from tests.deliver.claims import claim
from tests.deliver.sheets.writing import NOW, at, user, write
from tests.deliver.virtual_engine import Engine, with_engine

IDS = SheetSettings(columns={"Id": "event.id"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore.open(tmp_path / "store.db", create=True)) as store:
        yield store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv"


def ids(file: Path) -> list[str]:
    return [row["Id"] for row in csv.DictReader(file.open())] if file.exists() else []


def states(engine: Engine, webhook: Webhook) -> list[tuple[str, int]]:
    listed = engine.store.list_deliveries(DeliveryQuery(webhook_id=webhook.id, limit=100))
    return [(one.qwebhook.state, one.qwebhook.attempts) for one in listed.items]


def test_what_waits_is_written_at_once_and_in_order(
    store: SqliteStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = csv_file.write_csv

    def counted(path: Path, changes: list[object]) -> list[str]:
        written.append(len(changes))
        return write(path, changes)  # type: ignore[arg-type]

    monkeypatch.setattr(csv_file, "write_csv", counted)

    async def test(engine: Engine) -> None:
        engine.create("rows", f"csv:{file}", sheet=IDS)
        await engine.publish(5000)
        await engine.pass_time(60)
        assert ids(file) == [str(number) for number in range(5000)]
        assert len(written) <= 6

    with_engine(store, test, Allowed(folders=[file.parent]))


def test_a_file_in_trouble_holds_all_and_loses_none(
    store: SqliteStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = {"left": 2}
    check = files._check_writable

    def checked(path: Path) -> None:
        if trouble["left"]:
            trouble["left"] -= 1
            raise OSError(28, "No space left on device", str(path))
        check(path)

    monkeypatch.setattr(files, "_check_writable", checked)

    async def test(engine: Engine) -> None:
        webhook = engine.create("rows", f"csv:{file}", sheet=IDS, retries=[10, 20, 30])
        await engine.publish(20)
        await engine.pass_time(5)
        assert ids(file) == []
        assert states(engine, webhook) == [("retrying", 1)] * 20
        await engine.pass_time(60)
        assert ids(file) == [str(number) for number in range(20)]
        assert states(engine, webhook) == [("delivered", 3)] * 20

    with_engine(store, test, Allowed(folders=[file.parent]))


def test_a_webhook_has_its_own_waits_and_then_is_dead(store: SqliteStore, file: Path) -> None:
    async def test(engine: Engine) -> None:
        webhook = engine.create("rows", f"csv:{file.parent}/none/rows.csv", retries=[60])
        await engine.publish(3)
        await engine.pass_time(50)
        assert states(engine, webhook) == [("retrying", 1)] * 3
        await engine.pass_time(20)
        assert states(engine, webhook) == [("dead", 2)] * 3

    with_engine(store, test, Allowed(folders=[file.parent]))


def test_one_event_that_makes_no_row_does_not_hold_the_others(store: SqliteStore, file: Path) -> None:
    async def test(engine: Engine) -> None:
        sheet = SheetSettings(columns={"Id": "event.id", "Ten": "{{ 10 // (event.id | int) }}"})
        webhook = engine.create("rows", f"csv:{file}", sheet=sheet)
        await engine.publish(4)
        await engine.pass_time(5)
        assert ids(file) == ["1", "2", "3"]
        assert sorted(states(engine, webhook)) == [("dead", 1)] + [("delivered", 1)] * 3

    with_engine(store, test, Allowed(folders=[file.parent]))


def test_what_nobody_foresaw_of_a_library_is_tried_again(
    store: SqliteStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = csv_file.write_csv

    def surprised(path: Path, changes: list[object]) -> list[str]:
        monkeypatch.setattr(csv_file, "write_csv", write)
        raise OverflowError("secret")

    monkeypatch.setattr(csv_file, "write_csv", surprised)

    async def test(engine: Engine) -> None:
        webhook = engine.create("rows", f"csv:{file}", sheet=IDS)
        await engine.publish(3)
        await engine.pass_time(60)
        assert ids(file) == ["0", "1", "2"]
        assert states(engine, webhook) == [("delivered", 2)] * 3
        first = engine.store.list_deliveries(DeliveryQuery(webhook_id=webhook.id, limit=1)).items[0].id
        reasons = [one.reason for one in engine.store.list_attempts(webhook.id, first)]
        assert "it could not be sent: OverflowError" in reasons

    with_engine(store, test, Allowed(folders=[file.parent]))


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize(
    "key",
    [
        1,
        1.0,
        2.5,
        -7,
        1e300,
        10**15,
        123456789012345678,
        10**400,
        True,
        "007",
        "1e5",
        "a\x01b",
        "a\r\nb\rc",
        " a ",
        "=1+1",
        "+49 1",
        "-a",
        "'a",
        "#N/A",
        "_x000D_",
        "2026-01-01",
        'a;b,c\t"d"',
        "ä\u2028\U0001f600",
        ["a", 1],
    ],
)
def test_the_same_event_twice_is_one_row(tmp_path: Path, kind: str, key: object) -> None:
    to = at(f"{kind}:{tmp_path}/rows.{kind}", columns={"Key": "data.id"}, key="Key", mode="upsert")
    assert [one.words for one in write(to, [user(1, id=key)], tmp_path)] == ["a row was added"]
    assert [one.words for one in write(to, [user(1, id=key)], tmp_path)] == ["the row is so already"]


def test_files_keep_the_mode_that_the_process_gives(tmp_path: Path) -> None:
    async def run() -> None:
        sheets = Sheets([tmp_path], None)
        made = [at(f"csv:{tmp_path}/{number}.csv") for number in range(50)]
        await asyncio.gather(*(sheets.write(to.webhook.url, [prepare(to, bytes(16), *user(1), NOW)]) for to in made))

    before = os.umask(0o022)
    os.umask(before)
    asyncio.run(run())
    after = os.umask(before)
    assert after == before
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o666 & ~before}


def test_a_folder_that_is_held_does_not_hold_up_the_end(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    to = at(f"csv:{tmp_path}/rows.csv")

    async def run() -> None:
        sheets = Sheets([tmp_path], None)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sheets.write(to.webhook.url, [prepare(to, bytes(16), *user(1), NOW)]), 0.05)

    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        asyncio.run(run())
        assert all(one.daemon for one in threading.enumerate() if one.name.startswith("qwebhook-sheets"))
    finally:
        os.close(descriptor)


def test_others_have_their_turn_while_thousands_of_rows_are_prepared() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    class Unwritten(Targets):
        async def write(self, endpoint: Endpoint, prepared: Sequence[PreparedRequest]) -> list[Exchange]:
            return [settled(one, Settled("done", "")) for one in prepared]

    async def run() -> None:
        targets = Unwritten(Sender(AddressPolicy([])))
        taking = asyncio.create_task(other())
        await attempt_together(targets, at("csv:/none/a.csv"), [claim(number) for number in range(500)], NOW)
        taking.cancel()
        await targets.close()

    asyncio.run(run())
    assert turns > 500
