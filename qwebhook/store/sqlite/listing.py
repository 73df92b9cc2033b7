"""Lists of webhooks: which of the facets lead to a page."""

from __future__ import annotations

from typing import Any, get_args

from qwebhook.model.catalogue import canonical, names_of
from qwebhook.model.webhook import Origin, Webhook
from qwebhook.store import cursors
from qwebhook.store.contract import Page, WebhookQuery
from qwebhook.store.sqlite.connection import Connection, store_errors
from qwebhook.store.sqlite.queries import queries
from qwebhook.store.sqlite.rows import Row, json_text, webhook_from

_SQL = queries("webhooks")
# The sorts' columns in webhook_facet, and where a row of the list has the same for the cursor.
_ORDERS = {"name": ("name", 3), "url": ("url", 4), "createdAt": ("created_at", 20), "updatedAt": ("updated_at", 22)}


def page(connection: Connection, query: WebhookQuery) -> Page[Webhook]:
    """See Administration.list_webhooks."""
    paging = cursors.Paging(query, query.sort, query.limit, query.cursor)
    order, value_column = _ORDERS[paging.field]
    with store_errors(connection.path):
        restrictions = [_present(connection, facets) for facets in _restrictions(query)]
        leading = restrictions.pop(_leading(connection, restrictions))
        where = [_SQL["where facet"].format(facets=_marks(facets)) for facets in restrictions]
        values: list[Any] = leading + [facet for facets in restrictions for facet in facets]
        for name in ("name", "url"):
            text = getattr(query, name)
            if text:
                where.append(_SQL[f"where {name}"])
                values.append(text.casefold())
        if paging.cursor is not None:
            where.append(_SQL["where beyond"].format(order=order, comparison=paging.comparison))
            values += [paging.cursor.value, paging.cursor.row]
        statement = _SQL["list"].format(
            facets=_marks(leading),
            columns=_SQL["columns"],
            where=" AND ".join(where) or "1",
            order=order,
            direction=paging.direction,
        )
        rows: list[Row] = connection.execute(statement, [*values, paging.fetch]).fetchall()
    return paging.page(rows, webhook_from, value_column, 0)


def creator_facet(user: str) -> str:
    """The facet of the webhooks that a user has made."""
    return f"creator={user}"


def _restrictions(query: WebhookQuery) -> list[list[str]]:
    """What a webhook must satisfy, each by any of its facets; how facets are written says migration 0004.

    Only an event type has several: one for each of its names.
    """
    types = [names_of(name) for name in dict.fromkeys(map(canonical, query.event_types))]
    restrictions = [[f"type={name}" for name in names] for names in types]
    facets = []
    if query.enabled is not None:
        facets.append(f"enabled={query.enabled:d}")
    if query.level is not None:
        facets.append(f"level={query.level}")
    if query.owner_id is not None:
        facets.append(f"owner={query.owner_id}")
    if query.created_by_user_id is not None:
        facets.append(creator_facet(query.created_by_user_id))
    if query.updated_by_user_id is not None:
        facets.append(f"updater={query.updated_by_user_id}")
    origins, others = set(query.origins), set(get_args(Origin)) - set(query.origins)
    if len(origins) == 1:
        facets.append(f"origin={origins.pop()}")
    elif origins and others:
        facets.append(f"origin!={others.pop()}")
    return restrictions + [[facet] for facet in facets] or [["all"]]


def _present(connection: Connection, facets: list[str]) -> list[str]:
    """The facets without those that no webhook has: of a type's names nearly always one is left, or none is needed."""
    if len(facets) == 1:
        return facets
    return [facet for (facet,) in connection.execute(_SQL["present_facets"], (json_text(facets),))] or facets[:1]


def _leading(connection: Connection, restrictions: list[list[str]]) -> int:
    """Whose webhooks are read, and the others looked for among them: the restriction that the fewest satisfy."""
    if len(restrictions) == 1:
        return 0
    rarest: int = connection.execute(_SQL["rarest_facet"], (json_text(restrictions),)).fetchone()[0]
    return rarest


def _marks(facets: list[str]) -> str:
    return ", ".join("?" * len(facets))
