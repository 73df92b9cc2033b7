"""The trouble that a test can switch on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import httpx
import pytest

from tests.acceptance.receiver import free_port
from tests.tenant import Tenant
from tests.tenant.caller import AUDITS, WEBHOOKS, Caller, refused
from tests.tenant.faults import (
    Fault,
    altered,
    answer,
    cursor_loop,
    cut_off,
    foreign_next,
    hang,
    html,
    repeated_items,
    reset,
    status,
    truncated,
)


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_the_next_requests_fail_and_then_no_more(tenant: Tenant, admin: Caller, code: int) -> None:
    injected = tenant.faults.inject(status(code), times=2)
    for _ in range(2):
        response = admin.ask("GET", WEBHOOKS)
        refused(response, code)
        assert "retry-after" not in response.headers
    admin.get(WEBHOOKS)
    assert injected.used == 2


def test_a_429_may_say_how_long_to_wait(tenant: Tenant, admin: Caller) -> None:
    for told in (3, "Wed, 25 Nov 2026 00:00:00 GMT"):
        tenant.faults.inject(status(429, retry_after=told))
        assert admin.ask("GET", WEBHOOKS).headers["retry-after"] == str(told)


def test_a_fault_befalls_what_it_names(tenant: Tenant, admin: Caller) -> None:
    tenant.faults.inject(status(503), method="POST", path="*/webhooks", after=1, times=None)
    admin.get(WEBHOOKS)
    admin.made()
    for _ in range(3):
        refused(admin.create(), 503)
    tenant.faults.mend()
    admin.made()
    assert len(admin.get(WEBHOOKS)["data"]) == 2


@pytest.mark.parametrize("fault", [status(502), reset(), cut_off()])
def test_a_request_may_take_effect_and_its_answer_be_lost(tenant: Tenant, admin: Caller, fault: Fault) -> None:
    tenant.faults.inject(fault, takes_effect=True)
    with contextlib.suppress(httpx.TransportError):
        admin.create()
    assert len(admin.get(WEBHOOKS)["data"]) == 1


@pytest.mark.parametrize("code", [200, 401])
def test_a_login_page(tenant: Tenant, admin: Caller, code: int) -> None:
    tenant.faults.inject(html(code))
    response = admin.ask("GET", WEBHOOKS)
    assert response.status_code == code
    assert response.headers["content-type"].startswith("text/html")
    assert response.text.startswith("<!DOCTYPE html>")


def test_any_other_answer(tenant: Tenant, admin: Caller) -> None:
    tenant.faults.inject(answer(302, location="/elsewhere", x_cache="hit"))
    response = admin.ask("GET", WEBHOOKS)
    assert (response.status_code, response.headers["location"], response.headers["x-cache"]) == (
        302,
        "/elsewhere",
        "hit",
    )


def test_json_that_ends_in_its_middle(tenant: Tenant, admin: Caller) -> None:
    tenant.faults.inject(truncated())
    response = admin.ask("GET", WEBHOOKS)
    assert response.status_code == 200
    with pytest.raises(ValueError):
        response.json()


@pytest.mark.parametrize(
    ("fault", "error"),
    [(reset, httpx.ReadError), (cut_off, httpx.RemoteProtocolError)],
)
def test_the_connection_breaks(
    tenant: Tenant, admin: Caller, fault: Callable[[], Fault], error: type[httpx.TransportError]
) -> None:
    tenant.faults.inject(fault())
    with pytest.raises(error):
        admin.get(WEBHOOKS)
    admin.get(WEBHOOKS)


def test_no_answer_at_all(tenant: Tenant) -> None:
    tenant.faults.inject(hang())
    with httpx.Client(trust_env=False, timeout=0.2) as impatient, pytest.raises(httpx.ReadTimeout):
        Caller(impatient, tenant).get(WEBHOOKS)
    (logged,) = tenant.log.requests()
    assert logged.status is None


def test_those_who_hang_are_let_go_when_it_stops(
    tenant: Tenant, admin: Caller, capfd: pytest.CaptureFixture[str]
) -> None:
    tenant.faults.inject(hang())
    ended: list[Exception] = []

    def ask() -> None:
        try:
            admin.get(WEBHOOKS)
        except httpx.TransportError as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    tenant.log.wait_for(1)
    tenant.stop()
    thread.join(5)
    assert len(ended) == 1
    assert capfd.readouterr().err == ""


def test_a_cursor_that_leads_nowhere(tenant: Tenant, admin: Caller) -> None:
    tenant.audits.add_many(30)
    tenant.faults.inject(cursor_loop(), path="*/audits", times=None)
    page = admin.get(AUDITS)
    again = admin.get(page["links"]["next"]["href"])
    assert again == page


def test_a_cursor_that_leads_away(tenant: Tenant, admin: Caller) -> None:
    tenant.audits.add_many(30)
    elsewhere = f"http://127.0.0.1:{free_port()}"
    tenant.faults.inject(foreign_next(elsewhere))
    href = admin.get(AUDITS)["links"]["next"]["href"]
    assert href.startswith(f"{elsewhere}{AUDITS}?next=")


def test_items_that_come_twice(tenant: Tenant, admin: Caller) -> None:
    tenant.audits.add_many(30)
    tenant.faults.inject(repeated_items(2), path="*/audits", times=None)
    ids = [item["id"] for page in admin.pages(AUDITS) for item in page["data"]]
    assert (len(ids), len(set(ids))) == (34, 30)
    assert ids[8:10] == ids[10:12]


def test_anything_else_that_a_body_may_hold(tenant: Tenant, admin: Caller) -> None:
    webhook = admin.made()
    tenant.faults.inject(altered(lambda body: body | {"description": None, "unheardOf": 1}), method="GET")
    assert admin.now(webhook) == webhook | {"description": None, "unheardOf": 1}
