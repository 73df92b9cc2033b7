"""What a shell offers for an argument: names of webhooks, and event types.

Asked for while someone types: whatever goes wrong is silence, and nothing is ever made or changed.
"""

from __future__ import annotations

import re

import typer

# What every shell takes as one word without quotes. bash also splits words at `:` and `=`.
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_.@%+/-]+")
_ENOUGH = 100


def webhook_names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """(name, URL) of the webhooks; where a name would need quotes, its id instead."""
    try:
        return _webhook_names(ctx, incomplete)
    except Exception:
        return []


def _webhook_names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    from qwebhook.cli.session import session_of
    from qwebhook.store.contract import WebhookQuery
    from qwebhook.store.location import FileLocation, open_database

    location = session_of(ctx).location()
    if not isinstance(location, FileLocation) or not location.path.exists():
        return []
    store = open_database(location)
    try:
        found = store.list_webhooks(WebhookQuery(name=incomplete or None, sort="name", limit=_ENOUGH)).items
    finally:
        store.close()
    names = [webhook.name for webhook in found]
    return [
        (webhook.name, webhook.url)
        if _PLAIN_WORD.fullmatch(webhook.name) and names.count(webhook.name) == 1
        else (webhook.id, webhook.name)
        for webhook in found
    ]


def event_types(incomplete: str) -> list[tuple[str, str]]:
    """(type, title) of the catalogue, and of what comes after the last comma of a list."""
    try:
        from qwebhook.model import catalogue

        before, comma, _ = incomplete.rpartition(",")
        return [(before + comma + listed.name, listed.title) for listed in catalogue.event_types()]
    except Exception:
        return []
