"""Ends of attempts for tests, each with a plausible exchange.

    delivered(claim)             the receiver said 200
    retry(claim, due)            503, the next attempt at `due`
    dead(claim), gone(claim)     the last 503; a 410
    unanswered(claim, due)       no answer at all
    exchange(body, 200)          one request and what came of it, for what is sent outside the queue

Keyword arguments replace fields of the exchange.
"""

from __future__ import annotations

from typing import Any

from qwebhook.model.delivery import Dead, Delivered, Exchange, Failure, Gone, Outcome, Reply, RetryAt, reason
from qwebhook.store.contract import Claim, Recording
from tests.builders import URL

NOW = 1_795_536_000_000
SECOND = 1000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def delivered(claim: Claim, **fields: Any) -> Recording:
    return _recording(claim, Reply(200, [("content-type", "text/plain")], b"thanks"), Delivered(), fields)


def retry(claim: Claim, due: int, **fields: Any) -> Recording:
    return _recording(claim, Reply(503, [], b"busy"), RetryAt(due), fields)


def unanswered(claim: Claim, due: int, **fields: Any) -> Recording:
    return _recording(claim, Failure("timeout", "no answer within 15 s"), RetryAt(due), fields)


def dead(claim: Claim, **fields: Any) -> Recording:
    return _recording(claim, Reply(503, [], b"busy"), Dead(), fields)


def gone(claim: Claim, **fields: Any) -> Recording:
    return _recording(claim, Reply(410, [], b""), Gone(), fields)


def _recording(claim: Claim, result: Reply | Failure, outcome: Outcome, fields: dict[str, Any]) -> Recording:
    made = exchange(**({"body": claim.body, "started_at": claim.due, "result": result} | fields))
    return Recording(claim, made, outcome, reason(made.result))


def exchange(body: bytes, status: int = 200, **fields: Any) -> Exchange:
    result = fields.get("result", Reply(status, [("content-type", "text/plain")], b"thanks"))
    given: dict[str, Any] = {
        "url": URL,
        "headers": {"content-type": "application/json"},
        "body": body,
        "started_at": NOW,
        "duration": 12.5,
        "result": result,
        "first_byte": 11.0 if isinstance(result, Reply) else None,
    }
    return Exchange(**(given | fields))
