"""Messages through Apprise, to a receiver on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from apprise.plugins.discord import NotifyDiscord

from qwebhook.deliver.sender import Sender
from qwebhook.deliver.targets import Allowed, Targets, notify, prepare
from qwebhook.deliver.targets.notify import _said_here, _without_secrets
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Failure, Settled
from qwebhook.model.errors import InvalidWebhook
from qwebhook.model.webhook import Settings, check_url
from tests.builders import APP_CREATED, cloud_event_body, endpoint, webhook

NOW = 1_795_536_000_000
BODY = cloud_event_body(data={"name": "Sales", "id": "a1"})


class Service:
    def __init__(self) -> None:
        self.status = 200
        self.got: list[dict[str, Any]] = []
        self.port = 0


@pytest.fixture
def service() -> Iterator[Service]:
    kept = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(kept.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


def told(services: dict[str, str], url: str = "notify:team", **settings: Any) -> Settled:
    to = endpoint(webhook(url=url, qwebhook=Settings(**settings)))

    async def run() -> Any:
        targets = Targets(Sender(AddressPolicy([])), Allowed(services=services))
        try:
            return (await targets.send(to, prepare(to, bytes(16), APP_CREATED, BODY, NOW))).result
        finally:
            await targets.close()

    result = asyncio.run(run())
    assert isinstance(result, Settled)
    return result


def test_a_service_is_told_what_happened(service: Service) -> None:
    assert told({"team": f"json://user:token@127.0.0.1:{service.port}/path"}) == Settled("done", "team was told")
    (got,) = service.got
    assert got["title"] == "App created"
    assert "Sales" in got["message"]


def test_a_template_is_the_text(service: Service) -> None:
    told({"team": f"json://127.0.0.1:{service.port}"}, template="New: {{ data.name }}")
    assert service.got[0]["message"] == "New: Sales"


HOSTILE = "@everyone @here <@&123456789012345678> x@everyone <!channel> <!here|a> <at>All</at> <users/all> @robin a@"
MENTIONS = re.compile(
    r"@(everyone|here|robin)|<[@!#]|<at>|<users/"
    r"|<?@&?\d{15}",  # what Apprise makes a mention of for Discord
)


def told_hostile(url: str, data: dict[str, str], **settings: Any) -> None:
    to = endpoint(webhook(url="notify:team", qwebhook=Settings(**settings)))

    async def run() -> None:
        targets = Targets(Sender(AddressPolicy([])), Allowed(services={"team": url}))
        prepared = prepare(to, bytes(16), APP_CREATED, cloud_event_body(data={"id": "a1"} | data), NOW)
        assert (await targets.send(to, prepared)).result == Settled("done", "team was told")
        await targets.close()

    asyncio.run(run())


@pytest.mark.parametrize("made", [{}, {"template": "New: {{ data.name }}"}, {"template": '{"new": "{{ data.name }}"}'}])
@pytest.mark.parametrize("options", ["", "?format=markdown"])
def test_an_event_mentions_nobody(
    service: Service, monkeypatch: pytest.MonkeyPatch, made: dict[str, str], options: str
) -> None:
    monkeypatch.setattr(NotifyDiscord, "notify_url", f"http://127.0.0.1:{service.port}")
    told_hostile(f"discord://{'1' * 18}/{'t' * 64}{options}", {"name": HOSTILE}, **made)
    (got,) = service.got
    assert "everyone" in json.dumps(got)
    texts = [got.get("content", ""), *(one["description"] for one in got.get("embeds", ()))]
    assert not any(map(MENTIONS.search, texts)), texts
    assert "allow_mentions" not in got or got["allow_mentions"] == {"parse": [], "users": [], "roles": []}


def test_whom_a_template_mentions_is_mentioned_and_a_mail_address_stays(service: Service) -> None:
    told_hostile(
        f"json://127.0.0.1:{service.port}",
        {"name": "robin@example.com"},
        template="@here <!channel> {{ data.name }} {% if data.name == 'robin@example.com' %}same{% endif %}",
    )
    assert service.got[0]["message"] == "@here <!channel> robin@example.com same"


def test_a_service_that_refuses_is_told_again(service: Service) -> None:
    service.status = 500
    result = told({"team": f"json://user:very-secret@127.0.0.1:{service.port}/token-in-path"})
    assert (result.verdict, "500" in result.words) == ("again", True)
    assert "very-secret" not in result.words
    assert "token-in-path" not in result.words


@pytest.mark.parametrize(
    ("services", "words"),
    [({}, "no service team is configured"), ({"team": "nonsense://very-secret"}, "none that Apprise knows")],
)
def test_what_is_not_configured_is_dead(services: dict[str, str], words: str) -> None:
    result = told(services)
    assert (result.verdict, words in result.words) == ("never", True)
    assert "very-secret" not in result.words


def test_what_a_service_takes_for_markup_is_escaped(service: Service) -> None:
    told({"team": f"json://127.0.0.1:{service.port}?format=html"}, template="{{ data.name }} <b>")
    assert service.got[0]["message"] == "Sales&nbsp;&lt;b&gt;"


def test_a_secret_is_not_shown_as_it_stands_when_it_is_decoded() -> None:
    words = _without_secrets("HTTP 401 for p@ssword, p%40ssword", "json://me:p%40ssword@127.0.0.1/")
    assert words == "HTTP 401 for …, …"


def test_what_is_said_of_one_service_is_not_shown_for_another() -> None:
    logger = logging.getLogger("apprise")
    with _said_here() as said:
        other = threading.Thread(target=logger.warning, args=("of another, with its secret",))
        other.start()
        other.join()
        logger.warning("of this one")
    assert said == ["of this one"]


def test_a_service_that_hangs_holds_up_no_other_and_not_the_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    tell = notify._tell

    def hangs(name: str, url: str, body: bytes) -> Settled:
        return tell(name, url, body) if name == "team" else Settled("again", str(released.wait()))

    monkeypatch.setattr(notify, "_tell", hangs)
    url = f"json://127.0.0.1:{service.port}"

    async def run() -> None:
        notifier = notify.Notifier({"team": url, "hangs": url}, 0.05)
        slow, quick = endpoint(webhook(url="notify:hangs")), endpoint(webhook(url="notify:team"))
        hung = [notifier.send(prepare(slow, bytes(16), APP_CREATED, BODY, NOW)) for _ in range(50)]
        assert {type(one.result) for one in await asyncio.gather(*hung)} == {Failure}
        notifier._total = 15
        sent = await notifier.send(prepare(quick, bytes(16), APP_CREATED, BODY, NOW))
        assert sent.result == Settled("done", "team was told")

    asyncio.run(run())  # which waits for the default executor's threads
    assert not released.is_set()
    released.set()


@pytest.mark.parametrize("url", ["notify:", "notify:a b", "notify:slack://token", "notify:../x"])
def test_a_url_names_a_service(url: str) -> None:
    with pytest.raises(InvalidWebhook, match="names no service"):
        check_url(url)
