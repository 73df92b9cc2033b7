"""The options for the fields of a webhook that `create` and `update` share, and the fields they name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import typer

from qwebhook.cli.inputs import meant, read_pairs, read_secret, read_text, split_list
from qwebhook.cli.session import Session
from qwebhook.cli.suggestions import event_types
from qwebhook.model.errors import InvalidInput

T = TypeVar("T")
# Where the help shows the options of what qwebhook adds to a webhook.
SETTINGS_PANEL = "Delivery by qwebhook"

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
        rich_help_panel=SETTINGS_PANEL,
    ),
]
TypeNamesOption = Annotated[
    str | None,
    typer.Option(
        "--type-names",
        metavar="HOW",
        help="asReceived, or subscribed: a renamed type is delivered under the name subscribed to.",
        rich_help_panel=SETTINGS_PANEL,
    ),
]
ConcurrencyOption = Annotated[
    int | None,
    typer.Option(
        "--concurrency", metavar="N", help="How many deliveries may be in flight.", rich_help_panel=SETTINGS_PANEL
    ),
]
RateOption = Annotated[
    int | None,
    typer.Option(
        "--rate-per-minute",
        metavar="N",
        help="How many deliveries may be started a minute.",
        rich_help_panel=SETTINGS_PANEL,
    ),
]

PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="Send a message in place of the event: slack, teams, discord, google-chat, text or html-mail.",
        rich_help_panel=SETTINGS_PANEL,
    ),
]
TemplateOption = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="FILE",
        help="Send what this template makes of the event (docs/templates.md); - for stdin.",
        rich_help_panel=SETTINGS_PANEL,
    ),
]
CommandTimeoutOption = Annotated[
    str | None,
    typer.Option(
        "--command-timeout",
        metavar="DURATION",
        help="How long an exec: command may take, such as 30s or 2m.",
        rich_help_panel=SETTINGS_PANEL,
    ),
]
TenantUrlOption = Annotated[
    str | None,
    typer.Option(
        "--tenant-url", metavar="URL", help="The events' tenant, for links in messages.", rich_help_panel=SETTINGS_PANEL
    ),
]
RetryOption = Annotated[
    str | None,
    typer.Option(
        "--retry",
        metavar="WAITS",
        help="The wait before each attempt after the first, such as 5s,1m,1h; never for none.",
        rich_help_panel=SETTINGS_PANEL,
    ),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="HEADER=PLACE",
        help="A column of a spreadsheet, and where its value comes from, such as Name=data.name; may be repeated.",
        rich_help_panel=SETTINGS_PANEL,
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", metavar="HEADER", help="The column that a row is found by.", rich_help_panel=SETTINGS_PANEL),
]
ModeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--mode",
        metavar="[TYPE=]MODE",
        help="What becomes of the row: append, upsert, delete or mark; may be repeated for single event types.",
        rich_help_panel=SETTINGS_PANEL,
    ),
]
# The options for what qwebhook adds to a webhook, by the names of their parameters.
SETTINGS: dict[str, Any] = {
    "ordering": OrderingOption,
    "type_names": TypeNamesOption,
    "concurrency": ConcurrencyOption,
    "rate_per_minute": RateOption,
    "retry": RetryOption,
    "preset": PresetOption,
    "template": TemplateOption,
    "tenant_url": TenantUrlOption,
    "command_timeout": CommandTimeoutOption,
    "column": ColumnOption,
    "key": KeyOption,
    "mode": ModeOption,
}
_MEMBERS = {
    "ordering": "ordering",
    "type_names": "typeNames",
    "concurrency": "concurrency",
    "rate_per_minute": "ratePerMinute",
    "preset": "preset",
    "template": "template",
    "tenant_url": "tenantUrl",
    "command_timeout": "timeout",
}
NEVER = "never"


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


def takes_settings(command: Callable[..., T]) -> Callable[..., T]:
    """Gives a command the options of `SETTINGS`, which it gets as one argument, `settings`."""
    own = inspect.signature(command, eval_str=True)
    parameters = [one for one in own.parameters.values() if one.name != "settings"]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in SETTINGS.items()
    ]

    @functools.wraps(command)
    def with_settings(*arguments: Any, **named: Any) -> T:
        settings = {name: named.pop(name) for name in SETTINGS}
        return command(*arguments, **named, settings=settings)

    with_settings.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_settings.__annotations__ = {one.name: one.annotation for one in parameters}
    return with_settings


def given_settings(session: Session, options: Mapping[str, Any]) -> dict[str, Any]:
    """The members of `qwebhook` (REST names) whose options were given.

    Raises InvalidInput for a template that cannot be read, and for what is no pair or duration.
    """
    given = {_MEMBERS[name]: value for name, value in options.items() if name in _MEMBERS}
    if given["template"] is not None:
        given["template"] = read_text(session, given["template"], "--template")
    if given["timeout"] is not None:
        given["timeout"] = _whole_seconds(given["timeout"], "--command-timeout")
    if options["retry"] is not None:
        given["retries"] = _retries(options["retry"])
    given["sheet"] = {
        "columns": read_pairs(session, options["column"], "--column", "HEADER=PLACE") if options["column"] else None,
        "key": options["key"],
        **_modes(session, options["mode"] or ()),
    }
    given["sheet"] = {name: value for name, value in given["sheet"].items() if value is not None} or None
    return {field: value for field, value in given.items() if value is not None}


def _whole_seconds(text: str, option: str) -> int:
    from qwebhook.model.timestamps import duration_seconds

    seconds = meant(option, duration_seconds, text)
    if seconds != round(seconds):
        raise InvalidInput(f"{option} {text!r} is not in whole seconds", "write 30s or 2m")
    return round(seconds)


def _retries(text: str) -> list[int]:
    if text == NEVER:
        return []
    waits = [_whole_seconds(word, "--retry") for word in split_list([text])]
    if not waits:  # such as a variable of a shell that is not set
        raise InvalidInput("--retry names no wait", f"write 5s,1m,1h, or {NEVER}")
    return waits


def _modes(session: Session, texts: Sequence[str]) -> dict[str, Any]:
    """MODE for all, and TYPE=MODE for one type."""
    alone = [text for text in texts if "=" not in text]
    if len(alone) > 1:
        raise InvalidInput("--mode is given for all types more than once", "write TYPE=MODE for one type")
    single = read_pairs(session, [text for text in texts if "=" in text], "--mode", "TYPE=MODE")
    return {"mode": alone[0] if alone else None, "modes": single or None}
