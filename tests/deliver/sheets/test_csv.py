"""CSV files: what is in them after events, whatever was in them before."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qwebhook.deliver.targets.sheets import csv_file
from tests.deliver.sheets.writing import COLUMNS, CREATED, DELETED, UPDATED, at, user, write

KEYED: dict[str, Any] = {"columns": COLUMNS, "key": "Id", "mode": "upsert", "modes": {DELETED: "delete"}}
HEAD = "Id,Name,Mail\n"


def verdicts(results: list[Any]) -> set[str]:
    return {result.verdict for result in results}


def test_rows_are_appended_once_each(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    to = at(f"csv:{file}", columns=COLUMNS)
    assert verdicts(write(to, [user(1), user(2)], tmp_path)) == {"done"}
    assert verdicts(write(to, [user(2), user(3), user(3)], tmp_path)) == {"done"}
    rows = list(csv.DictReader(file.open()))
    assert [row["Id"] for row in rows] == ["u1", "u2", "u3"]
    assert rows[0] == {"Id": "u1", "Name": "User 1", "Mail": "u1@example.com", "event_id": f"e1-{CREATED}"}


def test_an_event_that_two_webhooks_append_to_one_file_has_the_row_of_the_first(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    write(at(f"csv:{file}", columns={"Id": "data.id"}), [user(1)], tmp_path)
    results = write(at(f"csv:{file}", columns={"Name": "data.name"}), [user(1), user(2)], tmp_path)
    assert [result.words for result in results] == ["the row of this event is there already", "a row was added"]
    rows = list(csv.DictReader(file.open()))
    assert [(row["Id"], row["Name"]) for row in rows] == [("u1", None), ("", "User 2")]


def test_a_row_is_changed_and_deleted_by_its_key(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("Note,Id,Name,Mail\nmine,u1,Old,old@example.com\n,u2,Two,\n")
    to = at(f"csv:{file}", **KEYED)
    results = write(to, [user(1, UPDATED, email=None), user(3), user(2, DELETED), user(9, DELETED)], tmp_path)
    assert [result.words for result in results] == [
        "the row was changed",
        "a row was added",
        "the row was deleted",
        "there is no row with Id 'u9'",
    ]
    assert file.read_text() == "Note,Id,Name,Mail\nmine,u1,User 1,old@example.com\n,u3,User 3,u3@example.com\n"


def test_a_row_is_marked(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text(HEAD + "u1,One,\n")
    write(at(f"csv:{file}", columns=COLUMNS, key="Id", mode="mark"), [user(1, DELETED)], tmp_path)
    assert file.read_text() == "Id,Name,Mail,deleted\nu1,One,,2026-11-24T16:18:59Z\n"


@pytest.mark.parametrize(("start", "end"), [("\ufeff", "\r\n"), ("", "\n")])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_file_keeps_its_form(tmp_path: Path, start: str, end: str, delimiter: str) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes((start + delimiter.join(["Id", "Name", "Mail"]) + end + delimiter.join("abc")).encode())
    for event in (user(1), user(1, UPDATED, name="New; name, really")):
        write(at(f"csv:{file}", columns=COLUMNS, key="Id", mode="upsert"), [event], tmp_path)
    text = file.read_bytes().decode()
    assert text.startswith(start + delimiter.join(["Id", "Name", "Mail"]) + end + delimiter.join("abc") + end)
    assert text.count(end) == 3
    rows = list(csv.reader(text.removeprefix("\ufeff").splitlines(), delimiter=delimiter))
    assert rows[-1] == ["u1", "New; name, really", "u1@example.com"]


@pytest.mark.parametrize("before", ["\nme;;;;;\t\n", "\r\nId;Name\r\n", "Note\n", "Note;\n", "a;b,c,d\n", "\t\n"])
def test_what_was_written_is_read_with_the_same_delimiter(tmp_path: Path, before: str) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes(before.encode())
    to = at(f"csv:{file}", columns={"Id": "data.id", "x;y;z;;;": "data.name"})
    write(to, [user(1)], tmp_path)
    once = file.read_bytes()
    assert verdicts(write(to, [user(1)], tmp_path)) == {"done"}
    assert file.read_bytes() == once


def test_what_others_wrote_within_quotes_stays(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes(b'Id,Note\n1,"a\rb"\n2,"a\nb"\n3,"a\r\nb"\n4,"a ""b"", c"\n5," a "\n')
    write(at(f"csv:{file}", columns={"Id": "data.id"}), [user(1)], tmp_path)
    rows = list(csv.DictReader(file.open(newline="")))
    assert [row["Note"] for row in rows] == ["a\rb", "a\nb", "a\r\nb", 'a "b", c', " a ", ""]


@pytest.mark.parametrize(
    "value", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\uff1d1+1", "\uff20SUM(1)"]
)
def test_nothing_in_an_event_is_a_formula(tmp_path: Path, value: str) -> None:
    file = tmp_path / "users.csv"
    to = at(f"csv:{file}", **KEYED)
    write(to, [user(1, id=value, name=value), user(2, name="-5"), user(3, name="+49.5")], tmp_path)
    write(to, [user(1, UPDATED, id=value, name=value)], tmp_path)
    rows = list(csv.DictReader(file.open(newline="")))
    assert [row["Name"] for row in rows] == ["'" + value.replace("\r", "\n"), "-5", "+49.5"]
    write(to, [user(1, DELETED, id=value)], tmp_path)
    assert len(list(csv.DictReader(file.open(newline="")))) == 2


@pytest.mark.parametrize("name", ["User 2", 'a "b"\nc, d'])
def test_a_row_that_a_crash_has_cut_is_written_anew(tmp_path: Path, name: str) -> None:
    file = tmp_path / "users.csv"
    to = at(f"csv:{file}", columns=COLUMNS)
    write(to, [user(1), user(2, name=name)], tmp_path)
    whole = file.read_bytes()
    start = whole.index(b"u2,")
    for end in range(start, len(whole)):
        file.write_bytes(whole[:end])
        write(to, [user(2, name=name)], tmp_path)
        assert file.read_bytes().removesuffix(b"\n") == whole.removesuffix(b"\n"), whole[:end]


def test_a_row_without_a_line_end_is_the_users_own(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("Id,Name,Mail,event_id\nx,y,z,mine")
    write(at(f"csv:{file}", columns=COLUMNS), [user(1)], tmp_path)
    assert [row[0] for row in csv.reader(file.open())] == ["Id", "x", "u1"]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'Id,Name\n"a"b,c\n'])
def test_a_file_that_is_no_csv_is_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes(content)
    assert verdicts(write(at(f"csv:{file}"), [user(1)], tmp_path)) == {"again"}
    assert file.read_bytes() == content


def test_only_files_beneath_the_folder_are_written(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link.csv").symlink_to(outside / "users.csv")
    (inside / "out").symlink_to(outside)
    for path in (outside / "a.csv", inside / "link.csv", inside / "out" / "a.csv", inside / ".." / "outside" / "a.csv"):
        (result,) = write(at(f"csv:{path}"), [user(1)], inside)
        assert (result.verdict, "not beneath a folder" in result.words) == ("never", True)
    assert not list(outside.iterdir())
    (result,) = write(at(f"csv:{inside / 'a.csv'}"), [user(1)])
    assert (result.verdict, result.words) == ("again", "files are written with --allow-files only")


def test_what_is_in_the_way_is_said(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    to = at(f"csv:{file}")
    (result,) = write(at(f"csv:{tmp_path / 'no' / 'a.csv'}"), [user(1)], tmp_path)
    assert (result.verdict, "there is no folder" in result.words) == ("again", True)
    write(to, [user(1)], tmp_path)
    before = file.read_bytes()
    lock = tmp_path / ".~lock.users.csv#"
    lock.write_text(",user,machine,;")
    assert [(one.verdict, "open in LibreOffice" in one.words) for one in write(to, [user(2)], tmp_path)] == [
        ("again", True)
    ]
    lock.unlink()
    file.chmod(0o444)
    assert [(one.verdict, "read-only" in one.words) for one in write(to, [user(2)], tmp_path)] == [("again", True)]
    file.chmod(0o640)
    assert file.read_bytes() == before
    write(at(f"csv:{file}", columns={"new": "data.id"}), [user(2)], tmp_path)
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == ["users.csv"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "users.csv")
    (result,) = write(at(f"csv:{tmp_path / 'users.csv'}"), [user(1)], tmp_path)
    assert (result.verdict, "is no file" in result.words) == ("never", True)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "users.csv"
    to = at(f"csv:{file}", columns=COLUMNS)
    write(to, [user(1)], tmp_path)
    before = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(csv_file.os, "fsync", full)
    for event in (user(2), user(1, UPDATED)):
        (result,) = write(to, [event], tmp_path)
        assert (result.verdict, "no space left" in result.words) == ("again", True)
        assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["users.csv"]


@pytest.mark.skipif(sys.platform == "win32", reason="a folder cannot be locked")
def test_two_processes_do_not_overwrite_each_other(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    program = (
        "import sys; from pathlib import Path; from tests.deliver.sheets.writing import *\n"
        "for number in range(15):\n"
        "    event = user(int(sys.argv[1]) + number)\n"
        "    (done,) = write(at('csv:' + sys.argv[2], columns=COLUMNS, key='Id', mode='upsert'), [event], "
        "Path(sys.argv[2]).parent)\n"
        "    assert done.verdict == 'done', done\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(start), str(file)], cwd=Path(__file__).parents[3])
        for start in (0, 100)
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    ids = {row["Id"] for row in csv.DictReader(file.open())}
    assert ids == {f"u{number}" for start in (0, 100) for number in range(start, start + 15)}


@pytest.mark.parametrize("header", ['"Name, first, or last";Id;Mail\n', '"Name,\nfirst";Id;Mail\r\n'])
def test_the_delimiter_is_none_that_stands_within_quotes(tmp_path: Path, header: str) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes(header.encode())
    write(
        at(f"csv:{file}", columns={"Id": "data.id", "Mail": "data.email"}, key="Id", mode="upsert"), [user(1)], tmp_path
    )
    end = header[len(header.rstrip()) :]
    assert file.read_bytes().decode() == f"{header};u1;u1@example.com{end}"
