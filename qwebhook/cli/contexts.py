"""Contexts: named stores with what lets one in, as the configuration files hold them.

[contexts.prod]
store = "https://acme.eu.qlikcloud.com"   # a path or URL
token = "env:QLIK_API_KEY"                # an API key or token: VALUE, @FILE or env:NAME

[contexts.ci]
store = "https://acme.eu.qlikcloud.com"
client-id = "a1b2c3"                      # an OAuth client, instead
client-secret = "@/run/secrets/qlik"      # VALUE, @FILE or env:NAME

[contexts.staging]
store = "https://hooks.example.com"
key-command = ["pass", "show", "hooks"]   # a command that prints the key
ca-file = "/etc/ssl/company.pem"          # authorities to trust, for a server behind one's own

[contexts.laptop]
store = "https://acme.eu.qlikcloud.com"
keyring = "laptop@acme.eu.qlikcloud.com"  # the key's name in the system keyring
webhook-secret = "env:HOOK_SECRET"        # what `test-fire` signs with, where the store gives no secret away
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from qwebhook.model.errors import InvalidInput

LONGEST_NAME = 64
ENVIRONMENT, FILE = "env:", "@"
# What lets one in: one of these to a context, the client with its secret.
_CREDENTIALS = ("token", "client-id", "key-command", "keyring")
_TEXTS = ("store", "token", "client-id", "client-secret", "keyring", "ca-file", "webhook-secret")


class Context(NamedTuple):
    """A named store. "" stands for what is not given.

    token, client_secret, webhook_secret: as they are written, VALUE, @FILE or env:NAME. file: where it is written.
    """

    name: str
    store: str
    file: Path
    token: str = ""
    client_id: str = ""
    client_secret: str = ""
    key_command: tuple[str, ...] = ()
    keyring: str = ""
    ca_file: str = ""
    webhook_secret: str = ""

    def __repr__(self) -> str:
        return f"Context({self.name!r}, {self.store!r}, {self.file})"

    @property
    def id(self) -> str:
        return self.name

    @property
    def credentials(self) -> str:
        """What lets one in, in words that give nothing away; "" for nothing."""
        if self.token:
            return indirection(self.token) or "a key"
        if self.client_id:
            return f"OAuth client {self.client_id}"
        if self.key_command:
            return f"the command {self.key_command[0]}"
        return f"keyring entry {self.keyring}" if self.keyring else ""


def indirection(text: str) -> str:
    """Where a value is that is not written itself: `the variable NAME` or `the file PATH`; "" for one that is."""
    if text.startswith(ENVIRONMENT):
        return f"the variable {text.removeprefix(ENVIRONMENT)}"
    return f"the file {text.removeprefix(FILE)}" if text.startswith(FILE) else ""


def is_key(text: str) -> bool:
    """Whether it can be a key that is written itself: part of a header, and not taken for where a key is."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text and not indirection(text)


def read_context(name: str, fields: object, file: Path) -> Context:
    """The context that a table of a configuration file describes. Raises InvalidInput, naming file and field."""
    place = f"{file}: contexts.{name}"
    if not isinstance(fields, dict) or not isinstance(fields.get("store"), str):
        raise InvalidInput(f"{place} has no store", 'write store = "PATH or URL"')
    for field, value in fields.items():
        if field in _TEXTS:
            if not isinstance(value, str):
                raise InvalidInput(f"{place}.{field} is not a string")
        elif field != "key-command":
            raise InvalidInput(f"{place}.{field} is not a field of a context", _meant(field))
    command = fields.get("key-command", [])
    if not isinstance(command, list) or not all(isinstance(word, str) and word for word in command):
        raise InvalidInput(f"{place}.key-command is not a list of words", 'write ["PROGRAM", "ARGUMENT"]')
    given = [field for field in _CREDENTIALS if fields.get(field)]
    if len(given) > 1:
        raise InvalidInput(f"{place} has both {given[0]} and {given[1]}", "keep the one that lets you in")
    if bool(fields.get("client-id")) != bool(fields.get("client-secret")):
        raise InvalidInput(f"{place} has one of client-id and client-secret", "an OAuth client needs both")
    return Context(
        name=name,
        store=fields["store"],
        file=file,
        token=fields.get("token", ""),
        client_id=fields.get("client-id", ""),
        client_secret=fields.get("client-secret", ""),
        key_command=tuple(command),
        keyring=fields.get("keyring", ""),
        ca_file=fields.get("ca-file", ""),
        webhook_secret=fields.get("webhook-secret", ""),
    )


def written(context: Context) -> dict[str, Any]:
    """The table that describes a context: what `read_context` reads."""
    fields: dict[str, Any] = {
        "store": context.store,
        "token": context.token,
        "client-id": context.client_id,
        "client-secret": context.client_secret,
        "key-command": list(context.key_command),
        "keyring": context.keyring,
        "ca-file": context.ca_file,
        "webhook-secret": context.webhook_secret,
    }
    return {field: value for field, value in fields.items() if value}


def check_name(name: str, option: str = "NAME") -> None:
    """A context's name: letters, digits and `._-`, so that it can be typed, and be part of a file's name.

    Raises InvalidInput.
    """
    plain = name.replace(".", "").replace("_", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum()) or name[0] in ".-" or len(name) > LONGEST_NAME:
        raise InvalidInput(
            f"{option} {name[:80]!r} cannot name a context",
            f"use {LONGEST_NAME} letters, digits, dots, hyphens and underscores at most, the first no dot or hyphen",
        )


def table_of(content: Mapping[str, Any], name: str, file: Path) -> dict[str, Any]:
    """A table of a configuration file; empty if it is not there. Raises InvalidInput."""
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise InvalidInput(f"{file}: {name} is not a table", f"write [{name}]")
    return table


def _meant(field: str) -> str:
    import difflib

    close = difflib.get_close_matches(field, [*_TEXTS, "key-command"], 1)
    return f"did you mean {close[0]}?" if close else ""
