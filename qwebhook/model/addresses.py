"""Which network addresses deliveries may go to.

Judged on the very address that is connected to, never on a name: a name may resolve to anything, and to something
else a second later. By default only global unicast addresses are allowed (IANA's special-purpose registries, by
way of `ipaddress`); an IPv6 address that carries an IPv4 one is judged by both.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from qwebhook.model.errors import InvalidInput

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

OPTION = "--allow-network"
_NAMED = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
}
_NAT64 = ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ip_network("::/96")
_CARRIER_GRADE = ip_network("100.64.0.0/10")
_SITE_LOCAL = ip_network("fec0::/10")
# In the registries, but not in the `ipaddress` of every Python that is supported.
_SPECIAL_PURPOSE = (ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24"), ip_network("3fff::/20"))


class AddressPolicy:
    """The allowed networks beyond the global ones.

    allowed: each `loopback`, `private`, or a CIDR such as `10.1.0.0/16`. Raises InvalidInput for anything else.
    """

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self.allowed: list[Network] = []
        for word in allowed:
            for text in _NAMED.get(word.strip().lower(), (word.strip(),)):
                try:
                    self.allowed.append(ip_network(text))
                except ValueError:
                    raise InvalidInput(
                        f"{word!r} is not a network",
                        f"give {OPTION} loopback, private, or a CIDR such as 10.1.0.0/16",
                    ) from None

    def refusal(self, text: str) -> str:
        """Why the address may not be connected to, naming it and the option that allows it; "" when it may."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return f"{text} is not an address"
        for one in (address, *_carried(address)):
            if not self._allows(one):
                kind = _kind(one)
                name = {"a loopback": "loopback", "a private": "private"}.get(kind, str(one))
                return f"{text} is {kind} address (allow it with {OPTION} {name})"
        return ""

    def _allows(self, address: Address) -> bool:
        if any(address in network for network in self.allowed):
            return True
        return _is_global(address) or bool(_carried(address))


def _is_global(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in (_SITE_LOCAL, *_SPECIAL_PURPOSE))


def _carried(address: Address) -> list[IPv4Address]:
    """The IPv4 addresses within an IPv6 one: v4-mapped, v4-compatible, 6to4, Teredo, NAT64."""
    if not isinstance(address, IPv6Address):
        return []
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    if address in _IPV4_COMPATIBLE and int(address) > 1:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    return []


def _kind(address: Address) -> str:
    if address.is_loopback:
        return "a loopback"
    if address.is_unspecified:
        return "the unspecified"
    if address.is_link_local:
        return "a link-local"
    if address.is_multicast:
        return "a multicast"
    if address in _CARRIER_GRADE:
        return "a carrier-grade NAT"
    if any(address in ip_network(text) for text in _NAMED["private"]):
        return "a private"
    return "a special-purpose"
