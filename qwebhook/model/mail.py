"""Mail as a target: `mailto:` URLs, addresses, and the server that takes the mails."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import unquote

import msgspec

from qwebhook.model.errors import InvalidWebhook
from qwebhook.model.sheet import is_template

Security = Literal["starttls", "tls", "none"]
FIELDS = ("subject", "cc", "bcc")
MAX_RECIPIENTS = 50
# RFC 5321, section 4.1.2, without quoted local parts and address literals: what people and programs have.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)


class MailServer(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """Where mail is handed in. sender: the address that mails come from. security: `starttls` unless given, without
    which nothing is sent; `tls` from the first byte; `none` for a server on this machine.
    """

    server: str
    sender: str = msgspec.field(name="from")
    port: int = 0
    security: Security = msgspec.field(name="security", default="starttls")
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None


class MailTarget(msgspec.Struct, frozen=True):
    """What a `mailto:` URL says (RFC 6068). Each may be a template."""

    to: list[str]
    cc: list[str]
    bcc: list[str]
    subject: str


def read_mailto(url: str) -> MailTarget:
    """Raises InvalidWebhook for what is no mailto: URL, or names an address that is none."""
    path, *query = _split(url.partition(":")[2], "?")
    fields: dict[str, str] = {}
    for part in filter(None, _split("?".join(query), "&")):
        # A plus is one here, and no space as in forms: addresses have it (RFC 6068, section 5).
        name, value = (unquote(side) for side in part.partition("=")[::2])
        if name.lower() not in FIELDS:
            raise InvalidWebhook("url", f"has {name[:40]!r}, which is not taken", f"use {', '.join(FIELDS)}")
        if name.lower() in fields:
            raise InvalidWebhook("url", f"has {name.lower()} twice", "separate addresses by commas")
        fields[name.lower()] = value
    target = MailTarget(
        to=_addresses(unquote(path)),
        cc=_addresses(fields.get("cc", "")),
        bcc=_addresses(fields.get("bcc", "")),
        subject=fields.get("subject", ""),
    )
    addresses = [*target.to, *target.cc, *target.bcc]
    if not target.to:
        raise InvalidWebhook("url", "names nobody", "write mailto:NAME@HOST")
    if len(addresses) > MAX_RECIPIENTS:
        raise InvalidWebhook("url", f"names {len(addresses)} addresses", f"use {MAX_RECIPIENTS} at most")
    for address in addresses:
        if not is_template(address) and not is_address(address):
            raise InvalidWebhook("url", f"{address[:80]!r} is no mail address", "write mailto:NAME@HOST")
    return target


def is_address(text: str) -> bool:
    """Whether the text is one mail address, and nothing else."""
    # An encoded word (RFC 2047) can be written in these characters, and hold any others.
    return len(text) <= 254 and "=?" not in text and _ADDRESS.fullmatch(text) is not None


def _addresses(text: str) -> list[str]:
    return [address.strip() for address in _split(text, ",") if address.strip()]


def _split(text: str, separator: str) -> list[str]:
    """As `str.split`, but that a separator within a template's braces is the template's own."""
    parts = [""]
    for found in re.finditer(r"\{\{.*?\}\}|\{%.*?%\}|.", text, re.DOTALL):
        if found[0] == separator:
            parts.append("")
        else:
            parts[-1] += found[0]
    return parts
