"""Test-fires from the command line: what to fire at what, and how the outcome is shown."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.inputs import read_bytes, read_pairs, read_secret
from qwebhook.cli.results import Column, Document, Listing, View
from qwebhook.cli.selection import Outcomes, read_pages
from qwebhook.cli.session import Session
from qwebhook.deliver.firing import FiringPlan, Shot, Volley, fire, summed_up
from qwebhook.deliver.request import prepare
from qwebhook.deliver.sender import Sender
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import InvalidInput
from qwebhook.model.event import Event, is_well_formed_type
from qwebhook.model.identifiers import random_id
from qwebhook.model.sample_events import trial_event
from qwebhook.model.signature import check_secret
from qwebhook.model.timestamps import duration_seconds, to_rfc3339
from qwebhook.model.webhook import check_headers
from qwebhook.store.contract import WebhookQuery

SHOWN_WIDTH = 60


class FiringOptions(msgspec.Struct, kw_only=True):
    """The options of test-fire, read and checked."""

    session: Session
    event_type: str | None
    content: object
    settings: Sequence[str]
    secret: str | None
    headers: dict[str, str]
    expect: int | None
    timeout: float
    count: int
    rate: float | None
    policy: AddressPolicy
    silent: bool

    @classmethod
    def read(
        cls,
        session: Session,
        *,
        event: str | None,
        data: str | None,
        settings: Sequence[str],
        secret: str | None,
        headers: Sequence[str],
        expect: int | None,
        timeout: str,
        count: int,
        rate: float | None,
        allowed_networks: Sequence[str],
        silent: bool,
    ) -> FiringOptions:
        """Raises InvalidInput."""
        if event is not None and not is_well_formed_type(event):
            raise InvalidInput(f"--event {event!r} is not a well-formed event type")
        seconds = duration_seconds(timeout)
        if not 0 < seconds <= 600:
            raise InvalidInput(f"--timeout {timeout} is not between 0 and 10 minutes")
        own_secret = read_secret(session, secret) if secret is not None else None
        if own_secret is not None:
            check_secret(own_secret)
        pairs = read_pairs(session, headers, "--header")
        check_headers("--header", pairs)
        return cls(
            session=session,
            event_type=event,
            content=_content(session, data),
            settings=settings,
            secret=own_secret,
            headers=pairs,
            expect=expect,
            timeout=seconds,
            count=count,
            rate=rate,
            policy=AddressPolicy(session.allowed_networks(allowed_networks)),
            silent=silent,
        )

    def event(self, endpoint: Endpoint) -> Event:
        """A new event for the endpoint. Raises InvalidInput, EventRejected."""
        webhook = endpoint.webhook
        now = self.session.now_ms
        unique = random_id(now, os.urandom(10))
        # Of level user, it is an event of that user, as it would be in real life.
        own = [f"{name}={msgspec.json.encode(webhook.owner_id).decode()}" for name in ("userid", "ownerid")]
        settings = [*(own if webhook.level == "user" else ()), *self.settings]
        return trial_event(self.event_type or webhook.event_types[0], unique, to_rfc3339(now), self.content, settings)


def _content(session: Session, data: str | None) -> object:
    """The JSON of --data, which is JSON itself, a file, or - for stdin."""
    if data is None:
        return msgspec.UNSET
    text: bytes | str = data
    if data == "-" or (not data.lstrip().startswith(("{", "[", '"')) and Path(data).expanduser().exists()):
        text = read_bytes(session, data, "--data")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"--data is neither JSON nor a file: {error}") from None


def targets(
    session: Session, references: Sequence[str], everything: bool, options: FiringOptions
) -> tuple[list[Endpoint], int]:
    """The webhooks to fire at, with what they sign with; and the exit code for those that are not found.

    Raises InvalidInput for neither names nor --all, or both.
    """
    if bool(references) == everything:
        raise InvalidInput("name webhooks, or give --all" if everything else "no webhook is named")
    store = session.open_store()
    found = Outcomes(session)
    if everything:
        identifiers = [one.id for one in read_pages(store.list_webhooks, WebhookQuery(enabled=True), None)]
    else:
        for reference in references:
            found.attempt(reference, functools.partial(store.find_webhook, reference))
        identifiers = list(dict.fromkeys(webhook.id for webhook in found.done))
    endpoints = [store.endpoint(identifier) for identifier in identifiers]
    if not endpoints and not found.exit_code and not options.silent:
        session.note("there is no enabled webhook to fire at")
    if options.secret is not None:
        endpoints = [
            Endpoint(one.row, one.version, one.webhook, [options.secret], one.encrypted_headers) for one in endpoints
        ]
    if not options.silent:
        for endpoint in endpoints:
            _tell_differences(session, endpoint, options)
    return endpoints, found.exit_code


def _tell_differences(session: Session, endpoint: Endpoint, options: FiringOptions) -> None:
    """Say where a real event would fare otherwise than this one."""
    webhook, event = endpoint.webhook, options.event(endpoint)
    if not webhook.enabled:
        session.note(f"{webhook.name} is disabled: it gets this test, and no events")
    if endpoint.filter is not None and not endpoint.filter.matches(event):
        session.note(f"{webhook.name}: its filter would keep this event back; it is sent all the same")


def dry_run_document(endpoints: Sequence[Endpoint], options: FiringOptions) -> Document:
    """The requests as they would be sent; the values of encrypted headers are omitted."""
    requests: list[dict[str, Any]] = []
    for endpoint in endpoints:
        event = options.event(endpoint)
        request = prepare(endpoint, event.key, event.type, event.body, options.session.now_ms, test=True)
        requests.append(
            {
                "webhookId": endpoint.webhook.id,
                "method": "POST",
                "url": request.url,
                "headers": {**request.shown, **options.headers},
                "body": msgspec.json.decode(request.body),
            }
        )
    return Document(requests)


def fire_all(session: Session, endpoints: Sequence[Endpoint], options: FiringOptions, worst: int) -> Listing | int:
    """Fire, and show a line for each webhook."""

    async def run() -> tuple[list[list[Shot]], float]:
        sender = Sender(options.policy, options.timeout)
        plan = FiringPlan(
            options.event,
            lambda: session.now_ms,
            count=options.count,
            rate=options.rate,
            expect=options.expect,
            headers=options.headers,
        )
        start = time.perf_counter()
        try:
            return await fire(sender, endpoints, plan), time.perf_counter() - start
        finally:
            await sender.close()

    shots, seconds = asyncio.run(run()) if endpoints else ([], 0.0)
    failed = [shot for volley in shots for shot in volley if not shot.ok]
    code = ExitCode.DELIVERY_FAILED if failed else ExitCode(worst)
    if options.silent:
        for name, reason in dict.fromkeys((shot.name, shot.reason) for shot in failed):
            session.error(f"test-fire {name}: {reason}")
        return code
    if options.count > 1:
        return Listing([summed_up(volley, seconds) for volley in shots], VOLLEYS, exit_code=code)
    return Listing([shot for volley in shots for shot in volley], SHOTS, exit_code=code)


def _start_of_response(shot: Shot) -> str:
    text = " ".join(shot.response.body.split()) if shot.response else ""
    return text if len(text) <= SHOWN_WIDTH else text[: SHOWN_WIDTH - 1] + "…"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} ms"


SHOTS = View(
    columns=[
        Column("WEBHOOK", lambda shot: shot.name),
        Column("RESULT", lambda shot: "ok" if shot.ok else "failed", "status"),
        Column("STATUS", lambda shot: shot.reason),
        Column("FIRST BYTE", lambda shot: _ms(shot.first_byte), "number"),
        Column("TOTAL", lambda shot: _ms(shot.duration), "number"),
        Column("RESPONSE", _start_of_response),
    ],
    identifier=lambda shot: shot.event_id,
    fields=Shot.__struct_encode_fields__,
)
VOLLEYS = View(
    columns=[
        Column("WEBHOOK", lambda volley: volley.name),
        Column("FIRED", lambda volley: volley.count, "number"),
        Column("FAILED", lambda volley: volley.failed, "number"),
        Column("RATE", lambda volley: f"{volley.rate:g}/s", "number"),
        Column("P50", lambda volley: _ms(volley.duration.p50), "number"),
        Column("P90", lambda volley: _ms(volley.duration.p90), "number"),
        Column("P99", lambda volley: _ms(volley.duration.p99), "number"),
        Column("MAX", lambda volley: _ms(volley.duration.maximum), "number"),
        Column("OUTCOMES", lambda volley: ", ".join(f"{count}× {why}" for why, count in volley.reasons.items())),
    ],
    identifier=lambda volley: volley.webhook_id,
    fields=Volley.__struct_encode_fields__,
)
