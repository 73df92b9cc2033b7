"""What is said of a certificate, and for how long it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

# By how much the clocks of others may differ from ours.
SKEW = timedelta(minutes=5)
# How long an answer without an end counts: it says that there may be a newer one at any time.
ENDLESS = timedelta(hours=1)
REASONS = {
    "keyCompromise": "key compromise",
    "cACompromise": "the authority's key was compromised",
    "affiliationChanged": "affiliation changed",
    "superseded": "superseded",
    "cessationOfOperation": "cessation of operation",
    "certificateHold": "on hold",
    "privilegeWithdrawn": "privilege withdrawn",
    "aACompromise": "the attribute authority's key was compromised",
}


class NotVouchedFor(Exception):
    """A certificate of the receiver's chain was revoked, or nobody tells whether it was."""


class Untold(Exception):
    """Why one of those who could be asked does not tell whether a certificate was revoked."""


class Good(msgspec.Struct, frozen=True):
    """It is not revoked. until: seconds since the epoch."""

    until: float


class Revoked(msgspec.Struct, frozen=True):
    """It was revoked on a day, for a reason in words, "" if none is given. until: seconds since the epoch."""

    until: float
    day: str
    why: str


class Unknown(msgspec.Struct, frozen=True):
    """Nobody tells. words: who was asked, and what came of it."""

    words: str


Verdict = Good | Revoked | Unknown


def holds_until(made: datetime, end: datetime | None, now: float) -> float:
    """When an answer ends that was made at a time (`thisUpdate`) and is good until another (`nextUpdate`).

    now, and the result: seconds since the epoch. Raises Untold if the answer does not hold now.
    """
    at = datetime.fromtimestamp(now, UTC)
    if made > at + SKEW:
        raise Untold(f"the answer is from the future ({made:%Y-%m-%d %H:%M} UTC)")
    last = (end if end is not None else made + ENDLESS) + SKEW
    if last < at:
        raise Untold(f"the answer is from {made:%Y-%m-%d %H:%M} UTC and out of date")
    return last.timestamp()


def revoked(at: datetime, reason: str | None, until: float) -> Revoked:
    """The verdict on a certificate that was revoked. reason: as the standards spell it (`keyCompromise`)."""
    return Revoked(until, f"{at:%Y-%m-%d}", REASONS.get(reason or "", ""))
