"""A delivery, its attempts, and how an attempt ends.

An attempt runs into a `Reply` or a `Failure`; `judge` makes of it one of four outcomes, which say what happens next:

    Delivered    the receiver has it
    RetryAt      it is tried again at a time
    Dead         the last attempt has failed; it can be sent again by hand
    Gone         the receiver says 410: this delivery is dead and its webhook disabled
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from qwebhook.model.backoff import SCHEDULE, parse_retry_after, retry_delay

FailureKind = Literal["dns", "connect", "tls", "timeout", "protocol", "address refused", "invalid", "template"]
State = Literal["delivered", "retrying", "dead", "gone", "cancelled"]
Status = Literal["success", "fail"]

THROTTLED = frozenset({429, 503})
DISABLED_EVENT = "com.qwebhook.webhook.disabled"
DISABLE_AFTER = 5 * 86_400_000
DISABLE_FAILURES = 5


class Reply(msgspec.Struct, frozen=True, gc=False):
    """An HTTP response: its status line and headers, and the start of its body (16 KiB at most)."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    truncated: bool = False


class Failure(msgspec.Struct, frozen=True, gc=False):
    """No response: of which kind, and why in words a person understands."""

    kind: FailureKind
    reason: str


class Settled(msgspec.Struct, frozen=True, gc=False):
    """What came of a target that is not HTTP.

    verdict: it is done; may be tried again; or never will be. words: why, for people. code: of the mail server, or the
    exit code of the command; None if there is none. output: what it said.
    """

    verdict: Literal["done", "again", "never"]
    words: str
    code: int | None = None
    output: str = ""


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """One request and what came of it. Times are milliseconds; `first_byte` is None when none came."""

    url: str
    headers: dict[str, str]
    body: bytes
    started_at: int
    duration: float
    result: Reply | Failure | Settled
    first_byte: float | None = None


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """The receiver answered 2xx."""


class RetryAt(msgspec.Struct, frozen=True, gc=False):
    """The attempt failed and the next is due at `due` (milliseconds since the epoch).

    asked: whether a Retry-After decided that.
    """

    due: int
    asked: bool = False


class Dead(msgspec.Struct, frozen=True, gc=False):
    """No attempt is left."""


class Gone(msgspec.Struct, frozen=True, gc=False):
    """The receiver answered 410 and wants no more."""


Outcome = Delivered | RetryAt | Dead | Gone


def judge(
    result: Reply | Failure | Settled,
    attempt: int,
    now: int,
    randomness: float,
    schedule: Sequence[float] | None = None,
) -> Outcome:
    """What follows from the result of attempt number `attempt` (from 1), which ended at `now` (ms since the epoch).

    randomness: uniform in [0, 1). Redirects are failures: following one would hand the event to an address that
    nobody configured. schedule: the webhook's own, of seconds before each retry; None: that of all.
    """
    retry_after = None
    if isinstance(result, Settled) and result.verdict != "again":
        return Delivered() if result.verdict == "done" else Dead()
    if isinstance(result, Failure) and result.kind == "template":
        return Dead()  # it would fail again
    if isinstance(result, Reply):
        if 200 <= result.status < 300:
            return Delivered()
        if result.status == 410:
            return Gone()
        for name, value in result.headers:
            if name.lower() == "retry-after":
                retry_after = parse_retry_after(value, now / 1000)
                break
    delay = retry_delay(attempt, randomness, retry_after, SCHEDULE if schedule is None else schedule)
    if delay is None:
        return Dead()
    return RetryAt(now + round(delay * 1000), retry_after is not None)


def reason(result: Reply | Failure | Settled) -> str:
    """Why an attempt ended as it did: `status 503`, `timeout: no answer within 15 s`, or `status 200`."""
    if isinstance(result, Failure):
        # Not only a template may be what an event does not suit; the words say what it is.
        return result.reason if result.kind == "template" else f"{result.kind}: {result.reason}"
    if isinstance(result, Settled):
        return result.words
    if 300 <= result.status < 400:
        return f"status {result.status}: redirects are not followed"
    return f"status {result.status}"


def failed_for_too_long(failing_since: int, failures: int, now: int) -> bool:
    """Whether a webhook is to be disabled: `failures` attempts in a row, none succeeding since `failing_since` (ms)."""
    return failures >= DISABLE_FAILURES and now - failing_since >= DISABLE_AFTER


class DeliveryRequest(msgspec.Struct, kw_only=True):
    """What was sent; the values of encrypted headers read `**OMITTED**`."""

    url: str
    headers: dict[str, str]
    body: str


class DeliveryResponse(msgspec.Struct, kw_only=True, rename="camel"):
    """What was answered."""

    status_code: int
    headers: dict[str, str]
    body: str


class DeliveryProgress(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """What qwebhook tells beyond the service's fields, under `qwebhook`."""

    state: State
    attempts: int
    event_id: str
    next_attempt_at: str | None = None
    test: bool = False


class Attempt(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """One attempt of a delivery. Times are milliseconds."""

    number: int
    started_at: str
    duration: float
    outcome: str
    reason: str
    request: DeliveryRequest
    first_byte: float | None = None
    response: DeliveryResponse | None = None


class Delivery(msgspec.Struct, kw_only=True, rename="camel"):
    """The record of one event on its way to one webhook, as the REST API shows it; it speaks of the latest attempt."""

    id: str
    webhook_id: str
    event_type: str
    status: Status
    status_message: str
    triggered_at: str
    request: DeliveryRequest
    response: DeliveryResponse | None
    qwebhook: DeliveryProgress
