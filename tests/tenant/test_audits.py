"""The audit log: windows, pages, what comes late, and what is old."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.tenant import Tenant
from tests.tenant.audits import Event
from tests.tenant.caller import AUDITS, Caller, refused

NOW = datetime.now(UTC).replace(microsecond=0)


def window(start: datetime, end: datetime) -> str:
    return f"{start:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}"


def event_ids(*events: Event) -> list[str]:
    return [event.event_id for event in events]


def found(caller: Caller, **query: object) -> list[str]:
    return [item["eventId"] for item in caller.get(AUDITS, **query)["data"]]


def test_items_are_legacy_shaped(tenant: Tenant, admin: Caller) -> None:
    data = {"id": "a1", "name": "Sales"}
    event = tenant.audits.add(data=data, at=NOW, extensions={"spaceId": "s1"}, user_id="anna", event_id="e1")
    (item,) = admin.get(AUDITS)["data"]
    assert item == {
        "id": event.id,
        "eventId": "e1",
        "eventTime": f"{NOW:%Y-%m-%dT%H:%M:%S}.000Z",
        "eventType": "com.qlik.v1.app.created",
        "eventTypeVersion": "1.0.0",
        "source": "com.qlik/engine",
        "contentType": "application/json",
        "tenantId": "tenant-one",
        "userId": "anna",
        "data": data,
        "extensions": {"tenantId": "tenant-one", "userId": "anna", "spaceId": "s1"},
    }
    assert admin.get(f"{AUDITS}/{event.id}") == item
    refused(admin.ask("GET", f"{AUDITS}/{event.event_id}"), 404)


def test_an_item_may_have_no_type(tenant: Tenant, admin: Caller) -> None:
    tenant.audits.add(None)
    (item,) = admin.get(AUDITS)["data"]
    assert "eventType" not in item
    assert admin.get(f"{AUDITS}/types")["data"] == []


def test_ten_at_a_time_latest_first_unless_asked_otherwise(tenant: Tenant, admin: Caller) -> None:
    events = tenant.audits.add_many(25)
    assert found(admin) == event_ids(*events[:-11:-1])
    assert found(admin, limit=100, sort="+eventTime") == event_ids(*events)
    for limit in (0, 101):
        refused(admin.ask("GET", AUDITS, limit=limit), 400)


def test_the_filters(tenant: Tenant, admin: Caller) -> None:
    first = tenant.audits.add("com.qlik.b", source="one", user_id="anna", at=NOW - timedelta(hours=2))
    second = tenant.audits.add("com.qlik.a", source="two", at=NOW - timedelta(hours=1))
    assert found(admin, eventType="com.qlik.b") == found(admin, source="one") == event_ids(first)
    assert found(admin, userId="anna") == found(admin, id=first.id) == event_ids(first)
    assert found(admin, id=f"{first.id},{second.id}") == event_ids(second, first)
    assert found(admin, sort="eventType") == event_ids(second, first)
    assert found(admin, sort="-source", source="two") == event_ids(second)
    assert admin.get(f"{AUDITS}/types") == {"data": ["com.qlik.a", "com.qlik.b"]}
    assert admin.get(f"{AUDITS}/sources") == {"data": ["one", "two"]}
    assert admin.get(f"{AUDITS}/settings")["EventTTL"] == 90 * 86_400


def test_a_window_has_its_start_and_not_its_end(tenant: Tenant, admin: Caller) -> None:
    start, end = NOW - timedelta(minutes=2), NOW - timedelta(minutes=1)
    before = tenant.audits.add(at=start - timedelta(milliseconds=1))
    first, last = tenant.audits.add(at=start), tenant.audits.add(at=end - timedelta(milliseconds=1))
    after = tenant.audits.add(at=end)
    assert found(admin, eventTime=window(start, end), sort="eventTime") == event_ids(first, last)
    assert found(admin, eventTime=window(end, NOW)) == event_ids(after)
    assert found(admin, eventTime=window(start - timedelta(minutes=1), start)) == event_ids(before)


@pytest.mark.parametrize(
    "query",
    [
        "eventTime=2026-11-24T00:00:00Z",
        "eventTime=/",
        "eventTime=2026-11-24T00:00:00Z/",
        "eventTime=2026-11-24/2026-11-25",
        "eventTime=2026-11-24T00:00:00/2026-11-25T00:00:00",
        "eventTime=2026-11-25T00:00:00Z/2026-11-24T00:00:00Z",
        "eventType=a.b,c.d",
        "sort=userId",
        "type=a.b",
    ],
)
def test_a_filter_that_is_not_documented_is_refused(admin: Caller, query: str) -> None:
    refused(admin.ask("GET", f"{AUDITS}?{query}"), 400)


@pytest.mark.parametrize("sort", ["eventTime", "-eventTime", "eventType"])
def test_pages_hold_every_item_once(tenant: Tenant, admin: Caller, sort: str) -> None:
    tenant.audits.add_many(230, apart=timedelta(0))
    tenant.audits.add_many(20, "com.qlik.a")
    pages = list(admin.pages(AUDITS, limit=100, sort=sort))
    assert [len(page["data"]) for page in pages] == [100, 100, 50]
    assert len({item["id"] for page in pages for item in page["data"]}) == 250
    back = admin.get(pages[-1]["links"]["prev"]["href"])
    assert back["data"] == pages[1]["data"]


def test_what_comes_late_is_not_seen_before(tenant: Tenant, admin: Caller) -> None:
    late = tenant.audits.add(at=NOW - timedelta(minutes=1), held=True)
    delayed = tenant.audits.add(at=NOW - timedelta(minutes=2), delay=3600)
    seen = tenant.audits.add(at=NOW - timedelta(seconds=1))
    assert found(admin) == event_ids(seen)
    refused(admin.ask("GET", f"{AUDITS}/{late.id}"), 404)
    tenant.audits.release(late)
    assert found(admin) == event_ids(seen, late)
    tenant.clock.skew += 3601
    assert found(admin) == event_ids(seen, late, delayed)


def test_after_ninety_days_only_the_archive_has_them(tenant: Tenant, admin: Caller) -> None:
    day = (NOW - timedelta(days=100)).replace(hour=0, minute=0, second=0)
    yesterday, first = tenant.audits.add(at=day - timedelta(milliseconds=1)), tenant.audits.add(at=day)
    last, recent = tenant.audits.add(at=day + timedelta(hours=23)), tenant.audits.add(at=NOW - timedelta(days=1))
    assert found(admin) == found(admin, eventTime=window(day, NOW)) == event_ids(recent)
    refused(admin.ask("GET", f"{AUDITS}/{first.id}"), 404)

    def archived(date: datetime) -> list[str]:
        pages = admin.pages(f"{AUDITS}/archive", date=f"{date:%Y-%m-%d}")
        return [item["eventId"] for page in pages for item in page["data"]]

    assert archived(day) == event_ids(first, last)
    assert archived(day - timedelta(days=1)) == event_ids(yesterday)
    assert archived(NOW - timedelta(days=1)) == []
    tenant.audits.archive_page = 1
    assert archived(day) == event_ids(first, last)
    for query in ("", "date=today", "date=20260101", "date=2026-01-01&limit=5"):
        refused(admin.ask("GET", f"{AUDITS}/archive?{query}"), 400)


def test_a_hundred_thousand_events_cost_little(tenant: Tenant, admin: Caller) -> None:
    began = time.process_time()
    tenant.audits.add_many(100_000)
    assert time.process_time() - began < 3
    began = time.process_time()
    pages = admin.pages(AUDITS, limit=100, sort="eventTime", eventTime=window(NOW - timedelta(days=1), NOW))
    assert sum(len(next(pages)["data"]) for _ in range(100)) == 10_000
    assert time.process_time() - began < 3
