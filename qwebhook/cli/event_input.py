"""Events from a file or a pipe: one JSON object, an array of them, or one on each line.

A file is read and checked whole before anything is sent. A pipe may never end (`tail -f … | qwebhook publish`), so
its lines are taken as they come, and checked a chunk at a time.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from qwebhook.cli.inputs import STDIN, read_bytes
from qwebhook.cli.session import Session
from qwebhook.model.envelope import MAX_BODY, read_text
from qwebhook.model.errors import BodyTooLarge, EventRejected
from qwebhook.model.event import Event, read_event
from qwebhook.model.identifiers import random_id

CHUNK = 500
_READ = 1 << 16

# A raw event, and how to name it in an error: "line 7", "event 2 of 3".
Part = tuple[str, bytes]


class EventReader:
    """Turns raw parts into events. assign_ids: give one to an event that has none."""

    def __init__(self, session: Session, *, assign_ids: bool) -> None:
        self._session = session
        self._assign_ids = assign_ids

    def chunks(self, source: str) -> Iterator[list[Event]]:
        """The events of a file, or of stdin for `-`, up to CHUNK at a time. Raises EventRejected."""
        if source != STDIN:
            text = read_bytes(self._session, source, "FILE").removeprefix(BOM_UTF8)
            events = [self._event(part) for part in _parts(text)]
            yield from (events[start : start + CHUNK] for start in range(0, len(events), CHUNK))
            return
        for parts in _arriving(self._session):
            yield [self._event(part) for part in parts]

    def _event(self, part: Part) -> Event:
        place, raw = part
        try:
            if len(raw) > MAX_BODY:
                raise BodyTooLarge(f"the event has {len(raw)} bytes", f"{MAX_BODY} are taken at most")
            return read_event(self._with_id(raw) if self._assign_ids else raw)
        except EventRejected as error:
            hint = error.hint
            if not hint and error.message in ("the event has no id", "the event has no eventId"):
                hint = "--assign-ids gives it one"
            raise type(error)(f"{place}: {error.message}" if place else error.message, hint) from None

    def _with_id(self, raw: bytes) -> bytes:
        """The event with an id, if it lacks one; its other members keep their bytes."""
        try:
            members: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return raw  # `read_event` says what is wrong with it
        field = "id" if "specversion" in members else "eventId"
        present = members.get(field)
        if present is not None and bytes(present) not in (b'""', b"null"):
            return raw
        members[field] = random_id(self._session.now_ms, self._session.random(10))
        return msgspec.json.encode(members)


def _parts(text: bytes) -> list[Part]:
    """The raw events of a whole text. Raises EventRejected, also for one that is empty: what made it has failed."""
    raws = read_text(text)
    if text.lstrip().startswith(b"["):
        return [(f"event {number} of {len(raws)}", raw) for number, raw in enumerate(raws, start=1)]
    if not raws:
        raise EventRejected("the input is empty", "give a JSON event, an array of them, or one on each line")
    lines = _lines(text)
    if len(raws) == len(lines) > 1 and any(line.startswith(b"{") and line.endswith(b"}") for _, line in lines):
        return [(f"line {number}", line) for number, line in lines]
    # One object, maybe a broken one over several lines, whose error should speak of the whole.
    return [("", text.strip())]


def _lines(text: bytes, first: int = 1) -> list[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers."""
    numbered = enumerate(text.split(b"\n"), start=first)
    return [(number, line) for number, whole in numbered if (line := whole.strip())]


def _arriving(session: Session) -> Iterator[list[Part]]:
    """The raw events of stdin as they arrive."""
    reads = _reads(session)
    arrived: list[bytes] = []  # joined when a line ends, as below
    for data in reads:
        arrived.append(data)
        if b"\n" not in data:
            continue
        text = b"".join(arrived)
        arrived = [text]
        head, newline, _ = text.lstrip().partition(b"\n")
        if newline and not _is_object(head):
            break  # not a line of NDJSON, so the end has to be seen first
        if newline:
            yield from _arriving_lines(text, reads)
            return
    parts = _parts(b"".join([*arrived, *reads]))
    yield from (parts[start : start + CHUNK] for start in range(0, len(parts), CHUNK))


def _arriving_lines(text: bytes, reads: Iterable[bytes]) -> Iterator[list[Part]]:
    number = 1
    pending = [text]  # joined when a line ends, so that a long line in many reads is not copied at each

    def take(complete: bytes) -> Iterator[list[Part]]:
        parts = [(f"line {place}", line) for place, line in _lines(complete, number)]
        yield from (parts[start : start + CHUNK] for start in range(0, len(parts), CHUNK))

    for data in _chained(b"", reads):
        pending.append(data)
        if b"\n" not in data and len(pending) > 2:
            continue
        complete, newline, rest = b"".join(pending).rpartition(b"\n")
        pending = [rest]
        if newline:
            yield from take(complete)
            number += complete.count(b"\n") + 1
    yield from take(b"".join(pending))


def _chained(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _reads(session: Session) -> Iterator[bytes]:
    """What is there to be read, as soon as anything is."""
    stream = session.take_stdin("FILE")
    mark = BOM_UTF8
    while data := stream.read1(_READ):
        yield data.removeprefix(mark)
        mark = b""


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
