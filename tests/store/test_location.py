"""Which store a text names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from qwebhook.model.errors import InvalidInput, StoreMissing
from qwebhook.store.location import FileLocation, RestLocation, open_database, parse_location


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/var/lib/q.db", "/var/lib/q.db"),
        ("sqlite:///var/lib/q.db", "/var/lib/q.db"),
        ("SQLite:///var/lib/q.db", "/var/lib/q.db"),
        ("sqlite:///var/with%20space.db", "/var/with space.db"),
        ("/odd%20name.db", "/odd%20name.db"),
    ],
)
def test_a_file(text: str, path: str) -> None:
    assert parse_location(text) == FileLocation(Path(path))


def test_a_drive_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert parse_location("sqlite:///C:/q.db") == FileLocation(Path("C:/q.db"))
    assert parse_location("sqlite:///share/q.db") == FileLocation(Path("/share/q.db"))


def test_a_bare_path_is_taken_from_here_and_from_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert parse_location("q.db") == FileLocation(tmp_path / "q.db")
    assert parse_location("~/q.db") == FileLocation(tmp_path / "home" / "q.db")


@pytest.mark.parametrize(
    "text",
    [
        "https://t.example.com", "https://t.example.com/", "HTTPS://t.example.com/below", "https://10.0.0.1:8787",
        "http://127.0.0.1:8787", "http://localhost:8787/", "http://[::1]",
    ],
)  # fmt: skip
def test_a_server(text: str) -> None:
    location = parse_location(text)
    assert location == RestLocation(text.rstrip("/"))
    with pytest.raises(InvalidInput):
        open_database(location)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "sqlite://q.db",
        "sqlite:q.db://",
        "sqlite:///",
        "sqlite:///q.db?mode=ro",
        "https://",
        "ftp://h/q.db",
        "~no-such-user/q.db",
    ],
)
def test_what_names_no_store_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_location(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://t.example.com/?a=b", "https://t.example.com/#a", "https://[x", "https://t.example.com:port",
        "https://anna:hidden@t.example.com", "https://anna:hidden@", "http://t.example.com", "http://10.0.0.1:8787",
        "http://127.example.com.evil.example",
    ],
)  # fmt: skip
def test_a_server_s_address_that_cannot_be_used(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_location(text)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("acme.eu.qlikcloud.com", "write https://acme.eu.qlikcloud.com"),
        ("Acme.US.QlikCloud.com/", "write https://Acme.US.QlikCloud.com/"),
        ("acme.us.qlikcloudgov.com:443", "write https://acme"),
        ("localhost:8787", "http:// on this machine"),
        ("hooks.example.com:443/below", "write https://hooks"),
    ],
)
def test_a_host_without_a_scheme_is_not_taken_for_a_file(text: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_location(text)
    assert hint in raised.value.hint
    assert parse_location(f"./{text}") == FileLocation(Path(text).absolute())


def test_the_file_is_made_only_when_that_is_asked_for(tmp_path: Path) -> None:
    location = parse_location(f"sqlite://{tmp_path}/q.db")
    with pytest.raises(StoreMissing):
        open_database(location)
    assert list(tmp_path.iterdir()) == []
    open_database(location, create=True).close()
    open_database(location).close()
