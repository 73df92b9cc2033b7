"""Keeping what is secret out of records: a receiver may send back what it was sent."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from qwebhook.model.delivery import Reply
from qwebhook.model.webhook import OMITTED

# Shorter ones are no secrets, and would be found everywhere.
SHORTEST = 4


def without(reply: Reply, values: Iterable[str]) -> Reply:
    """The reply with OMITTED in place of each of the values, as they are and as JSON text writes them; also in place of
    the beginning of one at which a body that was not read to its end breaks off.
    """
    headers, body = reply.headers, reply.body
    for value in sorted((one for one in values if len(one) >= SHORTEST), key=len, reverse=True):
        for form in {value, msgspec.json.encode(value).decode()[1:-1]}:
            headers = [(name, text.replace(form, OMITTED)) for name, text in headers]
            body = body.replace(form.encode(), OMITTED.encode())
            if reply.truncated:
                body = _without_end(body, form.encode())
    return Reply(reply.status, headers, body, reply.truncated)


def _without_end(body: bytes, value: bytes) -> bytes:
    for length in range(len(value) - 1, SHORTEST - 1, -1):
        if body.endswith(value[:length]):
            return body[:-length] + OMITTED.encode()
    return body
