"""Backfills: how fast events are handed on."""

from __future__ import annotations

import pytest

from qwebhook.model.event import Event
from qwebhook.source.backfill import paced
from qwebhook.source.items import read_item
from qwebhook.store.contract import BackfillStep
from tests.source.logs import item

EVENTS = [read_item(item(str(number), number)) for number in range(7)]


@pytest.mark.parametrize(
    ("rate", "handed_on"),
    [
        (0.5, [1, 2.0] * 7),
        (1.0, [1, 1.0] * 7),
        (2.5, [2, 0.8, 2, 0.8, 2, 0.8, 1, 0.4]),
        (100.0, [7, 0.07]),
    ],
)
def test_no_more_at_once_than_in_a_second(rate: float, handed_on: list[float]) -> None:
    happened: list[float] = []

    def put(events: list[Event]) -> BackfillStep:
        happened.append(len(events))
        return BackfillStep(0, 0, 0, len(events), [])

    step = paced(put, rate, happened.append)(EVENTS)
    assert step.enqueued == 7
    assert happened == pytest.approx(handed_on)


def test_what_is_not_delivered_takes_no_time() -> None:
    waits: list[float] = []

    def put(events: list[Event]) -> BackfillStep:
        return BackfillStep(len(events), 0, 0, 0, [])

    assert paced(put, 1.0, waits.append)(EVENTS).delivered == 7
    assert waits == []
