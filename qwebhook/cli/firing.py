"""Test-fires from the command line: what to fire at what, and how the outcome is shown."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from qwebhook.cli.event_names import EventNames
from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.inputs import read_pairs, read_secret
from qwebhook.cli.previewing import held_back, preview
from qwebhook.cli.remote_endpoints import remote_endpoint, signing_endpoint, told_of_direct_fires
from qwebhook.cli.results import Column, Document, Listing, View
from qwebhook.cli.selection import Outcomes, read_pages
from qwebhook.cli.sending import timeout_seconds
from qwebhook.cli.session import Session
from qwebhook.cli.target_settings import allowed
from qwebhook.cli.trial_events import TrialEvents
from qwebhook.deliver.firing import FiringPlan, Shot, Volley, fire, summed_up
from qwebhook.deliver.sender import Sender
from qwebhook.deliver.targets import Allowed, Targets
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import InvalidInput
from qwebhook.model.signature import check_secret
from qwebhook.model.webhook import Webhook, check_headers
from qwebhook.store.contract import WebhookQuery

SHOWN_WIDTH = 60
Via = Literal["direct", "serve"]


class FiringOptions(msgspec.Struct, kw_only=True):
    """The options of test-fire, read and checked."""

    session: Session
    events: TrialEvents
    secret: str | None
    headers: dict[str, str]
    expect: int | None
    timeout: float
    count: int
    rate: float | None
    policy: AddressPolicy
    silent: bool
    via: Via
    allowed: Allowed
    names: EventNames

    @classmethod
    def read(
        cls,
        session: Session,
        events: TrialEvents,
        *,
        secret: str | None,
        headers: Sequence[str],
        expect: int | None,
        timeout: str | None,
        count: int,
        rate: float | None,
        allowed_networks: Sequence[str],
        silent: bool,
        via: Via | None,
        allow_exec: bool,
        allow_files: Sequence[Path],
        names_from: str | None,
    ) -> FiringOptions:
        """via: as given; None for what suits the store. Raises InvalidInput."""
        via = _chosen_way(session, via)
        if via == "serve":
            _refuse_what_the_server_decides(secret, headers, timeout, rate, allowed_networks, names_from)
        seconds = timeout_seconds(timeout)
        own_secret = read_secret(session, secret) if secret is not None else None
        if own_secret is not None:
            check_secret(own_secret)
        pairs = read_pairs(session, headers, "--header")
        check_headers("--header", pairs)
        return cls(
            session=session,
            events=events,
            secret=own_secret,
            headers=pairs,
            expect=expect,
            timeout=seconds,
            count=count,
            rate=rate,
            policy=AddressPolicy(session.allowed_networks(allowed_networks)),
            silent=silent,
            via=via,
            allowed=allowed(session, commands=allow_exec, folders=allow_files),
            names=EventNames(session, names_from),
        )


def _chosen_way(session: Session, given: Via | None) -> Via:
    """A qwebhook server sends itself; a database has none, and a tenant does not do it. Raises InvalidInput."""
    if not session.is_remote:
        return given or "direct"
    server = session.open_server()
    if server.is_qwebhook:
        return given or "serve"
    if given == "serve":
        raise InvalidInput(f"{server.name} is a tenant, which fires no test events", "fire with --via direct")
    return "direct"


def _refuse_what_the_server_decides(
    secret: str | None,
    headers: Sequence[str],
    timeout: str | None,
    rate: float | None,
    networks: Sequence[str],
    names_from: str | None,
) -> None:
    given = {
        "--secret": secret is not None,
        "--header": bool(headers),
        "--timeout": timeout is not None,
        "--rate": rate is not None,
        "--allow-network": bool(networks),
        "--names-from": names_from is not None,
    }
    names = [name for name, is_given in given.items() if is_given]
    if names:
        raise InvalidInput(
            f"{' and '.join(names)} cannot be given with --via serve, where the server sends as it does",
            "leave it out, or fire with --via direct",
        )


def targets(
    session: Session, references: Sequence[str], everything: bool, options: FiringOptions
) -> tuple[list[Endpoint], int]:
    """The webhooks to fire at, with what they sign with; and the exit code for those that are not found.

    Raises InvalidInput for neither names nor --all, or both.
    """
    if bool(references) == everything:
        if everything:
            raise InvalidInput("webhooks are named and --all is given", "give one of them")
        raise InvalidInput("no webhook is named", "name one, or give --all")
    store = session.open_store()
    found = Outcomes(session)
    if everything:
        enabled = read_pages(store.list_webhooks, WebhookQuery(enabled=True), None)
        # A mail is read, and a command does something: who wants that names the webhook.
        webhooks = [webhook for webhook in enabled if webhook.url.lower().startswith(("https:", "http:"))]
    else:
        for reference in references:
            found.attempt(reference, functools.partial(store.find_webhook, reference))
        webhooks = list({webhook.id: webhook for webhook in found.done}.values())
    if not webhooks and not found.exit_code and not options.silent:
        session.note("there is no enabled webhook to fire at")
    opened = Outcomes(session, found.exit_code)
    for webhook in webhooks:
        opened.attempt(webhook.name, functools.partial(_endpoint, session, webhook, options))
    endpoints: list[Endpoint] = opened.done
    if not options.silent:
        if endpoints and session.is_remote and options.via == "direct":
            session.note(told_of_direct_fires(session, endpoints, given=options.secret is not None))
        options.events.tell_unknown_type()
        for endpoint in endpoints:
            for reason in held_back(endpoint, options.events.event(endpoint)):
                session.note(f"{endpoint.webhook.name} would not get a real event like this: {reason}")
    return endpoints, opened.exit_code


def _endpoint(session: Session, webhook: Webhook, options: FiringOptions) -> Endpoint:
    """What to fire at, with what it signs with. Raises InvalidInput for a secret that nobody gives."""
    if not webhook.event_types and options.events.event_type is None:
        raise InvalidInput("it subscribes to no event type", "give one with --event")
    if session.is_remote:
        if options.via == "serve":
            return remote_endpoint(session, webhook, None)
        return signing_endpoint(session, webhook, options.secret, options.headers, told=not options.silent)
    opened = session.open_database().endpoint(webhook.id)
    if options.secret is None:
        return opened
    return Endpoint(opened.row, opened.version, webhook, [(options.secret, None)], opened.encrypted_headers)


def dry_run_document(endpoints: Sequence[Endpoint], options: FiringOptions, worst: int) -> Document:
    """The requests as they would be sent; the values of encrypted headers are omitted. worst: the exit code so far."""
    now = options.session.now_ms
    return Document(
        [
            preview(
                endpoint,
                options.events.event(endpoint),
                now,
                test=True,
                names=options.names,
                headers=options.headers,
            )
            for endpoint in endpoints
        ],
        exit_code=worst,
    )


def fire_all(session: Session, endpoints: Sequence[Endpoint], options: FiringOptions, worst: int) -> Listing | int:
    """Fire, directly or by the store's server, and show a line for each webhook. worst: the exit code so far."""
    start = time.perf_counter()
    shots: list[list[Shot]] = []
    if endpoints and options.via == "serve":
        from qwebhook.cli.server_firing import fire_by_server

        shots = fire_by_server(session, endpoints, options)
    elif endpoints:
        shots = asyncio.run(_fire_directly(session, endpoints, options))
    seconds = time.perf_counter() - start
    failed = [shot for volley in shots for shot in volley if not shot.ok]
    code = ExitCode.DELIVERY_FAILED if failed else ExitCode(worst)
    if options.silent:
        for name, reason in dict.fromkeys((shot.name, shot.reason) for shot in failed):
            session.error(f"test-fire {name}: {reason}")
        return code
    if options.count > 1:
        return Listing([summed_up(volley, seconds) for volley in shots], VOLLEYS, exit_code=code)
    return Listing([shot for volley in shots for shot in volley], SHOTS, exit_code=code)


async def _fire_directly(session: Session, endpoints: Sequence[Endpoint], options: FiringOptions) -> list[list[Shot]]:
    targets = Targets(Sender(options.policy, options.timeout), options.allowed)
    plan = FiringPlan(
        options.events.event,
        lambda: session.now_ms,
        count=options.count,
        rate=options.rate,
        expect=options.expect,
        headers=options.headers,
        names=options.names.of if options.names.asks else None,
    )
    try:
        return await fire(targets, endpoints, plan)
    finally:
        await targets.close()


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
