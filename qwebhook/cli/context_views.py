"""How contexts are shown, and where each value came from. Keys and secrets never are."""

from __future__ import annotations

import msgspec

from qwebhook.cli.contexts import ENVIRONMENT, Context, indirection
from qwebhook.cli.results import Column, View
from qwebhook.cli.session import Session
from qwebhook.cli.settings import CONTEXT_VARIABLE, STORE_VARIABLE, TOKEN_VARIABLE


class ShownContext(msgspec.Struct, kw_only=True, rename="camel"):
    """A context without its secrets. credentials: what lets one in, in words. file: where it is written."""

    name: str
    store: str
    credentials: str
    current: bool
    file: str


class ShownValue(msgspec.Struct, kw_only=True, rename={"origin": "from"}):
    """A setting, its value ("" for none), and where that came from."""

    name: str
    value: str
    origin: str


CONTEXTS = View(
    columns=[
        Column("NAME", lambda context: context.name),
        Column("CURRENT", lambda context: "current" if context.current else ""),
        Column("STORE", lambda context: context.store),
        Column("CREDENTIALS", lambda context: context.credentials or "none"),
        Column("FILE", lambda context: context.file, spare=True),
    ],
    identifier=lambda context: str(context.name),
    fields=ShownContext.__struct_encode_fields__,
)
VALUES = View(
    columns=[
        Column("SETTING", lambda one: one.name),
        Column("VALUE", lambda one: one.value or "none"),
        Column("FROM", lambda one: one.origin),
    ],
    identifier=lambda one: f"{one.name}={one.value}",
    fields=ShownValue.__struct_encode_fields__,
)


def shown(session: Session, context: Context) -> ShownContext:
    """The context as `list`, `add` and the like show it."""
    return ShownContext(
        name=context.name,
        store=context.store,
        credentials=context.credentials,
        current=session.settings.current()[0] == context.name,
        file=str(context.file),
    )


def values_in_use(session: Session) -> list[ShownValue]:
    """What a command with the same options and variables would use."""
    choice = session.store_choice()
    name, origin = session.settings.chosen_name(session.options.context)
    if choice.context is None:
        name, origin = "", f"{choice.origin} names the store" if choice.explicit else "none is named"
    values = [ShownValue(name="context", value=name, origin=origin)]
    if choice.context is None:
        values.append(ShownValue(name="store", value=str(session.location()), origin=choice.origin))
        return [*values, _token(session) or ShownValue(name="credentials", value="", origin=TOKEN_VARIABLE)]
    return values + _values(session, choice.context)


def values_of(session: Session, name: str) -> list[ShownValue]:
    """What `--context NAME` would use. Raises NotFound."""
    found = session.settings.context(name)
    assert found is not None, "a name was given"
    return [ShownValue(name="context", value=name, origin="NAME"), *_values(session, found)]


def tell_what_overrules(session: Session) -> None:
    """Say which variable makes the current context count for nothing."""
    for variable in (STORE_VARIABLE, CONTEXT_VARIABLE):
        if session.environ.get(variable):
            session.warn(f"{variable} is set, and goes before the current context")


def _values(session: Session, context: Context) -> list[ShownValue]:
    file = str(context.file)
    values = [
        ShownValue(name="store", value=context.store, origin=file),
        _token(session) or ShownValue(name="credentials", value=context.credentials, origin=_told(session, context)),
    ]
    if context.ca_file:
        values.append(ShownValue(name="ca-file", value=context.ca_file, origin=file))
    if context.webhook_secret:
        secret = indirection(context.webhook_secret) or "a secret"
        values.append(ShownValue(name="webhook-secret", value=secret, origin=file))
    return values


def _token(session: Session) -> ShownValue | None:
    """The variable that goes before every context's own credentials; None if it is not set."""
    if not session.environ.get(TOKEN_VARIABLE):
        return None
    return ShownValue(name="credentials", value="a key", origin=TOKEN_VARIABLE)


def _told(session: Session, context: Context) -> str:
    """The file, and whether the variable that it names is there."""
    if context.token.startswith(ENVIRONMENT) and context.token.removeprefix(ENVIRONMENT) not in session.environ:
        return f"{context.file}, but the variable is not set"
    return str(context.file)
