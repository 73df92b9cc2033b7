"""Names for ids: asked for once, kept, and never waited for long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from qwebhook.deliver import names as names_module
from qwebhook.deliver.names import NameFinder
from qwebhook.model.errors import RenderFailed, Unavailable
from qwebhook.render.message import message_of
from tests.builders import APP_CREATED, cloud_event_body, webhook
from tests.deliver.virtual_time import VirtualLoop, run_virtually

TYPE = "com.qlik.v1.app.reload.finished"


def body(user: str = "u1", **members: Any) -> bytes:
    return cloud_event_body(type=TYPE, userid=user, toplevelresourceid=None, spaceid=None, **{"data": {}, **members})


class Tenant:
    """What is asked of it, and what it knows. gate: the threads wait for it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.known = {("user", "u1"): {"name": "Robin", "email": "r@example.com"}, ("app", "a1"): {"name": "Sales"}}
        self.fails = False
        self.gate = threading.Event()
        self.gate.set()

    def look_up(self, kind: str, identifier: str) -> dict[str, str]:
        self.asked.append((kind, identifier))
        assert self.gate.wait(10)
        if self.fails:
            raise Unavailable("the tenant is not there")
        return self.known.get((kind, identifier), {})


def virtually(test: Callable[[VirtualLoop, NameFinder], Coroutine[Any, Any, None]], tenant: Tenant) -> None:
    async def run(loop: VirtualLoop) -> None:
        finder = NameFinder(tenant.look_up)
        await test(loop, finder)
        await finder.close()

    run_virtually(run)


def test_what_an_event_mentions_is_found_once_for_many() -> None:
    tenant = Tenant()

    async def test(loop: VirtualLoop, finder: NameFinder) -> None:
        event = body(data={"appId": "a1", "spaceId": "s1"})
        found = await asyncio.gather(*(finder.of(TYPE, event) for _ in range(50)))
        assert all(one == found[0] for one in found)
        assert found[0] == {"user": {"name": "Robin", "email": "r@example.com"}, "space": {}, "app": {"name": "Sales"}}
        assert sorted(tenant.asked) == [("app", "a1"), ("space", "s1"), ("user", "u1")]
        await asyncio.sleep(names_module.KEPT_SECONDS + 1)
        await finder.of(TYPE, event)
        assert len(tenant.asked) == 6

    virtually(test, tenant)


def test_what_cannot_be_had_stays_an_id_and_is_not_asked_for_again_at_once() -> None:
    tenant = Tenant()
    tenant.fails = True

    async def test(loop: VirtualLoop, finder: NameFinder) -> None:
        for _ in range(5):
            assert await finder.of(TYPE, body()) == {"user": {}}
        assert tenant.asked == [("user", "u1")]
        tenant.fails = False
        await asyncio.sleep(names_module.TROUBLE_SECONDS + 1)
        assert (await finder.of(TYPE, body()))["user"]["name"] == "Robin"
        tenant.fails = True
        await asyncio.sleep(names_module.KEPT_SECONDS + 1)
        assert (await finder.of(TYPE, body()))["user"]["name"] == "Robin"  # better than nothing

    virtually(test, tenant)


def test_a_slow_tenant_is_waited_for_once_and_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_module, "PATIENCE_SECONDS", 0.05)
    tenant = Tenant()
    tenant.gate.clear()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        finder = NameFinder(tenant.look_up)
        assert await finder.of(TYPE, body()) == {}
        start = loop.time()
        for number in range(500):
            assert await finder.of(TYPE, body(f"u{number}")) == {}
        assert loop.time() - start < 5  # 500 times the patience would be 25 s
        assert len(finder._asked) <= names_module.WAITING_LIMIT
        tenant.gate.set()
        for one in list(finder._asked.values()):
            await one
        assert (await finder.of(TYPE, body()))["user"]["name"] == "Robin"
        await finder.close()

    asyncio.run(run())


def test_no_more_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_module, "KEPT", 3)
    tenant = Tenant()

    async def test(loop: VirtualLoop, finder: NameFinder) -> None:
        for number in range(10):
            await finder.of(TYPE, body(f"u{number}"))
        assert len(finder._known) == 3

    virtually(test, tenant)


@pytest.mark.parametrize("identifier", ["../../etc", "a b", "x" * 65, "", 5, None])
def test_what_is_no_id_is_not_asked_for(identifier: Any) -> None:
    tenant = Tenant()

    async def test(loop: VirtualLoop, finder: NameFinder) -> None:
        event = body(data={"appId": identifier})
        assert await finder.of(TYPE, event) == {"user": tenant.known["user", "u1"]}

    virtually(test, tenant)


@pytest.mark.parametrize("value", [b"1e999", rb'"\ud800"', b"1" * 5000])
def test_an_event_that_cannot_be_read_mentions_nobody(value: bytes) -> None:
    """It is on its way, since whoever only passes it on need not read all of it."""
    tenant = Tenant()
    event = body(data={"x": 0}).replace(b'"x":0', b'"x":' + value)

    async def test(loop: VirtualLoop, finder: NameFinder) -> None:
        assert await finder.of(TYPE, event) == {}
        assert tenant.asked == []

    virtually(test, tenant)
    with pytest.raises(RenderFailed, match="the event cannot be read"):
        message_of(event, TYPE, webhook())


def test_names_are_told_in_place_of_ids() -> None:
    event = cloud_event_body(type=APP_CREATED, userid="u1", data={"id": "a1"}, toplevelresourceid="a1")
    bare = message_of(event, APP_CREATED, webhook())
    assert (bare.who, bare.what, bare.user["name"], bare.app["name"]) == ("User u1", "a1", "u1", "a1")
    assert bare.space["id"] in ("", "space-one")
    named = message_of(event, APP_CREATED, webhook(), {"user": {"name": "Robin"}, "app": {"name": "Sales"}})
    assert (named.who, named.what) == ("Robin", "Sales")
    assert named.text == "Robin created the app Sales"
