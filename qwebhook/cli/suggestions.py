"""What a shell offers for an argument: names of what is in the store, and event types.

Asked for while someone types: whatever goes wrong is silence, and nothing is ever made or changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from qwebhook.model.webhook import Webhook
    from qwebhook.store.sqlite import SqliteStore

Found = TypeVar("Found")

# What every shell takes as one word without quotes. bash also splits words at `:` and `=`.
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_.@%+/-]+")
_ENOUGH = 100


def webhook_names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """(name, URL) of the webhooks; where a name would need quotes, its id instead."""
    try:
        found = _read(ctx, partial(_webhooks, incomplete))
        names = [webhook.name for webhook in found]
        return [
            (webhook.name, webhook.url)
            if _is_plain(webhook.name) and names.count(webhook.name) == 1
            else (webhook.id, webhook.name)
            for webhook in found
        ]
    except Exception:
        return []


def _webhooks(incomplete: str, store: SqliteStore) -> list[Webhook]:
    from qwebhook.store.contract import WebhookQuery

    return store.list_webhooks(WebhookQuery(name=incomplete or None, sort="name", limit=_ENOUGH)).items


def token_names(ctx: typer.Context) -> list[tuple[str, str]]:
    """(name, role) of the tokens; where a name would need quotes, its id instead."""
    try:
        found = _read(ctx, lambda store: store.list_tokens())
        return [(one.name, one.role) if _is_plain(one.name) else (one.id, one.name) for one in found]
    except Exception:
        return []


def inbound_names(ctx: typer.Context) -> list[str]:
    """The names of the inbounds; where one would need quotes, its id instead."""
    try:
        found = _read(ctx, lambda store: store.list_inbounds())
        return [one.name if _is_plain(one.name) else one.id for one in found]
    except Exception:
        return []


def context_names(ctx: typer.Context) -> list[tuple[str, str]]:
    """(name, store) of the contexts."""
    from qwebhook.cli.session import session_of

    try:
        return [(name, one.store) for name, one in session_of(ctx).settings.contexts().items()]
    except Exception:
        return []


def _read(ctx: typer.Context, read: Callable[[SqliteStore], list[Found]]) -> list[Found]:
    """What is read from the store that the line names; nothing from one that does not exist.

    Raises Unavailable for one that would have to be migrated first, among others.
    """
    from qwebhook.cli.session import session_of
    from qwebhook.store.location import FileLocation
    from qwebhook.store.sqlite import SqliteStore

    location = session_of(ctx).location()
    if not isinstance(location, FileLocation) or not location.path.exists():
        return []
    store = SqliteStore.open(location.path, migrate=False)
    try:
        return read(store)
    finally:
        store.close()


def _is_plain(name: str) -> bool:
    return _PLAIN_WORD.fullmatch(name) is not None


def event_types(incomplete: str) -> list[tuple[str, str]]:
    """(type, title) of the catalogue, and of what comes after the last comma of a list."""
    try:
        from qwebhook.model import catalogue

        before, comma, _ = incomplete.rpartition(",")
        return [(before + comma + listed.name, listed.title) for listed in catalogue.event_types()]
    except Exception:
        return []
