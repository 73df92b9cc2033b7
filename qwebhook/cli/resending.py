"""Resends from the command line: which deliveries, and how what came of each is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.own_journal import own_journal
from qwebhook.cli.results import Column, Listing, View
from qwebhook.cli.selection import Outcomes, read_pages
from qwebhook.cli.session import Session
from qwebhook.cli.views import DELIVERIES, DELIVERIES_OF_WEBHOOK
from qwebhook.deliver.direct import resend
from qwebhook.deliver.sender import Sender
from qwebhook.deliver.targets import Allowed, Targets
from qwebhook.deliver.writer import Run
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Delivery
from qwebhook.model.errors import QwebhookError
from qwebhook.model.timestamps import from_rfc3339
from qwebhook.model.webhook import Webhook
from qwebhook.store.contract import DeliveryQuery

# As many as the server starts with, so that a receiver meets no more than it is used to.
IN_FLIGHT = 10


def failed_deliveries(session: Session, webhook: Webhook, since: int | None) -> list[str]:
    """The ids of the webhook's deliveries that have failed, in order of arrival: the latest of each event, if that is
    a failure. Those that are still retried and test-fires are left out.

    since: milliseconds since the epoch, when the delivery was triggered.
    """
    store = session.open_store()
    seen: set[str] = set()
    failed: list[str] = []
    retried = 0
    for delivery in read_pages(store.list_deliveries, DeliveryQuery(webhook_id=webhook.id), None):
        if since is not None and from_rfc3339(delivery.triggered_at) < since:
            break
        progress = delivery.qwebhook
        if progress.test or progress.event_id in seen:
            continue
        seen.add(progress.event_id)
        if progress.state == "retrying":
            retried += 1
        elif delivery.status == "fail":
            failed.append(delivery.id)
    if retried:
        session.note(f"{retried} {'is' if retried == 1 else 'are'} being retried, and left out")
    if not failed:
        session.note("no delivery is to be sent again")
    return failed[::-1]


def resend_all(
    session: Session,
    webhook: Webhook,
    delivery_ids: Sequence[str],
    policy: AddressPolicy,
    seconds: float,
    allowed: Allowed,
) -> Listing:
    """Send each again, and show the new record of each. seconds: how long an answer may take."""
    attempted: list[str | QwebhookError] = []

    def make() -> Targets:
        return Targets(Sender(policy, seconds), allowed)

    if delivery_ids:
        with own_journal(session) as run:
            attempted = asyncio.run(_resend_all(session, run, webhook, delivery_ids, make))
    outcomes = Outcomes(session)
    for delivery_id, result in zip(delivery_ids, attempted, strict=True):
        outcomes.attempt(delivery_id, partial(_record, session, webhook, result))
    return _listing(outcomes, _view(session))


def resend_by_server(session: Session, webhook: Webhook, delivery_ids: Sequence[str]) -> Listing:
    """Let the server that is the store send each again, one after the other, and show the new record of each."""
    server = session.open_server()
    outcomes = Outcomes(session)
    for delivery_id in delivery_ids:
        outcomes.attempt(delivery_id, partial(server.resend, webhook.id, delivery_id))
    return _listing(outcomes, DELIVERIES_OF_WEBHOOK)


def _listing(outcomes: Outcomes, view: View) -> Listing:
    failed = any(delivery.status == "fail" for delivery in outcomes.done)
    code = max(outcomes.exit_code, ExitCode.DELIVERY_FAILED if failed else ExitCode.DONE)
    return Listing(outcomes.done, view, exit_code=code)


async def _resend_all(
    session: Session, run: Run, webhook: Webhook, delivery_ids: Sequence[str], make: Callable[[], Targets]
) -> list[str | QwebhookError]:
    """The new id for each of them, or why there is none. make: what they are sent through, within the loop."""
    targets = make()
    slots = asyncio.Semaphore(1 if webhook.strict else min(webhook.qwebhook.concurrency or IN_FLIGHT, IN_FLIGHT))

    async def resend_in_slot(delivery_id: str) -> str | QwebhookError:
        async with slots:
            try:
                return await resend(run, targets, lambda: session.now_ms, webhook.id, delivery_id)
            except QwebhookError as error:
                return error

    try:
        return list(await asyncio.gather(*map(resend_in_slot, delivery_ids)))
    finally:
        await targets.close()


def _record(session: Session, webhook: Webhook, result: str | QwebhookError) -> Delivery:
    if isinstance(result, QwebhookError):
        raise result
    return session.open_database().get_delivery(webhook.id, result)


def _view(session: Session) -> View:
    store = session.open_database()

    def duration(delivery: Delivery) -> str:
        return f"{store.list_attempts(delivery.webhook_id, delivery.id)[-1].duration:.1f} ms"

    return View(
        columns=[
            Column("ID", lambda delivery: delivery.id),
            Column("EVENT", lambda delivery: delivery.event_type, spare=True),
            Column("STATUS", lambda delivery: delivery.status, "status"),
            Column("TRIGGERED", lambda delivery: delivery.triggered_at, "time"),
            Column("TOTAL", duration, "number"),
            Column("MESSAGE", lambda delivery: delivery.status_message),
        ],
        identifier=DELIVERIES.identifier,
        fields=DELIVERIES.fields,
    )
