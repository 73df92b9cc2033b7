"""Addresses in every spelling that a webhook's URL may have, and names that resolve to this now and to that later.

A wire lies where connections are made: it tells what would be connected to, and nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Callable
from typing import Any

import pytest

from qwebhook.deliver.request import PreparedRequest
from qwebhook.deliver.sender import Sender
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Exchange, Failure, reason
from qwebhook.model.errors import InvalidWebhook
from qwebhook.model.webhook import check_url
from tests.deliver.faults import FaultServer, close, hang, says

EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

REFUSED = [
    # this machine
    "127.0.0.1",
    "0x7f000001",
    "0x7F.1",
    "0x7f.0.0.1",
    "localhost",
    "LOCALHOST",
    "0.0.0.0",
    "0x0",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::0001]",
    "[::1%25lo]",
    "[::1%lo]",
    # within an IPv6 address: v4-mapped, -translated and -compatible, NAT64 with both prefixes, 6to4, Teredo
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:127.0.0.1%25lo]",
    "[::ffff:0:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:808:808::80ff:fffe]",
    "[2001:0:7f00:1::f7f7:f7f7]",
    # link-local, a cloud's metadata among them
    "169.254.169.254",
    "0xa9fea9fe",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[2002:a9fe:a9fe::]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fe80::1%lo]",
    "[fe80::1%251]",
    "192.0.0.192",
    "[fd00:ec2::254]",
    # private, and shared
    "10.0.0.1",
    "0xa.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "[fc00::1]",
    "[fd12:3456:789a::1]",
    "[fec0::1]",
    # many, and none
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "240.0.0.1",
    "0.1.2.3",
    "[ff02::1]",
    "[ff02::1%25lo]",
    # benchmarks, documentation, what is given up
    "198.18.0.1",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "[2001:2::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[100::1]",
    "[5f00::1]",
]

# The C library would read these as addresses, and URLs have them for ones; they are not asked for.
NOT_CANONICAL = [
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.0.0.01",
    "2130706433",
    "2852039166",
    "4294967296",
    "017700000001",
    "0177.0.0.1",
    "00000177.1",
    "0300.0250.1.1",
    "192.168.257",
    "0",
]

# Characters that IDNA takes for digits, letters and dots.
LOOK_ALIKES = [
    "①②⑦.⓪.⓪.①",
    "１２７.０.０.１",
    "127。0。0。1",
    "127．0．0．1",
    "ｌｏｃａｌｈｏｓｔ",
    "ⅼocalhost",
    "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
]

# No names of anything, and not taken for what they would be if they were decoded or cut off.
NO_NAMES = ["%31%32%37.0.0.1", "127%2e0%2e0%2e1", "loc%61lhost", "127.0.0.1%00.example.com", "127.0.0.1%2f.example.com"]


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The addresses that are connected to; those beyond loopback are not."""
    addresses: list[Any] = []
    connect = BaseSelectorEventLoop.sock_connect

    async def told(loop: BaseSelectorEventLoop, sock: socket.socket, address: Any) -> None:
        addresses.append(address[0])
        if address[0] != "127.0.0.1":
            raise ConnectionRefusedError
        await connect(loop, sock, address)

    monkeypatch.setattr(BaseSelectorEventLoop, "sock_connect", told)
    return addresses


def request_to(host: str, port: int = 80) -> PreparedRequest:
    return PreparedRequest(f"http://{host}:{port}/hook", {}, {}, b"{}")


def sent_to(host: str) -> Exchange:
    async def main() -> Exchange:
        sender = Sender(AddressPolicy(), 10.0)
        try:
            return await sender.send(request_to(host))
        finally:
            await sender.close()

    return asyncio.run(main())


@pytest.mark.parametrize("host", REFUSED)
def test_an_address_that_is_refused(host: str, connected: list[Any]) -> None:
    check_url(f"http://{host}/hook")
    result = sent_to(host).result
    assert isinstance(result, Failure)
    assert result.kind == "address refused"
    assert connected == []


@pytest.mark.parametrize("host", NOT_CANONICAL)
def test_an_address_that_is_not_written_as_one(host: str, connected: list[Any]) -> None:
    with pytest.raises(InvalidWebhook, match="is not how an address is written"):
        check_url(f"http://{host}/hook")
    result = sent_to(host).result  # and if it got here all the same
    assert isinstance(result, Failure)
    assert result.kind == "invalid"
    assert "is not a canonical IPv4 address" in result.reason
    assert connected == []


@pytest.mark.parametrize("host", LOOK_ALIKES)
def test_an_address_in_other_characters(host: str, connected: list[Any]) -> None:
    with pytest.raises(InvalidWebhook, match="outside ASCII"):
        check_url(f"http://{host}/hook")
    result = sent_to(host).result  # and if it got here all the same
    assert isinstance(result, Failure)
    assert result.kind == "address refused"
    assert connected == []


@pytest.mark.parametrize("host", NO_NAMES)
def test_what_is_no_name_is_asked_for_as_it_is(
    host: str, connected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", resolving(asked, []))
    result = sent_to(host).result
    assert isinstance(result, Failure)
    assert result.kind == "dns"
    assert [name.lower() for name in asked] == [host]
    assert connected == []


def resolving(asked: list[str], *answers: list[str]) -> Callable[..., list[Any]]:
    """A name server that answers with other addresses each time, and with the last ones for ever."""
    to_give = list(answers)

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        addresses = to_give.pop(0) if len(to_give) > 1 else to_give[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (one, port)) for one in addresses]

    return getaddrinfo


def test_a_name_is_vetted_on_the_very_address_that_is_connected_to(
    connected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def main() -> None:
        sender = Sender(AddressPolicy(["127.0.0.1"]), 10.0)
        async with FaultServer(says(EMPTY, then=close)) as server:
            try:
                request = request_to("rebinding.example", server.port)
                # It would be another one already if it were asked for again to connect to.
                answers = resolving(asked, ["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254", "127.0.0.1"], ["127.0.0.2"])
                monkeypatch.setattr(socket, "getaddrinfo", answers)
                outcomes = []
                for _ in range(4):
                    outcomes.append(reason((await sender.send(request)).result))
                    await server.emptied()
                    sender._connector.clear_dns_cache()
                assert outcomes[0] == outcomes[2] == "status 200"
                assert outcomes[1].startswith("address refused: 10.0.0.1 is a private address")
                assert outcomes[3].startswith("address refused: 127.0.0.2 is a loopback address")
                assert server.connections == 2
            finally:
                await sender.close()

    asyncio.run(main())
    assert asked == ["rebinding.example"] * 4
    assert connected == ["127.0.0.1"] * 2


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxies_of_the_environment_are_not_used(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with FaultServer(says(EMPTY)) as proxy, FaultServer(hang) as server:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
                monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
            sender = Sender(AddressPolicy(["loopback"]), 0.3)
            try:
                request = PreparedRequest(f"{scheme}://127.0.0.1:{server.port}/hook", {}, {}, b"{}")
                assert reason((await sender.send(request)).result).startswith("timeout")
            finally:
                await sender.close()
            assert (proxy.connections, server.connections) == (0, 1)

    asyncio.run(main())
