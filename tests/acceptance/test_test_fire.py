"""`test-fire` and `demo`, as a user runs them."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook as Verifier

from tests.acceptance.processes import Home
from tests.acceptance.receiver import Answer, Receiver, free_port

TYPE = "com.qlik.v1.app.created"
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw8f" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw8f"


def create(home: Home, name: str, url: str, *options: str) -> None:
    assert home.run("create", name, "--url", url, "--event", TYPE, "-q", *options).returncode == 0


def fire(home: Home, *arguments: object) -> tuple[int, Any, str]:
    """Exit code, the JSON printed, and stderr."""
    done = home.run("test-fire", *arguments, "--allow-network", "loopback", "-o", "json")
    return done.returncode, json.loads(done.stdout or "null"), done.stderr


def test_a_shot_is_signed_marked_and_reported(home: Home, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(201, body=b"thank you"))
    create(home, "one", receiver.url(), "--secret", SECRET, "--header", "X-Team=blue")
    code, (shot,), _ = fire(home, "one")
    (request,) = receiver.at()
    assert code == 0
    assert shot["ok"] is True
    assert shot["response"]["statusCode"] == 201
    assert shot["response"]["body"] == "thank you"
    assert 0 < shot["firstByte"] <= shot["duration"]
    assert shot["eventId"].startswith("test-")
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["qwebhook-test"] == "true"
    assert headers["x-team"] == "blue"
    event = Verifier(SECRET).verify(request.body, headers)
    assert event["id"] == shot["eventId"]
    assert event["type"] == TYPE
    assert home.run("deliveries", "-o", "json").stdout.strip() == "[]"


def test_the_event_is_what_the_options_say(home: Home, receiver: Receiver) -> None:
    create(home, "one", receiver.url())
    code, _, _ = fire(
        home, "one", "--event", "com.qlik.v1.user.created", "--data", '{"name": "Ada"}', "--set", "data.age=36"
    )
    assert code == 0
    event = json.loads(receiver.at()[0].body)
    assert event["type"] == "com.qlik.v1.user.created"
    assert event["data"] == {"name": "Ada", "age": 36}


def test_a_failure_has_a_reason_and_exit_code_7(home: Home, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(500))
    create(home, "good", receiver.url("/good"))
    create(home, "bad", receiver.url())
    create(home, "closed", f"http://127.0.0.1:{free_port()}/")
    code, shots, _ = fire(home, "--all")
    by_name = {shot["name"]: shot for shot in shots}
    assert code == 7
    assert by_name["good"]["ok"] is True
    assert by_name["bad"]["reason"] == "status 500"
    assert by_name["closed"]["reason"] == "connect: connection refused"
    assert by_name["closed"]["response"] is None


@pytest.mark.parametrize(("answer", "code"), [(Answer(200), 0), (Answer(503), 7)])
def test_silent_says_nothing_on_success_and_why_on_failure(
    home: Home, receiver: Receiver, answer: Answer, code: int
) -> None:
    receiver.answers("/hook", answer)
    create(home, "one", receiver.url())
    done = home.run("test-fire", "one", "--silent", "--allow-network", "loopback")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == ("" if code == 0 else "qwebhook: error: test-fire one: status 503\n")


def test_an_expected_status_decides(home: Home, receiver: Receiver) -> None:
    receiver.answers("/hook", Answer(404))
    create(home, "one", receiver.url())
    assert fire(home, "one", "--expect", "404")[0] == 0
    code, (shot,), _ = fire(home, "one", "--expect", "204")
    assert (code, shot["reason"]) == (7, "status 404, 204 was expected")


def test_addresses_are_refused_unless_allowed(home: Home, receiver: Receiver) -> None:
    create(home, "one", receiver.url())
    done = home.run("test-fire", "one", "-o", "json")
    (shot,) = json.loads(done.stdout)
    assert done.returncode == 7
    assert shot["reason"].startswith("address refused: 127.0.0.1 is a loopback address")
    assert "--allow-network loopback" in shot["reason"]
    assert receiver.at() == []


def test_many_shots_give_percentiles(home: Home, receiver: Receiver) -> None:
    create(home, "one", receiver.url("/a"))
    create(home, "two", receiver.url("/b"))
    code, volleys, _ = fire(home, "one", "two", "--count", "20", "--rate", "200")
    assert code == 0
    assert [volley["count"] for volley in volleys] == [20, 20]
    assert len(receiver.at("/a")) == len(receiver.at("/b")) == 20
    duration = volleys[0]["duration"]
    assert duration["minimum"] <= duration["p50"] <= duration["p90"] <= duration["p99"] <= duration["maximum"]
    assert volleys[0]["reasons"] == {"status 200": 20}


def test_a_hanging_one_ends_with_the_timeout_and_delays_no_other(home: Home, receiver: Receiver) -> None:
    receiver.answers("/slow", Answer(200, delay=10))
    create(home, "slow", receiver.url("/slow"))
    create(home, "fast", receiver.url("/fast"))
    code, shots, _ = fire(home, "slow", "fast", "--timeout", "500ms")
    slow, fast = shots
    assert (code, slow["reason"]) == (7, "timeout: no answer within 0.5 s")
    assert fast["ok"] is True
    assert fast["duration"] < slow["duration"]


def test_all_leaves_out_the_disabled(home: Home, receiver: Receiver) -> None:
    create(home, "off", receiver.url("/off"), "--disabled")
    create(home, "on", receiver.url("/on"))
    assert [shot["name"] for shot in fire(home, "--all")[1]] == ["on"]
    code, (shot,), notes = fire(home, "off")
    assert (code, shot["ok"]) == (0, True)
    assert notes == "qwebhook: off would not get a real event like this: it is disabled\n"


def test_a_dry_run_shows_and_sends_nothing(home: Home, receiver: Receiver) -> None:
    create(home, "one", receiver.url(), "--secret", SECRET, "--encrypted-header", "Authorization=Bearer hidden")
    code, (request,), _ = fire(home, "one", "--dry-run")
    assert code == 0
    assert request["headers"]["Authorization"] == "**OMITTED**"
    assert request["headers"]["webhook-signature"].startswith("v1,")
    assert receiver.at() == []


def test_an_unknown_type_is_a_warning_with_what_was_meant(home: Home, receiver: Receiver) -> None:
    create(home, "one", receiver.url())
    mistyped = ("one", "--event", "com.qlik.v1.app.creatd", "--dry-run")
    code, (request,), err = fire(home, *mistyped)
    assert (code, request["body"]["type"]) == (0, "com.qlik.v1.app.creatd")
    assert err == (
        "qwebhook: warning: com.qlik.v1.app.creatd is not in the catalogue of event types; "
        "did you mean com.qlik.v1.app.created?\n"
        "qwebhook: one would not get a real event like this: it is not subscribed to com.qlik.v1.app.creatd\n"
    )
    assert fire(home, *mistyped, "-q")[2] == fire(home, *mistyped, "--silent")[2] == ""
    assert fire(home, "one", "--event", TYPE, "--dry-run")[2] == fire(home, "one", "--dry-run")[2] == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "no webhook is named; name one, or give --all"),
        (("one", "--all"), 2, "webhooks are named and --all is given; give one of them"),
        (("one", "--event", "a b"), 2, "--event 'a b' is not a well-formed event type; write one such as com.qlik"),
        (("one", "--event", f"{TYPE},a.b"), 2, "is not a well-formed event type"),
        (("nobody",), 5, "nobody"),
        (("one", "--data", "{"), 2, "--data is neither JSON nor a file: it ends too early"),
        (("one", "--set", "nothing"), 2, "PATH=VALUE"),
        (("one", "--timeout", "soon"), 2, "duration"),
        (("one", "--header", "webhook-id=x"), 2, "webhook-id"),
        (("one", "--allow-network", "everything"), 2, "everything"),
        (("one", "--secret", "short"), 2, "secret"),
    ],
)
def test_bad_input_is_one_clear_line(
    home: Home, receiver: Receiver, arguments: tuple[str, ...], code: int, words: str
) -> None:
    create(home, "one", receiver.url())
    done = home.run("test-fire", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert receiver.at() == []


def test_the_demo_tells_its_story_and_leaves_nothing(home: Home) -> None:
    done = home.run("demo")
    story = done.stdout
    assert done.returncode == 0, done.stderr
    assert story.count("webhook-signature verified, Qlik-Signature verified -> 200") == 5
    assert story.count("-> 503") == 2
    assert story.count("$ qwebhook ") >= 10
    assert not home.run("list", "-q").stdout


def test_a_demo_that_is_ended_takes_its_processes_along(home: Home) -> None:
    environ = {**home.environ, "TMPDIR": str(home.folder)}
    with subprocess.Popen(home.command("demo"), stdout=subprocess.PIPE, text=True, env=environ) as demo:
        assert demo.stdout is not None
        lines = iter(demo.stdout.readline, "")
        listening = next(line for line in lines if line.startswith("  listening on "))
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(30) == 130
    with pytest.raises(httpx.ConnectError):
        httpx.get(listening.split()[-1] + "/healthz")
    assert list(home.folder.glob("qwebhook-demo-*")) == []
