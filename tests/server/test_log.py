"""The log: one line for each thing that happened, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest

from qwebhook.server.log import Log, library_warnings

ODD = 'two\nlines "quoted" \x1b[31m'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_json_lines() -> None:
    stream = io.StringIO()
    log = Log(stream, "json")
    log.info("attempt", webhook=ODD, ms=1.5)
    log.warning("beware")
    log.error("failed", reason="é")
    lines = stream.getvalue().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [(entry["level"], entry["what"]) for entry in entries] == [
        ("info", "attempt"),
        ("warning", "beware"),
        ("error", "failed"),
    ]
    assert (entries[0]["webhook"], entries[0]["ms"]) == (ODD, 1.5)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"]) for entry in entries)


def test_text_lines() -> None:
    stream = io.StringIO()
    Log(stream, "text").info("attempt", webhook="orders", reason=ODD, count=2, empty="a b")
    (line,) = stream.getvalue().splitlines()
    time, _, rest = line.partition(" ")
    assert time.endswith("Z")
    assert rest.startswith("info attempt webhook=orders reason=")
    assert rest.endswith(' count=2 empty="a b"')
    assert "\x1b" not in line
    assert r"two\nlines \"quoted\"" in line


@pytest.mark.parametrize(("stream", "as_json"), [(io.StringIO(), True), (Terminal(), False)])
def test_json_where_nobody_is_looking(stream: io.StringIO, as_json: bool) -> None:
    Log(stream).info("listening")
    assert stream.getvalue().startswith("{") is as_json


def test_a_log_that_nobody_takes_stops_nothing() -> None:
    Log(Broken(), "json").info("attempt")
    closed = io.StringIO()
    closed.close()
    Log(closed, "json").info("attempt")


def test_warnings_of_libraries_become_lines_without_the_text_of_exceptions() -> None:
    stream = io.StringIO()
    library = logging.getLogger("some.library")
    with library_warnings(Log(stream, "json")):
        library.info("not told")
        library.warning("Invalid %s.", "request")
        try:
            raise ValueError("hidden-value")
        except ValueError:
            library.exception("it broke\nin two lines")
    library.warning("not told any more")
    warning, error = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (warning["level"], warning["library"], warning["message"]) == ("warning", "some.library", "Invalid request.")
    assert (error["level"], error["message"], error["error"]) == ("error", "it broke", "ValueError")
    assert "test_log.py" in error["at"][-1]
    assert "hidden-value" not in stream.getvalue()
