"""Asking a receiver for consent: what is sent, and which answers are consent."""

from __future__ import annotations

import asyncio

import pytest

from qwebhook.deliver.handshake import NoConsent, ask_consent
from qwebhook.deliver.sender import Sender
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.consent import ALLOWED_ORIGIN, ALLOWED_RATE

US = "events.example.com"
OK = "HTTP/1.1 200 OK"


def ask(*answer: str, rate: int | None = None, allowed: tuple[str, ...] = ("loopback",)) -> tuple[int | None, str]:
    """Ask a receiver that answers with those lines; the rate, and the request's head."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write("\r\n".join((*answer, "Content-Length: 0", "", "")).encode())
        await writer.drain()
        writer.close()

    async def run() -> int | None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        sender = Sender(AddressPolicy(allowed), 5.0)
        try:
            port = server.sockets[0].getsockname()[1]
            return await ask_consent(sender, f"http://127.0.0.1:{port}/hook?key=hidden", US, rate)
        finally:
            await sender.close()
            server.close()

    return asyncio.run(run()), heads[0].decode()


def test_the_request_names_us_and_what_we_want() -> None:
    _, head = ask(OK, f"{ALLOWED_ORIGIN}: *", rate=120)
    lines = head.split("\r\n")
    assert lines[0] == "OPTIONS /hook?key=hidden HTTP/1.1"
    assert f"WebHook-Request-Origin: {US}" in lines
    assert "WebHook-Request-Rate: 120" in lines
    assert "WebHook-Request-Rate" not in ask(OK, f"{ALLOWED_ORIGIN}: *")[1]


@pytest.mark.parametrize(
    ("answer", "asked", "rate"),
    [
        ((f"{ALLOWED_ORIGIN}: *", f"{ALLOWED_RATE}: *"), None, None),
        ((f"{ALLOWED_ORIGIN}: {US}", f"{ALLOWED_RATE}: 100"), None, 100),
        ((f"{ALLOWED_ORIGIN}: {US}", f"{ALLOWED_RATE}: 100"), 60, 60),
        ((f"{ALLOWED_ORIGIN}: {US}", f"{ALLOWED_RATE}: 100"), 120, 100),
        ((f"{ALLOWED_ORIGIN.lower()}: {US.upper()}", f"{ALLOWED_RATE.upper()}: *"), 60, 60),
        ((f"{ALLOWED_ORIGIN}: *",), 60, 60),
    ],
)
def test_consent(answer: tuple[str, ...], asked: int | None, rate: int | None) -> None:
    assert ask(OK, *answer, rate=asked)[0] == rate
    assert ask("HTTP/1.1 204 No Content", *answer, rate=asked)[0] == rate


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param((OK,), f"status 200 without {ALLOWED_ORIGIN}", id="nothing said"),
        pytest.param((OK, f"{ALLOWED_ORIGIN}: other.example.com"), "it allows 'other.example.com'", id="another"),
        pytest.param((OK, f"{ALLOWED_ORIGIN}:"), "it allows ''", id="nobody"),
        pytest.param((OK, f"{ALLOWED_ORIGIN}: *", f"{ALLOWED_RATE}: 0"), "'0' is neither", id="no rate"),
        pytest.param((OK, f"{ALLOWED_ORIGIN}: *", f"{ALLOWED_RATE}: many"), "'many' is neither", id="nonsense"),
        pytest.param(("HTTP/1.1 405 No", f"{ALLOWED_ORIGIN}: *"), "status 405", id="refused"),
        pytest.param(("HTTP/1.1 308 There", "Location: /x", f"{ALLOWED_ORIGIN}: *"), "not followed", id="redirected"),
        pytest.param(("garbage",), "protocol: ", id="no HTTP"),
    ],
)
def test_anything_else_is_no_consent(answer: tuple[str, ...], words: str) -> None:
    with pytest.raises(NoConsent) as caught:
        ask(*answer)
    assert words in str(caught.value)
    assert "127.0.0.1 does not consent" in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert caught.value.exit_code == 7


def test_addresses_are_vetted() -> None:
    with pytest.raises(NoConsent, match="--allow-network loopback"):
        ask(OK, f"{ALLOWED_ORIGIN}: *", allowed=())
