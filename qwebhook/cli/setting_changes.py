"""What `update` makes of a webhook's own settings: some are given, some taken away, and the others stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from qwebhook.cli.fields import SETTINGS
from qwebhook.model import catalogue
from qwebhook.model.errors import InvalidInput
from qwebhook.model.webhook import Webhook

# Of --preset: the event is sent as it is.
NO_PRESET = "none"
# Of each name that --remove-setting takes, what goes (REST names): the options' own names, and all of a spreadsheet's.
_MEMBERS = {
    "ordering": ("ordering",),
    "type-names": ("typeNames",),
    "concurrency": ("concurrency",),
    "rate-per-minute": ("ratePerMinute",),
    "retry": ("retries",),
    "preset": ("preset",),
    "template": ("template",),
    "tenant-url": ("tenantUrl",),
    "command-timeout": ("timeout",),
    "handshake-origin": ("requestOrigin",),
    "sheet": ("sheet",),
}
_OF_A_SHEET = {"column": ("columns",), "key": ("key",), "mode": ("mode", "modes")}
REMOVABLE = (*_MEMBERS, *_OF_A_SHEET)


def check_removable(names: Iterable[str], options: Mapping[str, Any]) -> None:
    """Refuse what is no setting, and what is given, too. options: by their parameters. Raises InvalidInput."""
    given = {name.replace("_", "-") for name in SETTINGS if options[name] is not None}
    for name in names:
        if name not in REMOVABLE:
            raise InvalidInput(
                f"--remove-setting {name[:80]!r} is no setting; use one of {', '.join(REMOVABLE)}",
                "each has the name of its option",
            )
        for one in given & ({*_OF_A_SHEET} if name == "sheet" else {name}):
            raise InvalidInput(f"--{one} and --remove-setting {name} were both given", "give one of them")


def changed_settings(
    webhook: Webhook,
    given: Mapping[str, Any],
    removed: Sequence[str] = (),
    removed_columns: Sequence[str] = (),
    removed_modes: Sequence[str] = (),
) -> dict[str, Any]:
    """The settings that change (REST names), None for one that goes; the others stay as they are.

    given: by their REST names. Raises InvalidInput for what is not there.
    """
    changes: dict[str, Any] = dict.fromkeys(member for name in removed for member in _MEMBERS.get(name, ()))
    if given.keys() & {"preset", "template"}:  # one takes the other's place, and `none` that of both
        changes |= {"preset": None, "template": None}
    changes |= {name: value for name, value in given.items() if (name, value) != ("preset", NO_PRESET)}
    if "sheet" in given or removed_columns or removed_modes or not _OF_A_SHEET.keys().isdisjoint(removed):
        before = (
            msgspec.to_builtins(webhook.qwebhook.sheet) if webhook.qwebhook.sheet and "sheet" not in removed else {}
        )
        sheet = _changed_sheet(webhook.name, before, removed, removed_columns, removed_modes)
        add_to_sheet(sheet, given.get("sheet", {}))
        changes["sheet"] = sheet or None
    return changes


def _changed_sheet(
    name: str,
    sheet: dict[str, Any],
    removed: Sequence[str],
    removed_columns: Sequence[str],
    removed_modes: Sequence[str],
) -> dict[str, Any]:
    gone = {member for one in removed for member in _OF_A_SHEET.get(one, ())}
    columns, modes = dict(sheet.get("columns", {})), dict(sheet.get("modes", {}))
    for header in removed_columns:
        if columns.pop(header, None) is None:
            raise InvalidInput(f"{name} has no column {header!r}", "`qwebhook get -o json` shows its columns")
    for event_type in removed_modes:
        if not _take_mode(modes, event_type):
            raise InvalidInput(
                f"{name} has no mode of its own for {event_type}", "`qwebhook get -o json` shows its modes"
            )
    sheet = sheet | {"columns": columns, "modes": modes}
    return {member: value for member, value in sheet.items() if value and member not in gone}


def add_to_sheet(sheet: dict[str, Any], given: Mapping[str, Any]) -> None:
    """A column takes the place of the one of its header, and the mode of a type that of the same type."""
    modes = dict(sheet.get("modes", {}))
    for event_type in given.get("modes", {}):
        _take_mode(modes, event_type)
    added = {"columns": sheet.get("columns", {}), "modes": modes}
    for member, value in given.items():
        sheet[member] = added[member] | value if member in added else value


def _take_mode(modes: dict[str, str], event_type: str) -> bool:
    """Take a type's mode out, under whichever of its names it stands; whether there was one."""
    canonical = catalogue.canonical(event_type)
    same = [name for name in modes if catalogue.canonical(name) == canonical]
    for name in same:
        del modes[name]
    return bool(same)
