"""Which addresses deliveries may go to, in every spelling that reaches the same machine."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.model.addresses import OPTION, AddressPolicy
from qwebhook.model.errors import InvalidInput

GLOBAL = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "100.63.255.255",
    "100.128.0.1",
    "169.253.255.255",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "2400:cb00:2048:1::c629:d7a2",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]

# (address, what it is called, what the message says to allow)
REFUSED = [
    ("127.0.0.1", "a loopback", "loopback"),
    ("127.255.255.254", "a loopback", "loopback"),
    ("::1", "a loopback", "loopback"),
    ("0:0:0:0:0:0:0:1", "a loopback", "loopback"),
    ("10.0.0.1", "a private", "private"),
    ("172.16.0.1", "a private", "private"),
    ("172.31.255.255", "a private", "private"),
    ("192.168.1.1", "a private", "private"),
    ("fc00::1", "a private", "private"),
    ("fd12:3456:789a::1", "a private", "private"),
    ("169.254.169.254", "a link-local", "169.254.169.254"),
    ("fe80::1", "a link-local", "fe80::1"),
    ("fe80::1%eth0", "a link-local", "fe80::1"),
    ("fe80::1%25", "a link-local", "fe80::1"),
    ("febf::1", "a link-local", "febf::1"),
    ("100.64.0.1", "a carrier-grade NAT", "100.64.0.1"),
    ("100.127.255.255", "a carrier-grade NAT", "100.127.255.255"),
    ("0.0.0.0", "the unspecified", "0.0.0.0"),
    ("::", "the unspecified", "::"),
    ("0.1.2.3", "a special-purpose", "0.1.2.3"),
    ("224.0.0.1", "a multicast", "224.0.0.1"),
    ("239.255.255.250", "a multicast", "239.255.255.250"),
    ("ff02::1", "a multicast", "ff02::1"),
    ("ff0e::1", "a multicast", "ff0e::1"),
    ("255.255.255.255", "a special-purpose", "255.255.255.255"),
    ("240.0.0.1", "a special-purpose", "240.0.0.1"),
    ("192.0.2.1", "a special-purpose", "192.0.2.1"),
    ("198.51.100.7", "a special-purpose", "198.51.100.7"),
    ("203.0.113.9", "a special-purpose", "203.0.113.9"),
    ("198.18.0.1", "a special-purpose", "198.18.0.1"),
    ("198.19.255.255", "a special-purpose", "198.19.255.255"),
    ("192.0.0.1", "a special-purpose", "192.0.0.1"),
    ("192.0.0.192", "a special-purpose", "192.0.0.192"),  # a cloud's metadata
    ("192.88.99.1", "a special-purpose", "192.88.99.1"),  # 6to4 relays, which are no more (RFC 7526)
    ("2001:db8::1", "a special-purpose", "2001:db8::1"),
    ("3fff::1", "a special-purpose", "3fff::1"),  # documentation too (RFC 9637)
    ("100::1", "a special-purpose", "100::1"),
    ("fec0::1", "a special-purpose", "fec0::1"),
    ("5f00::1", "a special-purpose", "5f00::1"),
    ("4000::1", "a special-purpose", "4000::1"),
    # IPv4 in IPv6
    ("::ffff:127.0.0.1", "a loopback", "loopback"),
    ("::ffff:7f00:1", "a loopback", "loopback"),
    ("::ffff:10.0.0.1", "a private", "private"),
    ("::ffff:169.254.169.254", "a link-local", "169.254.169.254"),
    ("::ffff:0.0.0.0", "the unspecified", "0.0.0.0"),
    ("::ffff:100.64.0.1", "a carrier-grade NAT", "100.64.0.1"),
    ("::ffff:224.0.0.1", "a multicast", "224.0.0.1"),
    ("::127.0.0.1", "a loopback", "loopback"),
    ("::192.168.1.1", "a private", "private"),
    ("::2", "a special-purpose", "0.0.0.2"),
    ("64:ff9b::127.0.0.1", "a loopback", "loopback"),
    ("64:ff9b::a00:1", "a private", "private"),
    ("64:ff9b::169.254.169.254", "a link-local", "169.254.169.254"),
    ("64:ff9b:1::8.8.8.8", "a special-purpose", "64:ff9b:1::808:808"),
    ("2002:7f00:1::", "a loopback", "loopback"),
    ("2002:a00:1::1", "a private", "private"),
    ("2002:c0a8:101::1", "a private", "private"),
    ("2002:a9fe:a9fe::", "a link-local", "169.254.169.254"),
    ("2001:0:a00:1::f7f7:f7f7", "a private", "private"),  # Teredo: private server, client 8.8.8.8
    ("2001:0:808:808::f5ff:fffe", "a private", "private"),  # Teredo: client 10.0.0.1
    ("2001:0:808:808::80ff:fffe", "a loopback", "loopback"),  # Teredo: client 127.0.0.1
]


@pytest.mark.parametrize("address", GLOBAL)
def test_global_addresses_are_allowed(address: str) -> None:
    assert AddressPolicy().refusal(address) == ""


@pytest.mark.parametrize(("address", "kind", "name"), REFUSED, ids=[row[0] for row in REFUSED])
def test_all_others_are_refused_by_name(address: str, kind: str, name: str) -> None:
    assert AddressPolicy().refusal(address) == f"{address} is {kind} address (allow it with {OPTION} {name})"


@pytest.mark.parametrize(("address", "kind", "name"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_the_message_says_does_allow_it(address: str, kind: str, name: str) -> None:
    assert AddressPolicy([name]).refusal(address) == ""


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "127.0.0.01", "[::1]", "1.1.1.1:80"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert AddressPolicy(["0.0.0.0/0", "::/0"]).refusal(text) == f"{text} is not an address"


@pytest.mark.parametrize(
    ("allowed", "opened", "closed"),
    [
        (["loopback"], ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"], ["10.0.0.1", "fd00::1", "0.0.0.0", "::"]),
        (
            ["private"],
            ["10.1.2.3", "172.20.0.1", "192.168.0.1", "fd00::1", "::ffff:10.0.0.1", "2002:a00:1::"],
            ["127.0.0.1", "::1", "169.254.169.254", "100.64.0.1", "fe80::1"],
        ),
        (["10.1.0.0/16"], ["10.1.255.255", "::ffff:10.1.0.1", "64:ff9b::10.1.0.1"], ["10.2.0.1", "192.168.0.1", "::1"]),
        (["10.1.2.3"], ["10.1.2.3"], ["10.1.2.4"]),
        (["fd00:1::/32"], ["fd00:1::1"], ["fd00:2::1", "10.0.0.1", "::1"]),
        (["fe80::/10"], ["fe80::1", "fe80::1%eth0"], ["169.254.1.1", "fec0::1"]),
        (["0.0.0.0/0"], ["127.0.0.1", "10.0.0.1", "::ffff:127.0.0.1"], ["::1", "fd00::1", "fe80::1"]),
        (["::/0"], ["::1", "fd00::1"], ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::"]),
        # A network that holds the IPv6 address says nothing of the IPv4 address within.
        (["::ffff:0:0/96"], [], ["::ffff:127.0.0.1", "127.0.0.1"]),
        (["2002::/16"], [], ["2002:7f00:1::"]),
        (["Loopback", " private "], ["127.0.0.1", "10.0.0.1"], ["169.254.169.254"]),
    ],
    ids=lambda value: ",".join(value)[:40],
)
def test_an_allowed_network_opens_itself_and_no_other(allowed: list[str], opened: list[str], closed: list[str]) -> None:
    policy = AddressPolicy(allowed)
    assert {address: policy.refusal(address) for address in opened} == dict.fromkeys(opened, "")
    for address in closed:
        assert policy.refusal(address), address
    for address in GLOBAL:
        assert policy.refusal(address) == "", address


@pytest.mark.parametrize(
    "word", ["", "public", "10.0.0.0/33", "10.1.2.3/16", "10.0.0.0/8,192.168.0.0/16", "localhost", "::1/200", "*"]
)
def test_a_word_that_is_no_network_is_refused(word: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        AddressPolicy(["loopback", word])
    assert refused.value.message == f"{word!r} is not a network"
    assert OPTION in refused.value.hint
    assert "10.1.0.0/16" in refused.value.hint


def carriers(address: IPv4Address) -> dict[str, IPv6Address]:
    """The IPv6 addresses that lead to the IPv4 one."""
    number = int(address)
    return {
        "mapped": IPv6Address(0xFFFF << 32 | number),
        "NAT64": IPv6Address(0x64FF9B << 96 | number),
        "6to4": IPv6Address(0x2002 << 112 | number << 80 | 1),
        "Teredo": IPv6Address(0x20010000 << 96 | 0x08080808 << 64 | number ^ 0xFFFFFFFF),
    }


@given(
    st.integers(0, 2**32 - 1)
    | st.sampled_from([int(IPv4Address(row[0])) for row in REFUSED if "." in row[0] and ":" not in row[0]]),
    st.sampled_from([(), ("loopback",), ("private",), ("10.0.0.0/8", "169.254.0.0/16"), ("0.0.0.0/0",)]),
)
def test_an_ipv6_address_is_refused_when_the_ipv4_address_within_is(number: int, allowed: tuple[str, ...]) -> None:
    policy = AddressPolicy(allowed)
    address = IPv4Address(number)
    expected = bool(policy.refusal(str(address)))
    for name, carrier in carriers(address).items():
        assert bool(policy.refusal(str(carrier))) == expected, name


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_allowed(address: IPv4Address | IPv6Address) -> None:
    if address.is_private and not (isinstance(address, IPv6Address) and (address.teredo or address.ipv4_mapped)):
        refusal = AddressPolicy().refusal(str(address))
        assert refusal.startswith(f"{address} is ")
        assert OPTION in refusal


@given(st.ip_addresses(), st.text("abcz0123456789", min_size=1, max_size=8))
def test_a_zone_changes_nothing(address: IPv4Address | IPv6Address, zone: str) -> None:
    policy = AddressPolicy()
    assert bool(policy.refusal(f"{address}%{zone}")) == bool(policy.refusal(str(address)))


@given(st.text(max_size=30))
def test_any_text_is_answered(text: str) -> None:
    refusal = AddressPolicy().refusal(text)
    if not refusal:
        assert ip_address(text.partition("%")[0])
