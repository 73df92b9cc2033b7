"""What becomes of a file while it is looked at: it is written where it was allowed, or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwebhook.deliver.targets.sheets import files
from qwebhook.deliver.targets.sheets.place import opened
from qwebhook.model.delivery import Settled
from tests.deliver.sheets.writing import COLUMNS, UPDATED, at, user, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be opened")
KINDS = ["csv", "xlsx"]
KEYED: dict[str, Any] = {"columns": COLUMNS, "key": "Id", "mode": "upsert"}


class Folders:
    """`allowed` with a folder `inner`, and `outside`; both have a file of users, the same but for a note outside."""

    def __init__(self, root: Path, kind: str) -> None:
        self.kind = kind
        self.allowed, self.outside = root / "allowed", root / "outside"
        self.inner = self.allowed / "inner"
        for folder in (self.inner, self.outside):
            folder.mkdir(parents=True)
            write(self._to(folder, **KEYED), [user(1)], root)
        self.file = self.inner / f"users.{kind}"
        self.secret = self.outside / f"users.{kind}"
        self.before = self.secret.read_bytes()

    def _to(self, folder: Path, **sheet: Any) -> Any:
        return at(f"{self.kind}:{folder}/users.{self.kind}", **sheet)

    def write(self, *, append: bool = True) -> Settled:
        settings = {"columns": COLUMNS} if append else KEYED
        (result,) = write(
            self._to(self.inner, **settings), [user(2) if append else user(1, UPDATED, name="New")], self.allowed
        )
        return result

    def swap_folder(self) -> None:
        self.inner.rename(self.allowed / "moved")
        self.inner.symlink_to(self.outside)

    def swap_file(self) -> None:
        self.file.unlink()
        self.file.symlink_to(self.secret)

    def assert_nothing_outside(self) -> None:
        assert [one.name for one in self.outside.iterdir()] == [self.secret.name]
        assert self.secret.read_bytes() == self.before


@pytest.fixture(params=KINDS)
def folders(request: pytest.FixtureRequest, tmp_path: Path) -> Folders:
    return Folders(tmp_path, request.param)


def after(monkeypatch: pytest.MonkeyPatch, name: str, then: Callable[[], None]) -> None:
    """Let something happen once, right after a step of `write_file`."""
    step = getattr(files, name)
    left = [then]

    def stepped(*arguments: Any) -> Any:
        result = step(*arguments)
        if left:
            left.pop()()
        return result

    monkeypatch.setattr(files, name, stepped)


@pytest.mark.parametrize("append", [True, False])
def test_a_folder_that_becomes_a_link_after_it_was_allowed(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, append: bool
) -> None:
    after(monkeypatch, "_allowed", folders.swap_folder)
    assert folders.write(append=append).verdict == "again"
    folders.assert_nothing_outside()


@pytest.mark.parametrize("append", [True, False])
def test_a_folder_that_becomes_a_link_after_it_was_opened(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, append: bool
) -> None:
    after(monkeypatch, "_check_writable", folders.swap_folder)
    was = folders.file.read_bytes()
    assert folders.write(append=append).verdict == "done"
    folders.assert_nothing_outside()
    moved = folders.allowed / "moved"
    assert [one.name for one in moved.iterdir()] == [folders.file.name]
    assert (moved / folders.file.name).read_bytes() != was


@pytest.mark.parametrize("step", ["_allowed", "_check_writable"])
@pytest.mark.parametrize("append", [True, False])
def test_a_file_that_becomes_a_link(folders: Folders, monkeypatch: pytest.MonkeyPatch, append: bool, step: str) -> None:
    after(monkeypatch, step, folders.swap_file)
    assert folders.write(append=append).verdict in ("again", "never")
    folders.assert_nothing_outside()
    assert folders.file.is_symlink()


def test_a_file_that_becomes_a_pipe_is_not_waited_for(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    def swap() -> None:
        folders.file.unlink()
        os.mkfifo(folders.file)

    after(monkeypatch, "_check_writable", swap)
    result = folders.write()
    assert (result.verdict, "is no file" in result.words) == ("again", True)


@pytest.mark.parametrize("append", [True, False])
def test_a_file_under_another_name_stays_as_it_was(folders: Folders, append: bool) -> None:
    folders.file.unlink()
    os.link(folders.secret, folders.file)
    assert folders.write(append=append).verdict == "done"
    folders.assert_nothing_outside()
    assert folders.file.read_bytes() != folders.before


def test_a_folder_that_may_be_gone_through_and_not_read(tmp_path: Path) -> None:
    inner = tmp_path / "through" / "inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o311)
    try:
        with opened(tmp_path, inner / "a.csv") as place:
            assert place.status() is None
    finally:
        inner.parent.chmod(0o755)


def test_no_folder_stays_open(folders: Folders) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("nobody tells what is open")
    folders.write()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        folders.write()
    assert len(os.listdir("/proc/self/fd")) <= before
