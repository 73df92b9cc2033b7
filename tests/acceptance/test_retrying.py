"""What follows a failure: retries when they are due, webhooks disabled, and nobody else held up."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from email.utils import format_datetime

from qwebhook.model.delivery import DISABLED_EVENT
from qwebhook.model.webhook import Settings
from tests.acceptance.processes import Home, Server, until
from tests.acceptance.receiver import Answer, Receiver
from tests.builders import cloud_event_body


def publish(server: Server, *ids: str, **members: str) -> None:
    for one in ids:
        server.publish(cloud_event_body(id=one, **members))


def ids_at(receiver: Receiver, path: str = "/hook") -> list[str]:
    return [json.loads(request.body)["id"] for request in receiver.at(path)]


def test_retry_after_in_seconds_is_obeyed(server: Server, receiver: Receiver) -> None:
    webhooks = {}
    for status in (503, 429, 500):
        receiver.answers(f"/{status}", Answer(status, headers={"Retry-After": "1"}), Answer())
        webhooks[status] = server.create_webhook(name=str(status), url=receiver.url(f"/{status}"))
    publish(server, "1")
    for status, webhook in webhooks.items():
        first, second = receiver.wait_for(2, f"/{status}")
        assert 1.0 <= second.at - first.at < 3.0
        server.wait_log("attempt", webhook=str(status), attempt=2, outcome="delivered")
        (delivery,) = server.deliveries(webhook)
        attempts = server.store.list_attempts(webhook.id, delivery.id)
        assert [one.outcome for one in attempts] == ["retrying", "delivered"]
        assert attempts[0].reason == f"status {status}"
    assert len(receiver.received) == 6


def test_retry_after_as_a_date_is_obeyed(server: Server, receiver: Receiver) -> None:
    moment = int(time.time()) + 3
    date = format_datetime(datetime.fromtimestamp(moment, UTC), usegmt=True)
    receiver.answers("/hook", Answer(503, headers={"Retry-After": date}), Answer())
    server.create_webhook(url=receiver.url())
    publish(server, "1")
    second = receiver.wait_for(2)[1]
    assert moment <= second.at < moment + 2


def test_without_retry_after_the_schedule_decides(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(503), Answer())
    webhook = server.create_webhook(url=receiver.url())
    publish(server, "1")
    server.wait_log("attempt", outcome="retry")
    (delivery,) = server.deliveries(webhook)
    assert (delivery.status, delivery.qwebhook.state) == ("fail", "retrying")
    first, second = receiver.wait_for(2)
    assert 4.5 <= second.at - first.at < 8.0


def test_a_retry_does_not_hold_back_later_events(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(503, headers={"Retry-After": "2"}), Answer())
    server.create_webhook(url=receiver.url())
    publish(server, "1", "2", "3")
    receiver.wait_for(4)
    assert ids_at(receiver)[-1] == "1"


def test_strict_ordering_holds_later_events_behind_a_retry(server: Server, receiver: Receiver) -> None:
    go = threading.Event()
    receiver.answers("/hook", Answer(503, headers={"Retry-After": "1"}, after=go), Answer())
    server.create_webhook(url=receiver.url(), qwebhook=Settings(ordering="strict"))
    server.create_webhook(name="other", url=receiver.url("/other"))
    publish(server, *"1234")
    receiver.wait_for(4, "/other")
    assert ids_at(receiver) == ["1"]
    go.set()
    receiver.wait_for(5)
    assert ids_at(receiver) == ["1", "1", "2", "3", "4"]


def test_410_disables_the_webhook_and_an_event_tells_of_it(server: Server, receiver: Receiver, home: Home) -> None:
    receiver.answers("/gone", Answer(410))
    gone = server.create_webhook(name="gone", url=receiver.url("/gone?key=hidden"))
    receiver.answers("/gone?key=hidden", Answer(410))
    server.create_webhook(name="alarm", url=receiver.url("/alarm"), event_types=[DISABLED_EVENT])
    publish(server, "1")
    (told,) = receiver.wait_for(1, "/alarm")
    event = json.loads(told.body)
    assert (event["type"], event["toplevelresourceid"]) == (DISABLED_EVENT, gone.id)
    assert event["data"]["name"] == "gone"
    assert "410" in event["data"]["disabledReason"]
    assert b"hidden" not in told.body
    server.wait_log("webhook disabled", webhook="gone", level="warning")
    server.wait_log("attempt", outcome="gone")
    shown = json.loads(home.run("get", "gone", "--store", server.path, "-o", "json").stdout)
    assert shown["enabled"] is False
    assert "410" in shown["disabledReason"]
    assert shown["disabledReasonCode"] == "gone"
    publish(server, "2")
    publish(server, "3", type=DISABLED_EVENT)
    receiver.wait_for(2, "/alarm")
    server.wait_log("attempt", 2, webhook="alarm")
    assert len(receiver.received) == 3
    assert server.pending() == 0


def test_an_alarm_that_is_gone_itself_sets_off_no_other(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(410))
    for name in ("one", "two"):
        server.create_webhook(name=name, url=receiver.url(f"/{name}"), event_types=[DISABLED_EVENT])
        receiver.answers(f"/{name}", Answer(410))
    server.create_webhook(url=receiver.url())
    publish(server, "1")
    server.wait_log("attempt", 3, outcome="gone")
    server.wait_log("webhook disabled", 3)
    assert len(receiver.received) == 3
    assert server.pending() == 0


def test_redirects_fail_and_are_not_followed(server: Server, receiver: Receiver) -> None:
    for status in (301, 302, 303, 307, 308):
        receiver.answers(f"/{status}", Answer(status, headers={"Location": receiver.url("/elsewhere")}))
        server.create_webhook(name=str(status), url=receiver.url(f"/{status}"))
    publish(server, "1")
    server.wait_log("attempt", 5, outcome="retry")
    reasons = {entry["webhook"]: entry["reason"] for entry in server.attempts()}
    assert reasons == {
        name: f"status {name}: redirects are not followed" for name in ("301", "302", "303", "307", "308")
    }
    assert receiver.at("/elsewhere") == []


def test_a_hanging_receiver_does_not_delay_another(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hangs", Answer(hang=True))
    server.create_webhook(name="hangs", url=receiver.url("/hangs"))
    server.create_webhook(name="healthy", url=receiver.url("/healthy"))
    publish(server, "first")
    receiver.wait_for(1, "/hangs")
    start = time.monotonic()
    publish(server, *(f"event-{number}" for number in range(50)))
    receiver.wait_for(51, "/healthy")
    server.wait_log("attempt", 51, webhook="healthy")
    # Well before the hanging ones time out, and more of them wait than may be in flight.
    assert time.monotonic() - start < 8
    assert server.attempts(webhook="hangs") == []
    assert len(receiver.at("/hangs")) == 10
    metrics = server.metrics()
    assert metrics["qwebhook_attempts_in_flight"] == 10
    assert metrics["qwebhook_queue_depth"] == 51


def test_a_receiver_that_refuses_connections_does_not_delay_another(server: Server, receiver: Receiver) -> None:
    server.create_webhook(name="down", url="http://127.0.0.1:1/")
    server.create_webhook(name="healthy", url=receiver.url())
    publish(server, *(f"event-{number}" for number in range(30)))
    receiver.wait_for(30)
    server.wait_log("receiver is down", webhook="down")
    assert all(one["reason"].startswith("connect: ") for one in server.attempts(webhook="down"))


def test_after_several_503_in_a_row_that_ask_for_it_the_webhook_pauses(server: Server, receiver: Receiver) -> None:
    receiver.answers("/hook", *[Answer(503, headers={"Retry-After": "2"})] * 3, Answer())
    server.create_webhook(url=receiver.url(), qwebhook=Settings(concurrency=1))
    publish(server, "1", "2", "3")
    server.wait_log("attempt", 3, outcome="retry")
    third = receiver.at()[2].at
    publish(server, "4")
    requests = receiver.wait_for(7)
    assert requests[3].at - third >= 2.0


def test_disabling_holds_what_is_pending_and_enabling_resumes_it(
    server: Server, receiver: Receiver, home: Home
) -> None:
    go = threading.Event()
    receiver.answers("/hook", Answer(after=go), Answer())
    server.create_webhook(name="switched", url=receiver.url(), qwebhook=Settings(ordering="strict"))
    publish(server, "1", "2", "3")
    receiver.wait_for(1)
    assert home.run("disable", "switched", "--store", server.path).returncode == 0
    publish(server, "meanwhile")
    go.set()
    server.wait_log("attempt", outcome="delivered")
    server.create_webhook(name="fence", url=receiver.url("/fence"), event_types=["fence"])
    publish(server, "fence", type="fence")
    receiver.wait_for(1, "/fence")
    assert ids_at(receiver) == ["1"]
    assert server.pending() in (2, 3)
    assert home.run("enable", "switched", "--store", server.path).returncode == 0
    receiver.wait_for(3)
    publish(server, "4")
    receiver.wait_for(4)
    assert ids_at(receiver) == ["1", "2", "3", "4"]


def test_enabling_with_discard_drops_what_was_held(server: Server, receiver: Receiver, home: Home) -> None:
    go = threading.Event()
    receiver.answers("/hook", Answer(after=go), Answer())
    server.create_webhook(name="switched", url=receiver.url(), qwebhook=Settings(ordering="strict"))
    publish(server, "1", "2", "3")
    receiver.wait_for(1)
    # Faster than the server looks, so that it sees but the end: an enabled webhook and an emptied queue.
    assert home.run("disable", "switched", "--store", server.path).returncode == 0
    assert home.run("enable", "switched", "--discard", "--store", server.path).returncode == 0
    assert server.pending() == 0
    publish(server, "4")
    go.set()
    receiver.wait_for(2)
    server.wait_log("attempt", 2, outcome="delivered")
    assert ids_at(receiver) == ["1", "4"]


def test_deleting_cancels_what_is_pending(server: Server, receiver: Receiver, home: Home) -> None:
    receiver.answers("/hook", Answer(503, headers={"Retry-After": "1"}))
    server.create_webhook(name="unwanted", url=receiver.url(), qwebhook=Settings(ordering="strict"))
    publish(server, "1", "2")
    server.wait_log("attempt", outcome="retry")
    assert home.run("delete", "unwanted", "--yes", "--store", server.path).returncode == 0
    assert server.pending() == 0
    publish(server, "3")
    # Past the time at which the retry would have been made.
    server.create_webhook(name="clock", url=receiver.url("/clock"))
    receiver.answers("/clock", Answer(503, headers={"Retry-After": "2"}), Answer())
    publish(server, "4")
    receiver.wait_for(2, "/clock")
    assert ids_at(receiver) == ["1"]


def test_deleted_while_in_flight_it_is_not_tried_again(server: Server, receiver: Receiver) -> None:
    go = threading.Event()
    receiver.answers("/hook", Answer(503, headers={"Retry-After": "1"}, after=go))
    webhook = server.create_webhook(url=receiver.url())
    publish(server, "1")
    receiver.wait_for(1)
    server.store.delete_webhook(webhook.id)
    go.set()
    server.wait_log("attempt", attempt=1)
    until(lambda: server.pending() == 0, "the delivery is cancelled")
    server.create_webhook(name="clock", url=receiver.url("/clock"))
    receiver.answers("/clock", Answer(503, headers={"Retry-After": "1"}), Answer())
    publish(server, "2")
    receiver.wait_for(2, "/clock")
    assert ids_at(receiver) == ["1"]


def test_a_strict_retry_keeps_its_time_over_a_restart(server: Server, receiver: Receiver) -> None:
    receiver.answers("/strict", Answer(503, headers={"Retry-After": "60"}))
    server.create_webhook(name="strict", url=receiver.url("/strict"), qwebhook=Settings(ordering="strict"))
    publish(server, "1", "2")
    server.wait_log("attempt", webhook="strict", outcome="retry")
    server.signal(signal.SIGTERM)
    server.restart()
    server.create_webhook(name="other", url=receiver.url("/other"))
    publish(server, "3")
    receiver.wait_for(1, "/other")
    assert ids_at(receiver, "/strict") == ["1"]


def test_a_damaged_secret_stops_its_own_webhook_alone(server: Server, receiver: Receiver) -> None:
    server.create_webhook(name="good", url=receiver.url("/good"))
    bad = server.create_webhook(name="bad", url=receiver.url("/bad"), secret="s" * 40)
    with closing(sqlite3.connect(server.path)) as database:
        database.create_function("casefold", 1, str.casefold, deterministic=True)
        database.execute("UPDATE webhook SET secrets = x'00', version = version + 100 WHERE id = ?", (bad.id,))
        database.commit()
    publish(server, "1")
    receiver.wait_for(1, "/good")
    attempt = server.wait_log("attempt", webhook="bad", outcome="retry")
    assert "qwebhook update" in attempt["reason"]
    assert receiver.at("/bad") == []
