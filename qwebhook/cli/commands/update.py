"""`qwebhook update`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwebhook.cli.fields import (
    SETTINGS_PANEL,
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
from qwebhook.cli.inputs import GENERATE, split_list
from qwebhook.cli.results import Single
from qwebhook.cli.selection import WebhookArgument
from qwebhook.cli.session import Session, session_of
from qwebhook.cli.suggestions import event_types
from qwebhook.model.errors import InvalidInput

if TYPE_CHECKING:
    from qwebhook.model.patch import PatchOperation
    from qwebhook.model.webhook import Webhook

EXAMPLES = """
qwebhook update reports --url https://example.com/new
qwebhook update reports --add-event com.qlik.v1.app.created --header X-Team=bi --remove-header X-Old
qwebhook update reports --secret generate
qwebhook update reports --retry 10s,1m --remove-setting template --remove-setting concurrency
qwebhook update reports -f changes.json
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
@takes_settings
def update(
    ctx: typer.Context,
    webhook: WebhookArgument,
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="A new name.")] = None,
    url: UrlOption = None,
    event: EventOption = None,
    add_event: Annotated[
        list[str] | None,
        typer.Option("--add-event", metavar="TYPE", help="Subscribe to this type, too.", autocompletion=event_types),
    ] = None,
    remove_event: Annotated[
        list[str] | None,
        typer.Option("--remove-event", metavar="TYPE", help="Subscribe to it no more.", autocompletion=event_types),
    ] = None,
    description: DescriptionOption = None,
    event_filter: FilterOption = None,
    no_filter: Annotated[bool, typer.Option("--no-filter", help="Remove the filter.")] = False,
    level: LevelOption = None,
    owner: OwnerOption = None,
    header: HeaderOption = None,
    remove_header: Annotated[
        list[str] | None, typer.Option("--remove-header", metavar="NAME", help="Remove a header.")
    ] = None,
    encrypted_header: EncryptedHeaderOption = None,
    remove_encrypted_header: Annotated[
        list[str] | None,
        typer.Option("--remove-encrypted-header", metavar="NAME", help="Remove an encrypted header."),
    ] = None,
    secret: SecretOption = None,
    no_secret: Annotated[bool, typer.Option("--no-secret", help="Remove the secret, and sign no more.")] = False,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Enable or disable it.")] = None,
    cloud_events: Annotated[
        bool, typer.Option("--cloud-events", help="Convert events in Qlik's older form; cannot be undone.")
    ] = False,
    file: FileOption = None,
    remove_setting: Annotated[
        list[str] | None,
        typer.Option(
            "--remove-setting",
            metavar="OPTION",
            help="Take away what this option has set, such as retry, template or concurrency; sheet for all of a "
            "spreadsheet's. May be repeated, or a comma list.",
            rich_help_panel=SETTINGS_PANEL,
        ),
    ] = None,
    remove_column: Annotated[
        list[str] | None,
        typer.Option("--remove-column", metavar="HEADER", help="Remove a column.", rich_help_panel=SETTINGS_PANEL),
    ] = None,
    remove_mode: Annotated[
        list[str] | None,
        typer.Option(
            "--remove-mode", metavar="TYPE", help="Remove the mode of an event type.", rich_help_panel=SETTINGS_PANEL
        ),
    ] = None,
    *,
    settings: dict[str, Any],
) -> Single:
    """Change what is named of a webhook.

    Everything else stays as it is, the secret too. --event replaces the list of types; --header adds a header or
    replaces the one of its name, as --column and --mode TYPE=MODE do. --remove-setting takes a setting away. With a
    new URL, encrypted headers must be given again or removed.
    The file of -f holds the fields that change, null for one to remove, or a JSON Patch (RFC 6902).
    """
    from qwebhook.cli.advice import advice
    from qwebhook.cli.bodies import operations_from, read_patch
    from qwebhook.cli.setting_changes import changed_settings, check_removable
    from qwebhook.cli.views import WEBHOOKS

    session = session_of(ctx)
    _refuse_both("--secret", secret is not None, "--no-secret", no_secret)
    _refuse_both("--filter", event_filter is not None, "--no-filter", no_filter)
    _refuse_both("--event", bool(event), "--add-event or --remove-event", bool(add_event or remove_event))
    gone = split_list(remove_setting)
    check_removable(gone, settings)
    operations = read_patch(session, file) if file is not None else []
    changes_types = _touches(operations, "eventTypes")
    _refuse_both("-f with eventTypes", changes_types, "--add-event or --remove-event", bool(add_event or remove_event))
    fields = given_fields(
        session,
        name=name,
        url=url,
        event=event,
        description=description,
        event_filter=event_filter,
        level=level,
        owner=owner,
        secret=secret,
    )
    if enabled is not None:
        fields["enabled"] = enabled
    if cloud_events:
        fields["enableCloudEventDelivery"] = True
    if no_secret:
        fields["secret"] = None
    if no_filter:
        fields["filter"] = None
    members = _header_operations(session, "headers", "--header", header, remove_header)
    members += _header_operations(
        session, "encryptedHeaders", "--encrypted-header", encrypted_header, remove_encrypted_header
    )
    given = given_settings(session, settings)
    added, removed = split_list(add_event), split_list(remove_event)
    changes_settings = bool(given or gone or remove_column or remove_mode)
    if not (operations or fields or members or changes_settings or added or removed):
        raise InvalidInput("nothing to change is named", "give an option such as --url, or -f FILE")

    store = session.open_store()
    before = store.find_webhook(webhook)
    if added or removed:
        fields["eventTypes"] = _changed_types(before, added, removed)
    if fields.get("eventTypes") == []:
        raise InvalidInput(f"{before.name} would be left without an event type", "name another, or disable it")
    if changes_settings:
        changes = changed_settings(before, given, gone, remove_column or (), remove_mode or ())
        _refuse_both("-f with a sheet", _touches(operations, "qwebhook", "sheet"), "options for it", "sheet" in changes)
        members += _setting_operations(changes)
    operations += operations_from(fields) + members
    warnings = advice(session, *_advisable(before, operations))
    after = store.patch_webhook(before.id, operations, session.user)
    for warning in warnings:
        session.advise(warning)
    if secret != GENERATE:
        return Single(after, WEBHOOKS)
    if session.options.output in (None, "table", "id"):
        session.tell_once("secret", fields["secret"])
    return Single(after, WEBHOOKS, extra={"secret": fields["secret"]})


def _advisable(webhook: Webhook, operations: list[PatchOperation]) -> tuple[str | None, list[str]]:
    """The URL and the event types that a patch brings, as far as they can be looked at."""
    values = {operation.path: operation.value for operation in operations}
    url, types = values.get("/url"), values.get("/eventTypes")
    added = [one for one in types if one not in webhook.event_types] if isinstance(types, list) else []
    return url if isinstance(url, str) else None, [one for one in added if isinstance(one, str)]


def _refuse_both(one: str, one_given: bool, other: str, other_given: bool) -> None:
    if one_given and other_given:
        raise InvalidInput(f"{one} and {other} were both given", "give one of them")


def _header_operations(
    session: Session, field: str, option: str, given: list[str] | None, removed: list[str] | None
) -> list[PatchOperation]:
    """Operations on single headers, so that the others stay as they are, those that cannot be read too."""
    if not given and not removed:
        return []
    from qwebhook.cli.inputs import read_pairs
    from qwebhook.model.patch import PatchOperation

    pairs = read_pairs(session, given or (), option, indirect=field == "encryptedHeaders")
    return [PatchOperation("remove", f"/{field}/{_escaped(name)}") for name in removed or ()] + [
        PatchOperation("add", f"/{field}/{_escaped(name)}", value) for name, value in pairs.items()
    ]


def _setting_operations(changes: dict[str, Any]) -> list[PatchOperation]:
    """Operations on single settings, so that the others stay as they are, or as the file of -f has them."""
    from qwebhook.model.patch import PatchOperation

    return [
        PatchOperation("remove", f"/qwebhook/{name}")
        if value is None
        else PatchOperation("add", f"/qwebhook/{name}", value)
        for name, value in changes.items()
    ]


def _touches(operations: list[PatchOperation], *place: str) -> bool:
    """Whether an operation changes what is there, or the whole that it is a part of."""
    paths = [operation.path.split("/")[1:] for operation in operations]
    return any(path == list(place[: len(path)]) for path in paths if path)


def _escaped(name: str) -> str:
    """A name as part of a path (RFC 6901, section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def _changed_types(webhook: Webhook, added: list[str], removed: list[str]) -> list[str]:
    """What is removed goes under any of its names. Raises InvalidInput for what is not there."""
    from qwebhook.model.catalogue import canonical

    present = set(map(canonical, webhook.event_types))
    for one in removed:
        if canonical(one) not in present:
            raise InvalidInput(f"{webhook.name} is not subscribed to {one}", "`qwebhook get` shows its types")
    gone = set(map(canonical, removed))
    kept = [one for one in webhook.event_types if canonical(one) not in gone]
    return kept + [one for one in added if one not in kept]
