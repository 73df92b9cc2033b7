"""The options for the fields of a webhook that `create` and `update` share, and the fields they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from qwebhook.cli.inputs import read_pairs, read_secret, read_text, split_list
from qwebhook.cli.session import Session
from qwebhook.cli.suggestions import event_types

_SETTINGS = "Delivery by qwebhook"

UrlOption = Annotated[str | None, typer.Option("--url", metavar="URL", help="Where events are delivered to.")]
EventOption = Annotated[
    list[str] | None,
    typer.Option(
        "--event",
        metavar="TYPE",
        help="An event type to subscribe to; several times, or a comma list.",
        autocompletion=event_types,
    ),
]
DescriptionOption = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What it is for.")]
FilterOption = Annotated[
    str | None,
    typer.Option("--filter", metavar="EXPR", help="""Only events that fit, such as 'spaceId eq "…"'."""),
]
LevelOption = Annotated[
    str | None,
    typer.Option("--level", metavar="LEVEL", help="tenant, or user for the events of one user (--owner)."),
]
OwnerOption = Annotated[
    str | None, typer.Option("--owner", metavar="ID", help="The user whose events a webhook of level user sees.")
]
HeaderOption = Annotated[
    list[str] | None,
    typer.Option("--header", metavar="NAME=VALUE", help="A header to send along; may be repeated."),
]
EncryptedHeaderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encrypted-header",
        metavar="NAME=VALUE",
        help="A header that is kept encrypted and never shown; VALUE may be @FILE or env:NAME.",
    ),
]
SecretOption = Annotated[
    str | None,
    typer.Option(
        "--secret",
        metavar="SECRET",
        help="Sign deliveries with it: the secret, @FILE, env:NAME, - for stdin, or generate for a new one.",
    ),
]
FileOption = Annotated[
    str | None, typer.Option("-f", "--file", metavar="FILE", help="Read fields from a JSON file, - for stdin.")
]
OrderingOption = Annotated[
    str | None,
    typer.Option(
        "--ordering",
        metavar="HOW",
        help="arrival, or strict: one delivery at a time, and a retry holds the next.",
        rich_help_panel=_SETTINGS,
    ),
]
TypeNamesOption = Annotated[
    str | None,
    typer.Option(
        "--type-names",
        metavar="HOW",
        help="asReceived, or subscribed: a renamed type is delivered under the name subscribed to.",
        rich_help_panel=_SETTINGS,
    ),
]
ConcurrencyOption = Annotated[
    int | None,
    typer.Option("--concurrency", metavar="N", help="How many deliveries may be in flight.", rich_help_panel=_SETTINGS),
]
RateOption = Annotated[
    int | None,
    typer.Option(
        "--rate-per-minute", metavar="N", help="How many deliveries may be started a minute.", rich_help_panel=_SETTINGS
    ),
]

PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="Send a message in place of the event: slack, teams, discord, google-chat, text or html-mail.",
        rich_help_panel=_SETTINGS,
    ),
]
TemplateOption = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="FILE",
        help="Send what this template makes of the event (docs/templates.md); - for stdin.",
        rich_help_panel=_SETTINGS,
    ),
]
CommandTimeoutOption = Annotated[
    int | None,
    typer.Option(
        "--command-timeout", metavar="SECONDS", help="How long an exec: command may take.", rich_help_panel=_SETTINGS
    ),
]
TenantUrlOption = Annotated[
    str | None,
    typer.Option(
        "--tenant-url", metavar="URL", help="The events' tenant, for links in messages.", rich_help_panel=_SETTINGS
    ),
]


def given_fields(
    session: Session,
    *,
    name: str | None = None,
    url: str | None = None,
    event: Sequence[str] | None = None,
    description: str | None = None,
    event_filter: str | None = None,
    level: str | None = None,
    owner: str | None = None,
    header: Sequence[str] | None = None,
    encrypted_header: Sequence[str] | None = None,
    secret: str | None = None,
) -> dict[str, Any]:
    """The fields (REST names) whose options were given. Raises InvalidInput for a value that cannot be read."""
    given: dict[str, Any] = {
        "name": name,
        "url": url,
        "description": description,
        "eventTypes": split_list(event) if event else None,
        "filter": event_filter,
        "level": level,
        "ownerId": owner,
        "headers": read_pairs(session, header, "--header") if header else None,
        "encryptedHeaders": read_pairs(session, encrypted_header, "--encrypted-header", indirect=True)
        if encrypted_header
        else None,
        "secret": read_secret(session, secret) if secret is not None else None,
    }
    return {field: value for field, value in given.items() if value is not None}


def given_settings(
    session: Session,
    *,
    ordering: str | None,
    type_names: str | None,
    concurrency: int | None,
    rate_per_minute: int | None,
    preset: str | None,
    template: str | None,
    tenant_url: str | None,
    command_timeout: int | None,
) -> dict[str, Any]:
    """The members of `qwebhook` whose options were given. Raises InvalidInput for a template that cannot be read."""
    given = {
        "ordering": ordering,
        "typeNames": type_names,
        "concurrency": concurrency,
        "ratePerMinute": rate_per_minute,
        "preset": preset,
        "template": read_text(session, template, "--template") if template is not None else None,
        "tenantUrl": tenant_url,
        "timeout": command_timeout,
    }
    return {field: value for field, value in given.items() if value is not None}
