"""REST bodies from files, and the fields that options name, for `create` and `update`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwebhook.cli.inputs import read_bytes
from qwebhook.cli.session import Session
from qwebhook.model.errors import InvalidInput, InvalidPatch, InvalidWebhook

if TYPE_CHECKING:
    from qwebhook.model.patch import PatchOperation
    from qwebhook.model.webhook import WebhookDraft

READ_ONLY = frozenset(
    {
        "id",
        "secretKeyAdded",
        "createdAt",
        "createdByUserId",
        "updatedAt",
        "updatedByUserId",
        "disabledReason",
        "disabledReasonCode",
    }
)


def read_json(session: Session, source: str) -> Any:
    """The JSON in the file that -f names. Raises InvalidInput with the place of a mistake."""
    import json

    content = read_bytes(session, source, "-f")
    shown = "stdin" if source == "-" else source
    try:
        # The standard library's parser tells the line and column, and refuses NaN when told to.
        return json.loads(content, object_pairs_hook=_without_duplicates, parse_constant=_refused_constant)
    except UnicodeDecodeError:
        raise InvalidInput(f"-f: {shown} is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"-f: {shown} is not valid JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise InvalidInput(f"-f: {shown} is nested too deeply") from None


def read_body(session: Session, source: str) -> dict[str, Any]:
    """The fields of a webhook to be made. Raises InvalidInput."""
    body = read_json(session, source)
    if not isinstance(body, dict):
        raise InvalidInput("-f: a webhook is a JSON object", 'write {"name": …, "url": …, "eventTypes": […]}')
    return body


def draft_from(fields: dict[str, Any]) -> WebhookDraft:
    """The draft with these fields (REST names). Raises InvalidWebhook, naming the field."""
    import msgspec

    from qwebhook.model.decoding import misfit
    from qwebhook.model.webhook import WebhookDraft

    known = WebhookDraft.__struct_encode_fields__
    for name in fields:
        _check_known(name, known)
    for name, option in (("name", "NAME"), ("url", "--url"), ("eventTypes", "--event")):
        if name not in fields:
            raise InvalidWebhook(name, "is missing", f"give {option}")
    try:
        return msgspec.convert(fields, WebhookDraft)
    except msgspec.ValidationError as error:
        raise InvalidWebhook(*misfit(error, WebhookDraft)) from None


def with_fields(body: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The body with given fields in place of its own; headers are added, each in place of the one of its name."""
    fields = body | given
    for field in ("headers", "encryptedHeaders"):
        present = body.get(field)
        if field in given and isinstance(present, dict):
            names = {name.lower() for name in given[field]}
            fields[field] = {name: value for name, value in present.items() if name.lower() not in names} | given[field]
    return fields


def with_settings(settings: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """A body's `qwebhook` with given members in place of its own; what is given of a sheet is added to its sheet."""
    sheet = settings.get("sheet")
    if "sheet" not in given or not isinstance(sheet, dict):
        return settings | given
    if not all(isinstance(sheet.get(name, {}), dict) for name in ("columns", "modes")):
        return settings | {name: value for name, value in given.items() if name != "sheet"}  # refused for what it is
    from qwebhook.cli.setting_changes import add_to_sheet

    whole = dict(sheet)
    add_to_sheet(whole, given["sheet"])
    return settings | given | {"sheet": whole}


def read_patch(session: Session, source: str) -> list[PatchOperation]:
    """The operations in a file: a JSON Patch (RFC 6902) as it is, or an object with the fields that change.

    In an object, null removes a field. Raises InvalidInput.
    """
    import msgspec

    from qwebhook.model.decoding import misfit
    from qwebhook.model.patch import PatchOperation

    body = read_json(session, source)
    if isinstance(body, list):
        try:
            return msgspec.convert(body, list[PatchOperation])
        except msgspec.ValidationError as error:
            path, words = misfit(error, list[PatchOperation])
            raise InvalidPatch(f"-f: {path} {words}") from None
    if not isinstance(body, dict):
        raise InvalidInput("-f: neither an object with fields nor a JSON Patch array")
    return operations_from(body)


def operations_from(fields: dict[str, Any]) -> list[PatchOperation]:
    """Operations that set fields (REST names), or remove those that are None. Raises InvalidWebhook."""
    from qwebhook.model.patch import PatchOperation, replacements
    from qwebhook.model.webhook import WebhookDraft

    for name in fields:
        _check_known(name, WebhookDraft.__struct_encode_fields__)
    removed = [PatchOperation("remove", f"/{name}") for name, value in fields.items() if value is None]
    return removed + replacements({name: value for name, value in fields.items() if value is not None})


def _check_known(name: str, known: tuple[str, ...]) -> None:
    if name in READ_ONLY:
        raise InvalidWebhook(name, "cannot be written", "leave it out")
    if name not in known:
        import difflib

        close = difflib.get_close_matches(name, known, 1)
        raise InvalidWebhook(name, "is not a field of a webhook", f"did you mean {close[0]}?" if close else "")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"-f: {twice!r} is given twice")
    return found


def _refused_constant(text: str) -> Any:
    raise InvalidInput(f"-f: {text} is not JSON")
