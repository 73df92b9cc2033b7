"""A webhook: what it is, what may be written, and the rules it must satisfy.

`WebhookDraft` is what a client writes on create; `Webhook` is what it reads; `Endpoint` is what the delivery engine
holds, secrets included. Field names are those of the service's REST API.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Literal, get_args
from urllib.parse import urlsplit

import msgspec

from qwebhook.model import catalogue
from qwebhook.model.backoff import LONGEST_RETRY
from qwebhook.model.consent import MOST_PER_MINUTE, is_origin
from qwebhook.model.errors import InvalidWebhook
from qwebhook.model.event import is_well_formed_type
from qwebhook.model.filter import Filter
from qwebhook.model.mail import read_mailto
from qwebhook.model.sheet import SHEET_SCHEMES, SheetSettings, check_sheet, check_sheet_url
from qwebhook.model.signature import check_secret

Level = Literal["tenant", "user"]
Origin = Literal["api", "automations", "management-console"]
TypeNames = Literal["asReceived", "subscribed"]
Ordering = Literal["arrival", "strict"]

OMITTED = "**OMITTED**"
MAX_HEADER_BYTES = 2048
MAX_NAME = 256
MAX_DESCRIPTION = 4096
# Some thousand comparisons, which an event takes some milliseconds for.
MAX_FILTER = 16_384
MAX_URL = 4096
MAX_EVENT_TYPES = 200
MAX_RETRIES = 30
HTTP_SCHEMES = ("https", "http")
SCHEMES = (*HTTP_SCHEMES, "mailto", *SHEET_SCHEMES, "notify", "exec")
# Of what they make for people, an event as it came is no part.
RENDERED_SCHEMES = ("mailto", *SHEET_SCHEMES, "notify")
RESERVED_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "qlik-signature"})
RESERVED_HEADER_PREFIX = "webhook-"
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")  # RFC 1123, section 2.1, and underscores as they occur
_SERVICE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ONLY_DIGITS = re.compile(r"[0-9.]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.1: token


class Settings(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """What qwebhook adds to a webhook, under `qwebhook`.

    type_names: whether a renamed type is delivered as it came or as it was subscribed. ordering: `strict` has one
    delivery in flight, and a retry holds the next. concurrency: how many may be in flight; None adapts.
    rate_per_minute: how many may be started in a minute; None: any number. request_origin: the name that the receiver
    consented to, which every delivery carries; None: it was not asked. preset, template: what shapes the body, by name
    or by itself; None: the event is sent as it is. tenant_url: of the tenant that events come from, for links into it.
    timeout: seconds that a command may take. sheet: which row of a spreadsheet an event becomes. retries: seconds
    before each attempt after the first; None: the schedule of all (`model/backoff.py`).
    """

    type_names: TypeNames = "asReceived"
    ordering: Ordering = "arrival"
    concurrency: int | None = None
    rate_per_minute: int | None = None
    request_origin: str | None = None
    preset: str | None = None
    template: str | None = None
    tenant_url: str | None = None
    timeout: int | None = None
    sheet: SheetSettings | None = None
    retries: list[int] | None = None


class WebhookDraft(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of a create: every field that a client writes."""

    name: str
    url: str
    description: str = ""
    event_types: list[str] = []
    filter: str = ""
    headers: dict[str, str] = {}
    encrypted_headers: dict[str, str] = {}
    secret: str | None = None
    enabled: bool = False
    level: Level = "tenant"
    owner_id: str | None = None
    check_certificate_revocation: bool = False
    enable_cloud_event_delivery: bool = False
    origin: Origin = "api"
    qwebhook: Settings = msgspec.field(default_factory=Settings)


class WebhookReplacement(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of a full replace (PUT). What is left out is cleared, and the webhook disabled.

    Three things stay as they are unless they are given: the level and owner, which say whose it is; and qwebhook's own
    settings, of which the service's clients know nothing. `enableCloudEventDelivery` stays, too, since it cannot be
    turned off again.
    """

    name: str
    url: str
    description: str = ""
    event_types: list[str] = []
    filter: str = ""
    headers: dict[str, str] = {}
    encrypted_headers: dict[str, str] = {}
    secret: str | None = None
    enabled: bool = False
    level: Level | None = None
    owner_id: str | None = None
    check_certificate_revocation: bool = False
    enable_cloud_event_delivery: bool | None = None
    qwebhook: Settings | None = None


class Webhook(msgspec.Struct, kw_only=True, rename="camel"):
    """A webhook as it is read: no secret, and of encrypted headers only the names."""

    id: str
    name: str
    url: str
    description: str
    event_types: list[str]
    filter: str
    headers: dict[str, str]
    encrypted_headers: list[str]
    enabled: bool
    level: Level
    owner_id: str | None
    check_certificate_revocation: bool
    enable_cloud_event_delivery: bool
    origin: Origin
    secret_key_added: bool
    created_at: str
    created_by_user_id: str
    updated_at: str
    updated_by_user_id: str
    disabled_reason: str | None = None
    disabled_reason_code: str | None = None
    qwebhook: Settings = msgspec.field(default_factory=Settings)

    @property
    def scheme(self) -> str:
        """Of its URL, which decides the target."""
        return self.url.partition(":")[0].lower()

    @property
    def strict(self) -> bool:
        """Whether deliveries are made in order, a retry holding the next, as rows of a spreadsheet always are."""
        return self.qwebhook.ordering == "strict" or self.scheme in SHEET_SCHEMES


def check_draft(draft: WebhookDraft) -> None:
    """Refuse a webhook that a database store cannot take. Raises InvalidWebhook, InvalidFilter."""
    check_fields(draft)
    check_headers("encryptedHeaders", draft.encrypted_headers, taken=draft.headers)
    if draft.secret is not None:
        check_secret(draft.secret)


def check_fields(webhook: WebhookDraft | Webhook) -> None:
    """The rules for what can be read back: all but the secret and the values of encrypted headers.

    Raises InvalidWebhook, InvalidFilter.
    """
    if not webhook.name.strip():
        raise InvalidWebhook("name", "is empty")
    for field, text, limit in (
        ("name", webhook.name, MAX_NAME),
        ("description", webhook.description, MAX_DESCRIPTION),
        ("filter", webhook.filter, MAX_FILTER),
    ):
        if len(text) > limit:
            raise InvalidWebhook(field, f"has {len(text)} characters", f"use {limit} at most")
    if not webhook.name.isprintable():
        raise InvalidWebhook("name", "has characters that cannot be printed")
    check_url(webhook.url)
    check_event_types(webhook.event_types)
    check_headers("headers", webhook.headers)
    if webhook.filter:
        Filter(webhook.filter).check_types([catalogue.canonical(name) for name in webhook.event_types])
    if webhook.level not in get_args(Level):
        raise InvalidWebhook("level", f"is {webhook.level!r}", "use tenant or user")
    if webhook.level == "user" and not webhook.owner_id:
        raise InvalidWebhook("ownerId", "is missing", "a webhook of level user sees the events of its owner: name one")
    concurrency = webhook.qwebhook.concurrency
    if concurrency is not None and not 1 <= concurrency <= 1000:
        raise InvalidWebhook("qwebhook.concurrency", f"is {concurrency}", "use 1 to 1000")
    rate = webhook.qwebhook.rate_per_minute
    if rate is not None and not 1 <= rate <= MOST_PER_MINUTE:
        raise InvalidWebhook("qwebhook.ratePerMinute", f"is {rate}", f"use 1 to {MOST_PER_MINUTE}")
    seconds = webhook.qwebhook.timeout
    if seconds is not None and not 1 <= seconds <= 900:
        raise InvalidWebhook("qwebhook.timeout", f"is {seconds}", "use 1 to 900 seconds")
    tenant = webhook.qwebhook.tenant_url
    if tenant is not None and not re.fullmatch(r"https://[A-Za-z0-9.:-]{1,253}/?", tenant):
        raise InvalidWebhook("qwebhook.tenantUrl", "is no address of a tenant", "write https://HOST.DOMAIN")
    retries = webhook.qwebhook.retries
    if retries is not None and (len(retries) > MAX_RETRIES or not all(1 <= one <= LONGEST_RETRY for one in retries)):
        raise InvalidWebhook(
            "qwebhook.retries",
            f"is {retries}"[:80],
            f"use {MAX_RETRIES} waits at most, of 1 to {LONGEST_RETRY} seconds",
        )
    is_sheet = webhook.url.partition(":")[0].lower() in SHEET_SCHEMES
    if webhook.qwebhook.sheet is not None:
        if not is_sheet:
            raise InvalidWebhook("qwebhook.sheet", "is for spreadsheets, and the url is none")
        check_sheet(webhook.qwebhook.sheet, webhook.event_types)
    for name in ("preset", "template"):
        if is_sheet and getattr(webhook.qwebhook, name) is not None:
            raise InvalidWebhook(f"qwebhook.{name}", "is not for spreadsheets", "columns say what their rows hold")
    origin = webhook.qwebhook.request_origin
    if origin is not None and not is_origin(origin):
        raise InvalidWebhook("qwebhook.requestOrigin", "is not a DNS name", "write for example events.example.com")


def check_url(url: str) -> None:
    """The rules of its scheme, which is one of SCHEMES. Raises InvalidWebhook."""
    if len(url) > MAX_URL:
        raise InvalidWebhook("url", f"has {len(url)} characters", f"use {MAX_URL} at most")
    scheme = url.partition(":")[0].lower()
    if scheme == "mailto":
        read_mailto(url)
        return
    if scheme == "exec":
        _check_command(url)
        return
    if scheme in SHEET_SCHEMES:
        check_sheet_url(url)
        return
    if scheme == "notify":
        if not _SERVICE.fullmatch(url.partition(":")[2]):
            raise InvalidWebhook("url", "names no service", "write notify:NAME, with a NAME of [notify] in config.toml")
        return
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidWebhook("url", "has spaces or characters outside ASCII", "percent-encode them")
    # Python's own words about a malformed URL would quote it, a password included.
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidWebhook("url", "cannot be read: the brackets hold no IPv6 address") from None
    try:
        port = parts.port
    except ValueError:
        raise InvalidWebhook("url", "has a port that is not a number from 1 to 65535") from None
    if parts.scheme.lower() not in SCHEMES:
        raise InvalidWebhook("url", f"scheme {parts.scheme!r} is not one of {', '.join(SCHEMES)}")
    if not parts.hostname:
        raise InvalidWebhook("url", "has no host", "write https://HOST/PATH")
    if port == 0:
        raise InvalidWebhook("url", "port 0 cannot be connected to")
    if parts.username is not None:
        raise InvalidWebhook("url", "carries a user name or password", "put credentials into an encrypted header")
    if "]" in parts.netloc and parts.netloc.rpartition("]")[2][:1] not in ("", ":"):
        raise InvalidWebhook("url", "cannot be read: something follows the brackets that is no port")
    if "\\" in parts.netloc:
        raise InvalidWebhook("url", "has a backslash in its host", "write /")
    if _ONLY_DIGITS.fullmatch(parts.hostname) and not _is_ipv4(parts.hostname):
        # Nothing is asked of a resolver for these, so that every attempt would fail.
        raise InvalidWebhook(
            "url",
            f"{parts.hostname} is not how an address is written",
            f"write {_as_ipv4(parts.hostname) or 'four numbers from 0 to 255, such as 10.0.0.1'}",
        )


def _is_ipv4(host: str) -> bool:
    numbers = host.split(".")
    return len(numbers) == 4 and all(one.isdigit() and str(int(one)) == one and int(one) < 256 for one in numbers)


def _as_ipv4(host: str) -> str:
    """The address that the C library takes a host of digits for: numbers with a leading zero are octal, and the last
    one stands for all bytes that are left. "" if it is none.
    """
    try:
        *first, last = (int(one, 8 if one.startswith("0") else 10) for one in host.removesuffix(".").split("."))
        return (
            ""
            if len(first) > 3
            else ".".join(str(byte) for byte in bytes(first) + last.to_bytes(4 - len(first), "big"))
        )
    except (ValueError, OverflowError):
        return ""


def _check_command(url: str) -> None:
    try:
        argv = shlex.split(url.partition(":")[2])
    except ValueError as error:
        raise InvalidWebhook("url", f"cannot be read as a command: {str(error).lower()}") from None
    if not argv:
        raise InvalidWebhook("url", "names no command", "write exec:/PATH/COMMAND ARGUMENT…")
    if not url.isprintable():
        raise InvalidWebhook("url", "has characters that cannot be printed")


def is_full_name(host: str) -> bool:
    """Whether a URL's host is a name of several labels, as the service wants it: no address in any spelling, since
    whatever ends in a digit may be read as one, and no name of the machine itself.
    """
    labels = host.removesuffix(".").lower().split(".")
    if len(labels) < 2 or labels[-1] in ("localhost", "localdomain") or not labels[-1][:1].isalpha():
        return False
    return all(_LABEL.fullmatch(label) for label in labels) and not labels[-1][-1:].isdigit()


def check_event_types(names: Sequence[str]) -> None:
    """Well-formed types, none twice; none at all matches nothing. Raises InvalidWebhook."""
    if len(names) > MAX_EVENT_TYPES:
        raise InvalidWebhook("eventTypes", f"has {len(names)} entries", f"use {MAX_EVENT_TYPES} at most")
    seen: dict[str, str] = {}
    for name in names:
        if not is_well_formed_type(name):
            raise InvalidWebhook(
                "eventTypes",
                f"{name[:80]!r} is not a well-formed type",
                "write for example com.qlik.v1.app.created",
            )
        canonical = catalogue.canonical(name)
        if canonical in seen:
            first = seen[canonical]
            twice = f"{name!r} is given twice" if first == name else f"{first!r} and {name!r} are the same event"
            raise InvalidWebhook("eventTypes", twice)
        seen[canonical] = name


def check_headers(field: str, headers: Mapping[str, str], taken: Mapping[str, str] | None = None) -> None:
    """Names are tokens, not reserved, and unique without regard to case, in `taken` too; 2,048 bytes in all.

    Raises InvalidWebhook; values are never shown.
    """
    seen = {name.lower() for name in taken or ()}
    for name, value in headers.items():
        lower = name.lower()
        if not _HEADER_NAME.fullmatch(name):
            raise InvalidWebhook(field, f"{name!r} is not a header name")
        if lower in RESERVED_HEADERS or lower.startswith(RESERVED_HEADER_PREFIX):
            raise InvalidWebhook(field, f"{name!r} is set by qwebhook itself", "choose another name")
        if lower in seen:
            raise InvalidWebhook(field, f"{name!r} is given twice", "names are compared without regard to case")
        if not value.isprintable() or not value.isascii() or value != value.strip():
            raise InvalidWebhook(
                field, f"the value of {name!r} has spaces at an end or characters outside printable ASCII"
            )
        seen.add(lower)
    size = sum(len(name) + len(value) for name, value in headers.items())
    if size > MAX_HEADER_BYTES:
        raise InvalidWebhook(field, f"take {size} bytes", f"use {MAX_HEADER_BYTES} at most")
