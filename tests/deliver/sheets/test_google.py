"""Google Sheets, against a stand-in that takes what Google takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qwebhook.model.delivery import Settled
from qwebhook.model.sheet import GoogleAccount
from tests.deliver.sheets.google_stand_in import Google, google, key_file
from tests.deliver.sheets.writing import COLUMNS, CREATED, DELETED, UPDATED, at, user, write

KEYED: dict[str, Any] = {"columns": COLUMNS, "key": "Id", "mode": "upsert", "modes": {DELETED: "delete"}}
Put = Callable[..., list[Settled]]


@pytest.fixture
def stand_in() -> Iterator[Google]:
    with google() as one:
        yield one


@pytest.fixture
def put(stand_in: Google, tmp_path: Path) -> Put:
    account = GoogleAccount(credentials=str(key_file(tmp_path, f"{stand_in.url}/token")), api=stand_in.url)

    def put(url: str, events: list[tuple[str, bytes]], **sheet: Any) -> list[Settled]:
        return write(at(url, **sheet), events, google=account)

    return put


def test_rows_are_appended_once_each(stand_in: Google, put: Put) -> None:
    assert {one.verdict for one in put("gsheet:book/Users", [user(1, n=1.5), user(2)], columns=COLUMNS)} == {"done"}
    put("gsheet:book/Users", [user(2), user(3)], columns=COLUMNS)
    assert [row[0] for row in stand_in.rows()] == ["Id", "u1", "u2", "u3"]
    assert stand_in.rows()[1] == ["u1", "User 1", "u1@example.com", f"e1-{CREATED}"]
    assert len(stand_in.batches) == 2


def test_rows_are_changed_and_deleted_in_one_batch(stand_in: Google, put: Put) -> None:
    stand_in.books["book"]["Users"]["rows"] = [["Note", "Id"], ["mine", "u1"], ["", "u2"], ["x", "u3"]]
    put("gsheet:book/Users", [user(1, UPDATED, name="=1+1"), user(2, DELETED), user(4), user(5, n=2)], **KEYED)
    assert stand_in.rows() == [
        ["Note", "Id", "Name", "Mail"],
        ["mine", "u1", "=1+1", "u1@example.com"],
        ["x", "u3"],
        ["", "u4", "User 4", "u4@example.com"],
        ["", "u5", "User 5", "u5@example.com"],
    ]
    assert len(stand_in.batches) == 1
    put("gsheet:book/Users", [user(1, UPDATED, name="=1+1"), user(2, DELETED)], **KEYED)
    assert len(stand_in.batches) == 1  # nothing was to be changed


def test_a_sheet_is_made_and_its_grid_widened(stand_in: Google, put: Put) -> None:
    columns = {f"c{number}": "data.id" for number in range(30)}
    put("gsheet:book/Robin's own", [user(1)], columns=columns)
    assert len(stand_in.rows("Robin's own")[0]) == 31


@pytest.mark.parametrize(("status", "words"), [(403, "shared with"), (429, "answered 429"), (503, "answered 503")])
def test_what_google_refuses_is_tried_again(stand_in: Google, put: Put, status: int, words: str) -> None:
    stand_in.fail = status
    (result,) = put("gsheet:book/Users", [user(1)])
    assert (result.verdict, words in result.words) == ("again", True), result


def test_a_book_that_is_not_there(put: Put) -> None:
    (result,) = put("gsheet:nope/Users", [user(1)])
    assert (result.verdict, "404" in result.words) == ("again", True)


def test_without_an_account_nothing_is_written(tmp_path: Path) -> None:
    (result,) = write(at("gsheet:book/Users"), [user(1)])
    assert (result.verdict, "[sheets]" in result.words) == ("again", True)
    broken = tmp_path / "key.json"
    broken.write_text('{"private_key": "very-secret"}')
    (result,) = write(at("gsheet:book/Users"), [user(1)], google=GoogleAccount(credentials=str(broken)))
    assert (result.verdict, "very-secret" in result.words) == ("never", False)


def test_google_out_of_reach(tmp_path: Path) -> None:
    gone = "http://127.0.0.1:9"
    account = GoogleAccount(credentials=str(key_file(tmp_path, f"{gone}/token")), api=gone)
    (result,) = write(at("gsheet:book/Users"), [user(1)], google=account)
    assert (result.verdict, "not reached" in result.words) == ("again", True)


def test_the_name_of_a_sheet_is_the_same_in_any_case(stand_in: Google, put: Put) -> None:
    put("gsheet:book/USERS", [user(1)], columns={"Id": "data.id"})
    assert [row[0] for row in stand_in.rows("Users")] == ["Id", "u1"]
