"""The consent of a delivery target: what a sender asks before it delivers, and what a target answers.

Source: HTTP 1.1 Web Hooks for Event Delivery 1.0.2 (a CloudEvents specification), section 4, "Abuse protection".
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

REQUEST_ORIGIN = "WebHook-Request-Origin"
REQUEST_RATE = "WebHook-Request-Rate"
ALLOWED_ORIGIN = "WebHook-Allowed-Origin"
ALLOWED_RATE = "WebHook-Allowed-Rate"
ANY = "*"
# The highest number of deliveries a minute that a webhook can be held to; beyond it there is no limit.
MOST_PER_MINUTE = 1_000_000
_ORIGIN = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


def is_origin(text: str) -> bool:
    """Whether the text can name a sender: a DNS name such as `events.example.com`."""
    return _ORIGIN.fullmatch(text) is not None


def read_rate(text: str) -> int | None:
    """A rate in deliveries a minute; None for `*`, any number. Raises ValueError for anything else."""
    text = text.strip()
    if text == ANY:
        return None
    if not text.isascii() or not text.isdigit() or not text.strip("0"):
        raise ValueError(text)
    # More digits than any rate has would be too many for int().
    rate = int(text) if len(text) < 10 else MOST_PER_MINUTE + 1
    return rate if rate <= MOST_PER_MINUTE else None


def lower_rate(*rates: int | None) -> int | None:
    """The lowest of rates, of which None is any number."""
    return min((rate for rate in rates if rate is not None), default=None)


class Consenting(msgspec.Struct, frozen=True):
    """Whom a target lets deliver to it.

    origins: names of senders, or `*` for all of them. rate: deliveries a minute; None: any number.
    """

    origins: Collection[str] = ()
    rate: int | None = None

    def answer(self, origin: str, rate: str) -> dict[str, str]:
        """The headers that consent; empty for a sender that may not deliver.

        origin, rate: the headers that ask, "" where they are missing. A rate that cannot be read was not asked for.
        """
        if not origin:
            return {}
        if ANY in self.origins:
            allowed = ANY
        elif origin.lower() in [one.lower() for one in self.origins]:
            allowed = origin
        else:
            return {}
        try:
            asked = read_rate(rate)
        except ValueError:
            asked = None
        granted = lower_rate(asked, self.rate)
        return {ALLOWED_ORIGIN: allowed, ALLOWED_RATE: ANY if granted is None else str(granted)}
