"""Looking for what is wrong in a store file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from qwebhook.model.errors import StoreDamaged, StoreKeyProblem
from qwebhook.store.sqlite.connection import Connection
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.sealing import Seals

_SQL = queries("checking")
_BACKUP = "restore the store from a backup"
# What to say of the number of rows that a query finds, unless it is 0.
_COUNTED = {
    "pending_without_event": f"pending deliveries without their event, which cannot be sent: {{}}; {_BACKUP}",
    "pending_without_webhook": f"pending deliveries of no webhook, which are not sent: {{}}; {_BACKUP}",
    "deliveries_without_attempt": f"deliveries without their attempt, which no list shows: {{}}; {_BACKUP}",
    "retries_that_do_not_wait": "deliveries to be retried that are not in the queue: {}; send them with `resend`",
    "numbers_given_out_again": f"rows whose numbers would be given to others: {{}}; {_BACKUP}",
    "wrong_facets": f"entries by which webhooks are listed wrongly: {{}}; {_BACKUP}",
    "wrong_counts": f"webhooks whose deliveries are counted wrongly: {{}}; {_BACKUP}",
}


class StoreCheck(msgspec.Struct):
    """problems: a line for each, what is wrong and what to do. figures: how much there is, by what it is."""

    problems: list[str]
    figures: dict[str, int]


def check(connection: Connection) -> StoreCheck:
    """Look at the whole store as it is at one moment; it is only read, and may be served meanwhile."""
    found = StoreCheck([], {})
    try:
        with connection.snapshot():
            found.figures["version"] = connection.execute(_SQL["version"]).fetchone()[0]
            lines = [line for (line,) in connection.execute(_SQL["integrity"])]
            if lines != ["ok"]:
                found.problems += [f"the database is damaged: {line}; {_BACKUP}" for line in lines]
                return found
            found.figures |= dict(connection.execute(_SQL["figures"]).fetchall())
            for name, words in _COUNTED.items():
                count = connection.execute(_SQL[name]).fetchone()[0]
                if count:
                    found.problems.append(words.format(count))
            found.problems += _unopened(connection)
    except StoreDamaged as error:
        found.problems.append(str(error))
    return found


def _unopened(connection: Connection) -> Iterator[str]:
    """What is sealed and the key does not open."""
    seals = Seals(connection.vault)

    def opens(open_one: Callable[[str, bytes], object], identifier: str, sealed: bytes | None) -> bool:
        try:
            if sealed is not None:
                open_one(identifier, sealed)
        except StoreKeyProblem:
            return False
        return True

    for identifier, name, secrets, headers in connection.execute(_SQL["sealed_webhooks"]):
        if not opens(seals.open_secrets, identifier, secrets):
            update = f"qwebhook update {identifier} --secret generate"
            yield f"the secret of webhook {name} cannot be opened; `{update}` replaces it"
        if not opens(seals.open_headers, identifier, headers):
            yield f"the encrypted headers of webhook {name} cannot be opened; give them to {identifier} again"
    for identifier, name, secrets in connection.execute(_SQL["sealed_inbounds"]):
        if not opens(seals.open_inbound, identifier, secrets):
            yield f"the secrets of inbound {name} cannot be opened; remove {identifier} and add it again"
