"""Who and what the events name: users, spaces, apps. The facts give no shapes: these are the least that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tenant.access import TENANT_ID
from tests.tenant.answers import Answer, Json, Refused, json_answer
from tests.tenant.asking import Asked

if TYPE_CHECKING:
    from tests.tenant.tenant import Tenant


class Directory:
    """Spaces and apps, by id; users are those of `Access`."""

    def __init__(self) -> None:
        self.spaces: dict[str, Json] = {}
        self.apps: dict[str, Json] = {}

    def add_space(self, space_id: str, name: str) -> None:
        self.spaces[space_id] = {"id": space_id, "tenantId": TENANT_ID, "name": name, "type": "shared"}

    def add_app(self, app_id: str, name: str, space_id: str = "") -> None:
        placed = {"spaceId": space_id} if space_id else {}
        self.apps[app_id] = {"attributes": {"id": app_id, "name": name, **placed}}


def get_me(tenant: Tenant, asked: Asked) -> Answer:
    asked.nothing_else()
    return json_answer(asked.caller.shown())


def get_user(tenant: Tenant, asked: Asked) -> Answer:
    asked.nothing_else()
    return _known({user.id: user.shown() for user in tenant.access.users.values()}, asked)


def get_space(tenant: Tenant, asked: Asked) -> Answer:
    asked.nothing_else()
    return _known(tenant.directory.spaces, asked)


def get_app(tenant: Tenant, asked: Asked) -> Answer:
    asked.nothing_else()
    return _known(tenant.directory.apps, asked)


def _known(things: dict[str, Json], asked: Asked) -> Answer:
    thing = things.get(asked.places["id"])
    if thing is None:
        raise Refused(404, "Not found", f"there is no {asked.places['id']!r}")
    return json_answer(thing)
