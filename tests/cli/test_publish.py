"""`publish`: what is read, what is refused before anything is sent, and both ways to hand events over."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwebhook.cli.publishing import RETRIES, ServerDestination
from qwebhook.model.envelope import MAX_BODY
from qwebhook.model.errors import EventRejected, InvalidInput, NotAuthorised, QwebhookError, Unavailable
from qwebhook.model.event import read_event
from qwebhook.store.sqlite import SqliteStore
from tests.acceptance.receiver import Receiver, free_port
from tests.builders import cloud_event_body, legacy_event_body
from tests.cli.world import ROOT, Cli, process_environ

NO_SERVER = "qwebhook: warning: no server is running on this store; `qwebhook serve` delivers what is published\n"


@pytest.fixture
def made(cli: Cli) -> Cli:
    cli.create("x")
    return cli


def pending(cli: Cli) -> int:
    store = SqliteStore.open(cli.store)
    journal = store.open_journal()
    try:
        return journal.pending()[0]
    finally:
        journal.close()
        store.close()


def receipt(cli: Cli, text: bytes, *options: str) -> Any:
    outcome = cli.ok("publish", *options, "-o", "json", stdin=text)
    assert outcome.err == NO_SERVER
    return outcome.json


def lines(*identifiers: str) -> list[bytes]:
    return [cloud_event_body(id=one) for one in identifiers]


class TestInput:
    @pytest.mark.parametrize(
        "text",
        [
            cloud_event_body(id="1"),
            json.dumps(json.loads(cloud_event_body(id="1")), indent=2).encode(),
            b"[" + cloud_event_body(id="1") + b"]",
            b"\n\n" + cloud_event_body(id="1") + b"\n\n",
            legacy_event_body(eventId="1"),
        ],
    )
    def test_one_event(self, made: Cli, text: bytes) -> None:
        file = made.home / "one.json"
        file.write_bytes(text)
        assert made.ok("publish", file, "-o", "json").json["accepted"] == 1
        assert receipt(made, text)["duplicates"] == 1

    @pytest.mark.parametrize(
        "text",
        [
            b"\n".join(lines("1", "2", "3")),
            b"\r\n\r\n".join(lines("1", "2", "3")) + b"\r\n",
            b" [" + b",\n".join(lines("1", "2", "3")) + b"]\n",
        ],
    )
    def test_several_events(self, made: Cli, text: bytes) -> None:
        result = receipt(made, text)
        assert (result["accepted"], result["duplicates"], len(set(result["ids"]))) == (3, 0, 3)
        assert pending(made) == 3

    @pytest.mark.parametrize("text", [b"", b"\n", b"  \r\n\n"])
    @pytest.mark.parametrize("source", ["file", "stdin"])
    def test_an_empty_input_is_refused(self, made: Cli, text: bytes, source: str) -> None:
        file = made.home / "empty.json"
        file.write_bytes(text)
        outcome = made.run("publish", file) if source == "file" else made.run("publish", stdin=text)
        assert outcome.code == 2
        assert outcome.error == "the input is empty; give a JSON event, an array of them, or one on each line"

    def test_an_array_may_be_empty(self, made: Cli) -> None:
        outcome = made.ok("publish", stdin=b"[]")
        assert outcome == (0, "0 events accepted, 0 duplicates\n", "qwebhook: there was no event in the input\n")

    def test_the_table_is_a_sentence_and_quiet_prints_ids(self, made: Cli) -> None:
        assert made.ok("publish", stdin=lines("1")[0]).out == "1 event accepted, 0 duplicates\n"
        assert made.ok("publish", stdin=b"\n".join(lines("1", "2"))).out == "1 event accepted, 1 duplicate\n"
        assert len(made.ok("publish", "-q", stdin=lines("1")[0]).out.splitlines()) == 1

    def test_thousands_of_lines_go_in_chunks(self, made: Cli) -> None:
        text = b"\n".join(lines(*(str(number) for number in range(1201))))
        assert receipt(made, text)["accepted"] == 1201
        file = made.home / "many.ndjson"
        file.write_bytes(text)
        assert made.ok("publish", file, "-o", "json").json["duplicates"] == 1201

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (b"{", "the event is not valid JSON"),
            (b'{\n "specversion": "1.0",\n', "the event is not valid JSON"),
            (b"\n".join(lines("1")) + b"\n\n{nope}\n", "line 3: the event is not valid JSON"),
            (b"[" + lines("1")[0] + b", {}]", "event 2 of 2: the event has neither specversion nor eventType"),
            (b"[1, ", "the input is not a JSON array"),
            (b"\xff\xfe", "the event is not valid JSON"),
            (cloud_event_body(id=None), "the event has no id; --assign-ids gives it one"),
            (cloud_event_body(type="a b"), "type is not a well-formed event type"),
            (cloud_event_body(specversion="0.3"), "specversion is '0.3'"),
            (cloud_event_body(data="x" * (MAX_BODY + 1)), f"{MAX_BODY} are taken at most"),
        ],
    )
    @pytest.mark.parametrize("source", ["file", "stdin"])
    def test_what_is_wrong_is_told_with_its_place(self, made: Cli, text: bytes, words: str, source: str) -> None:
        file = made.home / "bad.json"
        file.write_bytes(text)
        outcome = made.run("publish", file) if source == "file" else made.run("publish", stdin=text)
        assert outcome.code == 2
        assert words in outcome.error
        assert pending(made) == 0

    def test_a_file_is_checked_whole_before_anything_is_sent(self, made: Cli) -> None:
        file = made.home / "bad.ndjson"
        file.write_bytes(b"\n".join([*lines(*(str(number) for number in range(1200))), b"{}"]))
        outcome = made.run("publish", file)
        assert outcome.code == 2
        assert outcome.error.startswith("line 1201: ")
        assert pending(made) == 0

    def test_a_pipe_tells_what_was_taken_before(self, made: Cli) -> None:
        text = b"\n".join([*lines(*(str(number) for number in range(1200))), b"{}"])
        outcome = made.run("publish", stdin=text)
        assert outcome.code == 2
        taken = pending(made)
        assert f"the {taken} events before were taken" in outcome.err
        assert "line 1201: " in outcome.err

    def test_one_that_was_taken_before_is_an_event(self, made: Cli) -> None:
        running = subprocess.Popen(
            [sys.executable, "-m", "qwebhook", "publish", "-q"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=process_environ(made.environ),
        )
        assert running.stdin is not None
        assert running.stderr is not None
        running.stdin.write(lines("1")[0] + b"\n")
        running.stdin.flush()
        assert b"no server is running" in running.stderr.readline()
        _, err = running.communicate(b"{}\n", timeout=20)
        assert running.returncode == 2
        assert err.endswith(b"; the event before was taken\n")

    def test_a_token_is_not_taken_for_a_database(self, made: Cli) -> None:
        outcome = made.run("publish", "--token", "qwh_x", stdin=lines("1")[0])
        assert outcome.code == 2
        assert outcome.error == "--token is for a server, and the store is a database; leave it out, or give --server"
        assert pending(made) == 0

    @pytest.mark.parametrize("source", ["file", "stdin"])
    def test_a_byte_order_mark_is_passed_over(self, made: Cli, source: str) -> None:
        text = b"\xef\xbb\xbf" + b"\n".join(lines("1", "2"))
        file = made.home / "events.ndjson"
        file.write_bytes(text)
        outcome = made.ok("publish", file) if source == "file" else made.ok("publish", stdin=text)
        assert outcome.out == "2 events accepted, 0 duplicates\n"

    def test_ids_are_assigned_where_they_lack(self, made: Cli) -> None:
        text = b"\n".join(
            [cloud_event_body(id=None), cloud_event_body(id=""), legacy_event_body(eventId=None), *lines("7")]
        )
        assert receipt(made, text, "--assign-ids")["accepted"] == 4
        assert receipt(made, lines("7")[0])["duplicates"] == 1

    def test_lines_are_taken_as_they_come(self, made: Cli) -> None:
        running = subprocess.Popen(
            [sys.executable, "-m", "qwebhook", "publish"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=process_environ(made.environ),
        )
        assert running.stdin is not None
        running.stdin.write(lines("1")[0] + b"\n" + lines("2")[0][:40])
        running.stdin.flush()
        for _ in range(100):
            if pending(made):
                break
            time.sleep(0.1)
        assert pending(made) == 1
        out, _ = running.communicate(lines("2")[0][40:])
        assert out == b"2 events accepted, 0 duplicates\n"
        assert running.returncode == 0


class Server:
    """Answers `POST /events` as told, and keeps what it was sent."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def destination(self, url: str = "http://127.0.0.1:8787", token: str | None = None) -> ServerDestination:
        return ServerDestination(url, token, transport=httpx.MockTransport(self._answer), sleep=self.waits.append)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.answers:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        events = json.loads(request.content)
        count = len(events) if isinstance(events, list) else 1
        return httpx.Response(202, json={"accepted": count, "duplicates": 0, "ids": ["i"] * count})


def problem(status: int, title: str = "", detail: str = "", **headers: str) -> httpx.Response:
    entry = {"code": "X", "title": title, **({"detail": detail} if detail else {})}
    return httpx.Response(status, json={"errors": [entry], "traceId": "t"}, headers=headers)


class TestServer:
    def publish(self, server: Server, count: int = 1, **settings: Any) -> Any:
        events = [read_event(cloud_event_body(id=str(number))) for number in range(count)]
        return server.destination(**settings).publish(events)

    def test_one_event_goes_as_it_is_and_several_as_an_array(self) -> None:
        server = Server()
        assert self.publish(server, 1, token="t").accepted == 1
        assert self.publish(server, 3).ids == ["i"] * 3
        first, second = server.requests
        assert str(first.url) == "http://127.0.0.1:8787/events"
        assert first.content == cloud_event_body(id="0")
        assert first.headers["authorization"] == "Bearer t"
        assert first.headers["content-type"] == "application/json"
        assert "authorization" not in second.headers
        assert len(json.loads(second.content)) == 3

    def test_requests_stay_within_the_servers_limit(self) -> None:
        server = Server()
        big = [read_event(cloud_event_body(id=str(number), data="x" * 300_000)) for number in range(7)]
        assert server.destination().publish(big).accepted == 7
        assert len(server.requests) == 3
        largest = read_event(cloud_event_body(data="x" * (MAX_BODY - len(cloud_event_body(data="")))))
        assert len(largest.body) == MAX_BODY
        assert server.destination().publish([largest, *big[:1]]).accepted == 2
        assert all(len(one.content) <= MAX_BODY for one in server.requests)

    @pytest.mark.parametrize(
        ("answer", "kind", "code", "words"),
        [
            (problem(401, "no token was given"), NotAuthorised, 4, "no token was given; put one of role publisher"),
            (httpx.Response(403), NotAuthorised, 4, "does not allow it; the token needs role publisher"),
            (problem(400, "the event has no id", "send one"), EventRejected, 2, "the event has no id; send one"),
            (problem(413, "too large"), EventRejected, 2, "too large"),
            (problem(415, "not JSON"), EventRejected, 2, "not JSON"),
            (httpx.Response(404), Unavailable, 6, "answered 404: no qwebhook server is there"),
            (httpx.Response(307, headers={"location": "https://x"}), Unavailable, 6, "answered 307"),
            (httpx.Response(500, text="<html>"), Unavailable, 6, "answered 500; try again later"),
            (httpx.Response(202, text="hello"), Unavailable, 6, "is not that of a qwebhook server"),
        ],
    )
    def test_refusals_in_the_servers_words(
        self, answer: httpx.Response, kind: type[QwebhookError], code: int, words: str
    ) -> None:
        with pytest.raises(kind) as caught:
            self.publish(Server(answer))
        assert caught.value.exit_code == code
        assert words in str(caught.value)

    def test_a_busy_server_is_asked_again_as_it_wants(self) -> None:
        done = httpx.Response(202, json={"accepted": 1, "duplicates": 0, "ids": ["i"]})
        server = Server(problem(503, **{"retry-after": "7"}), problem(429, **{"retry-after": "9999"}), done)
        assert self.publish(server).accepted == 1
        assert server.waits == [7.0, 30.0]

    def test_a_server_that_stays_busy_is_given_up(self) -> None:
        server = Server(problem(503, "The server cannot take this now"))
        with pytest.raises(Unavailable, match="cannot take this now"):
            self.publish(server)
        assert len(server.requests) == RETRIES
        assert server.waits == [1.0, 2.0, 4.0, 8.0]

    @pytest.mark.parametrize(
        "url", ["hooks.example.com", "ftp://h", "https://", "https://u:hunter2@h.example", "https://[::1"]
    )
    def test_a_url_that_is_none(self, url: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            Server().destination(url)
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("url", ["https://h.example", "https://h.example/", "https://h.example/events"])
    def test_the_path_is_added(self, url: str) -> None:
        server = Server()
        self.publish(server, url=url)
        assert str(server.requests[0].url) == "https://h.example/events"

    def test_this_machine_is_reached_without_a_proxy(self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
        destination = ServerDestination(receiver.url(), None)
        with pytest.raises(Unavailable, match="answered 200"):
            destination.publish([read_event(cloud_event_body())])
        destination.close()

    def test_a_proxy_that_cannot_be_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "nonsense://proxy")
        with pytest.raises(InvalidInput, match="the proxy of the environment cannot be used"):
            ServerDestination("https://h.example", None)

    def test_nobody_there_is_exit_6(self, cli: Cli, tmp_path: Path) -> None:
        event = lines("1")[0]
        for options in (["--server", "http://127.0.0.1:9"], ["--store", "http://127.0.0.1:9"]):
            outcome = cli.run("publish", *options, stdin=event)
            assert outcome.code == 6
            assert "http://127.0.0.1:9" in outcome.error
            assert "cannot be reached" in outcome.error
