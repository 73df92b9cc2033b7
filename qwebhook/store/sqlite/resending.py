"""What is sent outside the queue, a second time or as a test: read to be sent, and written down."""

from __future__ import annotations

from binascii import a2b_base64

from qwebhook.model.backoff import ATTEMPTS
from qwebhook.model.delivery import Delivered, Outcome, judge, reason
from qwebhook.model.errors import EventRejected, NotFound
from qwebhook.model.event import read_event
from qwebhook.model.trace import kept_trace
from qwebhook.store.contract import DirectAttempt, Original
from qwebhook.store.sqlite.batch import Batch
from qwebhook.store.sqlite.connection import Connection
from qwebhook.store.sqlite.history import History
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.rows import FINAL_STATES, attempt_columns, json_text
from qwebhook.store.sqlite.webhooks import Webhooks

_SQL = queries("replaying")


def original(connection: Connection, webhooks: Webhooks, webhook_id: str, delivery_id: str) -> Original:
    """See Journal.original."""
    with connection.snapshot():
        row = History(connection).row(webhook_id, delivery_id)
        event, test, sent = row[9], bool(row[8]), row[13]
        endpoint = webhooks.endpoint(webhooks.row(webhook_id)[0], tolerant=True)
        if not event:
            # A test-fire's event is nowhere but in its request, unless that had a message made of it.
            body = sent.encode()
            try:
                key = read_event(body).key
            except EventRejected:
                raise NotFound(
                    f"delivery {delivery_id} was a test-fire, of which the message is kept, and not the event",
                    "fire another with `qwebhook test-fire --via serve`",
                ) from None
            return Original(endpoint, 0, row[2], key, body, test)
        found = connection.execute(_SQL["event"], (event,)).fetchone()
    if found is None:
        raise NotFound(
            f"the event of delivery {delivery_id} is not kept any longer, so that it cannot be sent again",
            "events are kept as long as `qwebhook serve --retention` says",
        )
    kind, key, body, trace = found
    return Original(endpoint, event, kind, a2b_base64(key), body, test, kept_trace(trace))


def write(connection: Connection, attempt: DirectAttempt, sequence: int, triggered_at: int) -> Outcome:
    """Write a direct attempt down as a delivery, within a transaction; how it ended: Delivered, Dead or Gone."""
    exchange = attempt.exchange
    # No other attempt follows, as after the last of a delivery.
    outcome = judge(exchange.result, ATTEMPTS, triggered_at, 0.0)
    status = "success" if isinstance(outcome, Delivered) else "fail"
    state = FINAL_STATES[type(outcome)]
    values = (sequence, attempt.webhook, attempt.event, attempt.type, status, state, triggered_at, attempt.test)
    connection.execute(_SQL["insert_direct"], values)
    kept = connection.execute(_SQL["has_body"], (attempt.event, exchange.body)).fetchone() is not None
    batch = Batch()
    batch.attempts.append(attempt_columns(sequence, 1, exchange, state, reason(exchange.result), with_body=not kept))
    batch.write(connection)
    keep_events(connection, [attempt.event], triggered_at)
    return outcome


def keep_events(connection: Connection, rows: list[int], now: int) -> None:
    """Keep events as long as the record of what is sent of them now (ms); row 0 is none."""
    connection.execute(_SQL["keep_events"], (json_text(rows), now))
