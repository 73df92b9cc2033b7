"""Backfills of a tenant's webhook: the service does not retry, so the command sends what it failed to, itself.

The tenant says what has arrived; what was sent from here it does not record, so that is remembered beside the
configuration, and a backfill that is run again goes on where it was.
"""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64encode
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from qwebhook.cli.backfilling import Backfill, BackfillPlan, open_log, read_log, stretch, view
from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.inputs import read_secret
from qwebhook.cli.remote_endpoints import signing_endpoint
from qwebhook.cli.results import Column, Listing
from qwebhook.cli.selection import read_pages
from qwebhook.cli.session import Session
from qwebhook.deliver.request import prepare
from qwebhook.deliver.sender import Sender
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Reply, reason
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import EventRejected, InvalidInput, QwebhookError
from qwebhook.model.event import Event, read_event
from qwebhook.model.signature import check_secret
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.model.webhook import Webhook
from qwebhook.source.audit_log import DAY
from qwebhook.source.backfill import Put
from qwebhook.store.contract import BackfillStep, DeliveryQuery

FOLDER = "backfilled"
# A receiver that takes nothing is left alone: each attempt may take long.
MOST_FAILURES_IN_A_ROW = 10
# How long the service keeps the records of its deliveries.
RECORDED = 7 * DAY


def backfill_directly(session: Session, plan: BackfillPlan) -> Listing:
    """Send what has no success on record, one after the other, and show the counts.

    Raises InvalidInput for a qwebhook server, and where the secret is needed and not known.
    """
    server = session.open_server()
    if server.is_qwebhook:
        raise InvalidInput(
            f"the queue of {server.name} is its own", "run the backfill on its machine, with --store naming its file"
        )
    webhook = server.find_webhook(plan.webhook)
    secret = read_secret(session, plan.secret) if plan.secret is not None else None
    if secret is not None:
        check_secret(secret)
    endpoint = signing_endpoint(session, webhook, secret, {}, told=True)
    audits = open_log(session, plan)
    now = audits.now()
    period = stretch(plan, now)
    known_from = now - RECORDED
    if period[0] < known_from:
        session.warn(
            f"{server.name} has records of seven days: what it delivered before {to_rfc3339(known_from)} is sent again"
        )
    done = Backfill(webhook_id=webhook.id, name=webhook.name, failed=0)
    sent = _Sent(session.settings.contexts_file.with_name(FOLDER) / webhook.id)
    with asyncio.Runner() as runner:
        sender = runner.run(_opened(session))
        try:
            had = _successes(session, webhook) | sent.keys

            def send(event: Event) -> bool:
                return runner.run(_send(session, sender, endpoint, event))

            put = _sending(plan, had, sent, send, done)
            read_log(session, plan, audits, period, endpoint, put, done)
        finally:
            sent.close()
            runner.run(sender.close())
    if done.enqueued and not plan.dry_run:
        session.note(f"sent from here, and recorded in {sent.path} and not by {server.name}")
    shown = view("WOULD BE SENT" if plan.dry_run else "SENT", [Column("FAILED", lambda one: one.failed, "number")])
    return Listing([done], shown, exit_code=ExitCode.DELIVERY_FAILED if done.failed else ExitCode.DONE)


async def _opened(session: Session) -> Sender:
    return Sender(AddressPolicy(session.allowed_networks()))


def _sending(plan: BackfillPlan, had: set[bytes], sent: _Sent, send: Callable[[Event], bool], done: Backfill) -> Put:
    in_a_row = 0

    def put(events: list[Event]) -> BackfillStep:
        nonlocal in_a_row
        step = BackfillStep(0, 0, 0, 0, [])
        for event in events:
            if event.key in had:
                step.delivered += 1
                continue
            had.add(event.key)
            step.enqueued += 1
            if plan.dry_run:
                continue
            if send(event):
                in_a_row = 0
                sent.add(event.key)
                continue
            done.failed = (done.failed or 0) + 1
            in_a_row += 1
            if in_a_row == MOST_FAILURES_IN_A_ROW:
                raise QwebhookError(
                    f"{done.name}: {in_a_row} deliveries in a row failed", "mend the receiver, and run it again"
                )
        return step

    return put


async def _send(session: Session, sender: Sender, endpoint: Endpoint, event: Event) -> bool:
    exchange = await sender.send(prepare(endpoint, event.key, event.type, event.body, session.now_ms))
    if isinstance(exchange.result, Reply) and 200 <= exchange.result.status < 300:
        return True
    session.error(f"{event.id} was not delivered: {reason(exchange.result)}")
    return False


def _successes(session: Session, webhook: Webhook) -> set[bytes]:
    """The keys of the events that the tenant has delivered, as far as its records go (seven days)."""
    query = DeliveryQuery(webhook_id=webhook.id, status="success", limit=100)
    keys = set()
    for delivery in read_pages(session.open_server().list_deliveries, query, None):
        try:
            keys.add(read_event(delivery.request.body.encode()).key)
        except EventRejected:
            continue
    return keys


class _Sent:
    """The events that were sent from here: their keys, one a line of a file that is made with the first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None
        try:
            lines = path.read_bytes().split()
        except OSError:
            lines = []
        self.keys = {decoded for line in lines if (decoded := _key(line)) is not None}

    def add(self, key: bytes) -> None:
        """Remember one; written at once, since whatever comes may end the run."""
        if self._file is None:
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = FileIO(self.path, "ab")
            except OSError as error:
                raise QwebhookError(f"{self.path} cannot be written: {error.strerror}") from None
        self._file.write(b64encode(key) + b"\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _key(line: bytes) -> bytes | None:
    """The key in a line; None for one that broke off."""
    try:
        key = binascii.a2b_base64(line, strict_mode=True)
    except binascii.Error:
        return None
    return key if len(key) == 16 else None
