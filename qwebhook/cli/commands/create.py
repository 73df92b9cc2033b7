"""`qwebhook create`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwebhook.cli.fields import (
    DescriptionOption,
    EncryptedHeaderOption,
    EventOption,
    FileOption,
    FilterOption,
    HeaderOption,
    LevelOption,
    OwnerOption,
    SecretOption,
    UrlOption,
    given_fields,
    given_settings,
    takes_settings,
)
from qwebhook.cli.inputs import GENERATE
from qwebhook.cli.results import Single
from qwebhook.cli.session import Session, session_of
from qwebhook.model.errors import InvalidInput

if TYPE_CHECKING:
    from qwebhook.model.webhook import Webhook
    from qwebhook.store.contract import Administration

EXAMPLES = """
qwebhook create reports --url https://example.com/hook --event com.qlik.v1.app.reload.finished
qwebhook create failed --url https://example.com/hook --event com.qlik.v1.app.reload.finished \\
    --filter 'data.status eq "error"' --secret generate
qwebhook create crm --url https://example.com/crm --event com.qlik.v1.user.created \\
    --encrypted-header Authorization=env:CRM_AUTHORIZATION --if-not-exists
qwebhook create partner --url https://example.com/events --event com.qlik.v1.app.created --handshake
qwebhook create -f webhook.json
"""
_HANDSHAKE = "Consent of the receiver"

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
@takes_settings
def create(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Its name, unless -f gives it.", show_default=False)
    ] = None,
    url: UrlOption = None,
    event: EventOption = None,
    description: DescriptionOption = None,
    event_filter: FilterOption = None,
    level: LevelOption = None,
    owner: OwnerOption = None,
    header: HeaderOption = None,
    encrypted_header: EncryptedHeaderOption = None,
    secret: SecretOption = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Make it disabled.")] = False,
    cloud_events: Annotated[
        bool, typer.Option("--cloud-events", help="Convert events in Qlik's older form to CloudEvents 1.0.")
    ] = False,
    check_certificate_revocation: Annotated[
        bool,
        typer.Option(
            "--check-certificate-revocation",
            help="Send nothing to a receiver whose certificate was revoked, or of which nobody tells whether it was.",
        ),
    ] = False,
    file: FileOption = None,
    if_not_exists: Annotated[
        bool, typer.Option("--if-not-exists", help="Leave a webhook of this name as it is, and show it.")
    ] = False,
    handshake: Annotated[
        bool,
        typer.Option(
            "--handshake",
            help="Make it only if the receiver consents, asked as CloudEvents webhooks ask; exit code 7 if not.",
            rich_help_panel=_HANDSHAKE,
        ),
    ] = False,
    handshake_origin: Annotated[
        str | None,
        typer.Option(
            "--handshake-origin",
            metavar="NAME",
            help="The name to ask under, which every delivery then carries. Default: this machine's.",
            rich_help_panel=_HANDSHAKE,
        ),
    ] = None,
    handshake_rate: Annotated[
        int | None,
        typer.Option(
            "--handshake-rate",
            metavar="N",
            help="How many deliveries a minute to ask for. Default: --rate-per-minute.",
            rich_help_panel=_HANDSHAKE,
        ),
    ] = None,
    allow_network: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-network",
            metavar="NETWORK",
            help="Ask at these addresses too, beyond the public ones: loopback, private, or a CIDR. "
            "[env: QWEBHOOK_ALLOW_NETWORK]",
            rich_help_panel=_HANDSHAKE,
        ),
    ] = None,
    *,
    settings: dict[str, Any],
) -> Single:
    """Make a webhook.

    It is enabled unless --disabled is given. With -f the fields come from a file that holds the body of the REST
    API's create; options go before what the file says, and headers and columns are added to its own.
    """
    from qwebhook.cli.advice import advice
    from qwebhook.cli.bodies import draft_from, read_body, with_fields, with_settings
    from qwebhook.cli.views import WEBHOOKS

    session = session_of(ctx)
    if not handshake and (handshake_origin is not None or handshake_rate is not None or allow_network):
        raise InvalidInput("--handshake-origin, --handshake-rate and --allow-network are for --handshake")
    fields: dict[str, Any] = {"enabled": True}
    if file is not None:
        fields |= read_body(session, file)
    given = given_fields(
        session,
        name=name,
        url=url,
        event=event,
        description=description,
        event_filter=event_filter,
        level=level,
        owner=owner,
        header=header,
        encrypted_header=encrypted_header,
        secret=secret,
    )
    fields = with_fields(fields, given)
    switches = {
        "enabled": (disabled, False),
        "enableCloudEventDelivery": (cloud_events, True),
        "checkCertificateRevocation": (check_certificate_revocation, True),
    }
    fields |= {field: value for field, (is_given, value) in switches.items() if is_given}
    members = given_settings(session, settings)
    # A body's `qwebhook` that is no object is refused with the other fields.
    if members and isinstance(fields.setdefault("qwebhook", {}), dict):
        fields["qwebhook"] = with_settings(fields["qwebhook"], members)
    draft = draft_from(fields)
    if not draft.event_types:
        raise InvalidInput("no event type is named, so that the webhook would get nothing", "name one with --event")

    warnings = advice(session, draft.url, draft.event_types)
    store = session.open_store(create=True)
    if handshake and session.is_remote and not session.open_server().is_qwebhook:
        raise InvalidInput(
            f"{session.open_server().name} is a tenant, which keeps to no receiver's consent", "leave out --handshake"
        )
    present = _named(store, draft.name)
    if present is not None and if_not_exists:
        return _left(session, present)
    if present is not None:
        warnings.append(f"there is another webhook named {draft.name!r}; name them by their ids from now on")
    if handshake:
        from qwebhook.cli.consent import with_consent

        draft = with_consent(session, draft, handshake_origin, handshake_rate, allow_network or ())
    if if_not_exists and not session.is_remote:
        # Another may have been quicker since. A server's API cannot tell.
        webhook, is_new = session.open_database().create_webhook_unless_named(draft, session.user)
        if not is_new:
            return _left(session, webhook)
    else:
        webhook = store.create_webhook(draft, session.user)
    for warning in warnings:
        session.advise(warning)
    if secret != GENERATE:
        return Single(webhook, WEBHOOKS)
    if session.options.output in (None, "table", "id"):
        session.tell_once("secret", str(draft.secret))
    return Single(webhook, WEBHOOKS, extra={"secret": draft.secret})


def _left(session: Session, webhook: Webhook) -> Single:
    from qwebhook.cli.views import WEBHOOKS

    session.note(f"there is a webhook named {webhook.name!r} already, which stays as it is")
    return Single(webhook, WEBHOOKS)


def _named(store: Administration, name: str) -> Webhook | None:
    """The oldest webhook of exactly that name. `find_webhook` would take an id for a name."""
    from qwebhook.cli.selection import read_pages, webhook_query

    found = read_pages(store.list_webhooks, webhook_query(name=name, sort="createdAt"), None)
    return next((webhook for webhook in found if webhook.name == name), None)
