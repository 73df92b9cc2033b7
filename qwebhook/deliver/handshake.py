"""Asking a receiver for its consent, before a webhook that points to it is made (see `model/consent.py`)."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import urlsplit

from qwebhook.deliver.request import USER_AGENT, PreparedRequest
from qwebhook.deliver.sender import Sender
from qwebhook.model.consent import (
    ALLOWED_ORIGIN,
    ALLOWED_RATE,
    ANY,
    REQUEST_ORIGIN,
    REQUEST_RATE,
    lower_rate,
    read_rate,
)
from qwebhook.model.delivery import Reply, reason
from qwebhook.model.errors import QwebhookError


class NoConsent(QwebhookError):
    """A receiver was asked whether it takes events, and did not say that it does."""

    exit_code = 7
    code = "QWH-NO-CONSENT"


async def ask_consent(
    sender: Sender, url: str, origin: str, rate: int | None, check_revocation: bool = False
) -> int | None:
    """Ask whether events may be delivered to a URL.

    origin: the name that the sender goes by, which every delivery then carries. rate: how many deliveries a minute are
    asked for; None asks for none in particular. check_revocation: as for the deliveries that are to come. The rate that
    is allowed, the lower of the two; None: any number. Raises NoConsent, also when nobody is there.
    """
    headers = {"User-Agent": USER_AGENT, REQUEST_ORIGIN: origin}
    if rate is not None:
        headers[REQUEST_RATE] = str(rate)
    exchange = await sender.send(PreparedRequest(url, headers, headers, b"", "OPTIONS", check_revocation))
    result = exchange.result
    if not isinstance(result, Reply):
        _refuse(url, reason(result))
    answer = {name.lower(): value.strip() for name, value in result.headers}
    # The status alone is no consent: many answer OPTIONS with 200 who know nothing of this.
    if not 200 <= result.status < 300:
        _refuse(url, f"it answered {reason(result)}")
    allowed = answer.get(ALLOWED_ORIGIN.lower())
    if allowed is None:
        _refuse(url, f"it answered {reason(result)} without {ALLOWED_ORIGIN}")
    if allowed != ANY and allowed.lower() != origin.lower():
        _refuse(url, f"it allows {allowed[:100]!r} and not {origin!r}")
    granted = answer.get(ALLOWED_RATE.lower(), ANY)
    try:
        return lower_rate(rate, read_rate(granted))
    except ValueError:
        _refuse(url, f"its {ALLOWED_RATE} {granted[:100]!r} is neither a number of requests a minute nor {ANY}")


def _refuse(url: str, why: str) -> NoReturn:
    # The host alone: the rest of a URL may carry a secret.
    raise NoConsent(
        f"{urlsplit(url).hostname} does not consent to deliveries from here: {why}",
        "without --handshake the webhook is made unasked",
    )
