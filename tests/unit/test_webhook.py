"""What a webhook may be, and what is said of one that it may not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.model import catalogue
from qwebhook.model.errors import InvalidFilter, InvalidInput, InvalidWebhook
from qwebhook.model.webhook import (
    MAX_DESCRIPTION,
    MAX_EVENT_TYPES,
    MAX_FILTER,
    MAX_HEADER_BYTES,
    MAX_NAME,
    MAX_URL,
    Settings,
    Webhook,
    WebhookDraft,
    WebhookReplacement,
    check_draft,
    check_event_types,
    check_fields,
    check_headers,
    check_url,
)
from tests.builders import APP_CREATED, APP_DELETED, OWNER, RELOAD_FINISHED, SECRET, URL, webhook, webhook_draft
from tests.strategies import printable_ascii

PRIVATE = "hunter2-hunter2-hunter2"
RENAMED = next(iter(catalogue.aliases().items()))


def refusal(check: Any, *arguments: Any, **named: Any) -> InvalidWebhook:
    with pytest.raises(InvalidWebhook) as refused:
        check(*arguments, **named)
    assert refused.value.message.startswith(f"{refused.value.field}: ")
    return refused.value


# --- The wire's names and defaults ---


def test_the_least_draft_has_the_service_s_defaults() -> None:
    draft = msgspec.json.decode(b'{"name":"n","url":"https://a.example/"}', type=WebhookDraft)
    assert draft.enabled is False
    assert (draft.level, draft.origin, draft.filter, draft.secret) == ("tenant", "api", "", None)
    assert draft.qwebhook == Settings(type_names="asReceived", ordering="arrival", concurrency=None)


def test_drafts_do_not_share_their_lists_and_maps() -> None:
    one, other = WebhookDraft(name="a", url=URL), WebhookDraft(name="b", url=URL)
    one.event_types.append("x")
    one.headers["X"] = "1"
    one.encrypted_headers["Y"] = "2"
    one.qwebhook.concurrency = 3
    assert (other.event_types, other.headers, other.encrypted_headers) == ([], {}, {})
    assert other.qwebhook == Settings()


def test_a_draft_is_read_under_the_service_s_names() -> None:
    body = {
        "name": "n",
        "url": URL,
        "eventTypes": [APP_CREATED],
        "encryptedHeaders": {"Authorization": "Bearer x"},
        "ownerId": OWNER,
        "checkCertificateRevocation": True,
        "enableCloudEventDelivery": True,
        "qwebhook": {"typeNames": "subscribed", "ordering": "strict", "concurrency": 2},
    }
    draft = msgspec.convert(body, WebhookDraft)
    assert draft.event_types == [APP_CREATED]
    assert draft.encrypted_headers == {"Authorization": "Bearer x"}
    assert draft.owner_id == OWNER
    assert draft.check_certificate_revocation
    assert draft.enable_cloud_event_delivery
    assert draft.qwebhook == Settings(type_names="subscribed", ordering="strict", concurrency=2)


@pytest.mark.parametrize(
    "members",
    [{"id": "1"}, {"secretKeyAdded": True}, {"level": "group"}, {"enabled": "yes"}, {"qwebhook": {"unknown": 1}}],
    ids=str,
)
def test_a_draft_takes_no_other_members(members: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "n", "url": URL} | members, WebhookDraft)


@pytest.mark.parametrize("name", ["id", "origin", "createdAt", "secretKeyAdded", "disabledReason", "unknown"])
def test_a_replacement_takes_what_a_client_writes_and_nothing_else(name: str) -> None:
    least = {"name": "n", "url": URL}
    assert msgspec.convert(least, WebhookReplacement).enabled is False
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(least | {name: "x"}, WebhookReplacement)


def test_a_webhook_is_written_under_the_service_s_names() -> None:
    written = msgspec.to_builtins(webhook())
    assert set(written) == {
        "id", "name", "url", "description", "eventTypes", "filter", "headers", "encryptedHeaders", "enabled", "level",
        "ownerId", "checkCertificateRevocation", "enableCloudEventDelivery", "origin", "secretKeyAdded", "createdAt",
        "createdByUserId", "updatedAt", "updatedByUserId", "disabledReason", "disabledReasonCode", "qwebhook",
    }  # fmt: skip
    assert msgspec.convert(written, Webhook) == webhook()


# --- What is taken ---


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"secret": SECRET},
        {"name": "x" * MAX_NAME, "description": "d" * MAX_DESCRIPTION},
        {"name": "Отчёты ☃", "description": "two\nlines"},
        {"url": "http://127.0.0.1:9000/"},
        # The system's resolver knows addresses in hexadecimal.
        {"url": "http://0x7f.1:9000/"},
        {"url": "http://1.example:9000/"},
        {"url": "HTTPS://[::1]:8443/a?b=c#d"},
        {"url": "https://a.example/%20%C3%A9;x=1"},
        {"url": "https://" + "a" * (MAX_URL - 8)},
        {"filter": 'id eq "a"'.ljust(MAX_FILTER)},
        {"event_types": [f"t{number}" for number in range(MAX_EVENT_TYPES)]},
        {"level": "user", "owner_id": OWNER},
        {"filter": 'spaceId eq "a" or id ne "b"'},
        {"filter": 'data.status eq "error"', "event_types": [RELOAD_FINISHED]},
        {"filter": 'data.status eq "error"', "event_types": ["com.qlik.app.reload.finished"]},
        {"headers": {"X-A": "1", "x-b": ""}, "encrypted_headers": {"Authorization": "Bearer x"}},
        {"headers": {"User-Agent": "mine", "Content-Type": "application/cloudevents+json"}},
        {"qwebhook": Settings(concurrency=1)},
        {"qwebhook": Settings(rate_per_minute=1, request_origin="events.example.com")},
        {"qwebhook": Settings(rate_per_minute=1_000_000)},
        {"qwebhook": Settings(concurrency=1000, ordering="strict", type_names="subscribed")},
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_good_drafts_are_taken(fields: dict[str, Any]) -> None:
    check_draft(webhook_draft(**fields))


def test_a_webhook_that_was_read_is_taken() -> None:
    check_fields(webhook(encrypted_headers=["Authorization"]))


# --- What is refused ---


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"name": ""}, "name", "is empty"),
        ({"name": " \t"}, "name", "is empty"),
        ({"name": "x" * 257}, "name", "has 257 characters; use 256 at most"),
        ({"name": "a\nb"}, "name", "cannot be printed"),
        ({"name": "a\udcff"}, "name", "cannot be printed"),
        ({"description": "x" * 4097}, "description", "has 4097 characters; use 4096 at most"),
        ({"filter": 'id eq "a"'.ljust(MAX_FILTER + 1)}, "filter", "has 16385 characters; use 16384 at most"),
        ({"url": ""}, "url", "scheme '' is not one of https, http"),
        ({"headers": {"Host": "x"}}, "headers", "is set by qwebhook itself"),
        ({"encrypted_headers": {"Host": "x"}}, "encryptedHeaders", "is set by qwebhook itself"),
        ({"headers": {"X-A": "1"}, "encrypted_headers": {"x-a": "2"}}, "encryptedHeaders", "'x-a' is given twice"),
        ({"secret": "short"}, "secret", "has 5 characters"),
        ({"secret": ""}, "secret", "has 0 characters"),
        ({"level": "group"}, "level", "is 'group'; use tenant or user"),
        ({"level": "user"}, "ownerId", "is missing"),
        ({"level": "user", "owner_id": ""}, "ownerId", "is missing"),
        ({"qwebhook": Settings(concurrency=0)}, "qwebhook.concurrency", "is 0; use 1 to 1000"),
        ({"qwebhook": Settings(concurrency=1001)}, "qwebhook.concurrency", "is 1001; use 1 to 1000"),
        ({"qwebhook": Settings(rate_per_minute=0)}, "qwebhook.ratePerMinute", "is 0; use 1 to 1000000"),
        ({"qwebhook": Settings(rate_per_minute=1_000_001)}, "qwebhook.ratePerMinute", "is 1000001; use 1 to 1000000"),
        ({"qwebhook": Settings(request_origin="a b")}, "qwebhook.requestOrigin", "is not a DNS name"),
        ({"qwebhook": Settings(request_origin="")}, "qwebhook.requestOrigin", "is not a DNS name"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_drafts_are_refused(fields: dict[str, Any], field: str, says: str) -> None:
    refused = refusal(check_draft, webhook_draft(**fields))
    assert type(refused) is InvalidWebhook
    assert refused.field == field
    assert says in str(refused)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"filter": "id"}, "is expected, not the end"),
        ({"filter": " "}, "it is empty"),
        ({"filter": 'data.status eq "ok"'}, "only event type"),
        ({"filter": 'data.status eq "ok"', "event_types": [RELOAD_FINISHED, APP_CREATED]}, "only event type"),
        ({"filter": 'data.status eq "fine"', "event_types": [RELOAD_FINISHED]}, '"ok" or "error"'),
    ],
    ids=str,
)
def test_a_bad_filter_is_an_invalid_filter(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidFilter) as refused:
        check_draft(webhook_draft(**fields))
    assert says in refused.value.message


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("receiver.example.com/hook", "scheme '' is not one of"),
        ("ftp://a.example/", "scheme 'ftp' is not one of"),
        ("javascript:alert(1)", "scheme 'javascript' is not one of"),
        ("//a.example/", "scheme '' is not one of"),
        ("https:///hook", "has no host"),
        ("https:a.example", "has no host"),
        ("https://", "has no host"),
        ("https://:443/", "has no host"),
        ("https://a.example:0/", "port 0 cannot be connected to"),
        ("https://a.example:65536/", "port"),
        ("https://a.example:x/", "port"),
        ("https://[::1/", "cannot be read"),
        ("https://[half]/", "cannot be read"),
        ("https://a b.example/", "has spaces or characters outside ASCII"),
        (" https://a.example/", "has spaces or characters outside ASCII"),
        ("https://a.example/\n", "has spaces or characters outside ASCII"),
        ("https://bücher.example/", "has spaces or characters outside ASCII"),
        ("https://user@a.example/", "carries a user name or password"),
        ("https://[::1]x/", "cannot be read"),
        ("https://a.example\\hook", "has a backslash in its host; write /"),
        ("http://127.1/", "127.1 is not how an address is written; write 127.0.0.1"),
        ("http://127.0.0.1.:80/", "write 127.0.0.1"),
        ("http://2130706433/", "write 127.0.0.1"),
        ("http://0177.0.0.01/", "write 127.0.0.1"),
        ("http://0/", "write 0.0.0.0"),
        ("http://192.168.257/", "write 192.168.1.1"),
        ("http://4294967296/", "write four numbers from 0 to 255"),
        ("http://256.1.1.1/", "write four numbers from 0 to 255"),
        ("http://1.2.3.4.0/", "write four numbers from 0 to 255"),
        ("http://1..2/", "write four numbers from 0 to 255"),
        ("http://089.0.0.1/", "write four numbers from 0 to 255"),
        ("http://./", "write four numbers from 0 to 255"),
        ("https://a.example/" + "a" * 4096, "has 4114 characters; use 4096 at most"),
    ],
    ids=lambda value: value[:40],
)
def test_bad_urls(url: str, says: str) -> None:
    refused = refusal(check_url, url)
    assert refused.field == "url"
    assert says in str(refused)


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{PRIVATE}@a.example/",
        f"https://{PRIVATE}@a.example/",
        f"https://user:{PRIVATE}/x@a.example/",
        f"https://user:{PRIVATE}#x@a.example/",
        f"https://[{PRIVATE}]@a.example/",
    ],
)
def test_a_password_in_a_url_is_not_shown(url: str) -> None:
    assert PRIVATE not in str(refusal(check_url, url))


@given(st.text(max_size=40) | st.text(printable_ascii, max_size=40).map(lambda rest: f"https://{rest}"))
def test_any_text_is_a_url_or_an_invalid_webhook(url: str) -> None:
    try:
        check_url(url)
    except InvalidWebhook as refused:
        assert refused.field == "url"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a b"], "'a b' is not a well-formed type"),
        (["a", ""], "'' is not a well-formed type"),
        (["ok", "x" * 300], "is not a well-formed type"),
        ([f"t{number}" for number in range(201)], "has 201 entries; use 200 at most"),
        (["".join(("a", ".b")), "".join(("a.", "b"))], "'a.b' is given twice"),
        ([APP_CREATED] * 2, f"'{APP_CREATED}' is given twice"),
        ([APP_CREATED, APP_DELETED, APP_CREATED], f"'{APP_CREATED}' is given twice"),
        (list(RENAMED), f"{RENAMED[0]!r} and {RENAMED[1]!r} are the same event"),
        ([RENAMED[1], RENAMED[0]], f"{RENAMED[1]!r} and {RENAMED[0]!r} are the same event"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_event_types(names: list[str], says: str) -> None:
    refused = refusal(check_event_types, names)
    assert refused.field == "eventTypes"
    assert says in str(refused)
    assert len(str(refused)) < 300


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "CONNECTION",
        "Qlik-Signature",
        "qlik-signature",
        "webhook-id",
        "Webhook-Timestamp",
        "WEBHOOK-SIGNATURE",
        "webhook-anything",
    ],
)
def test_own_headers_may_not_take_these_names(name: str) -> None:
    refused = refusal(check_headers, "headers", {name: PRIVATE})
    assert f"{name!r} is set by qwebhook itself" in refused.message
    assert PRIVATE not in str(refused)


@pytest.mark.parametrize("name", ["", "X A", "X:", "X\n", "É", "(x)", "x/y", '"x"', "x\x00"])
def test_a_header_s_name_is_a_token(name: str) -> None:
    refused = refusal(check_headers, "headers", {name: PRIVATE})
    assert refused.message == f"headers: {name!r} is not a header name"


@pytest.mark.parametrize("value", [" a", "a ", "a\nb", "a\r\nX: y", "a\tb", "é", "a\x00", "a\x7f"])
def test_a_header_s_value_is_printable_ascii(value: str) -> None:
    refused = refusal(check_headers, "encryptedHeaders", {"X-Key": value})
    assert refused.message.startswith("encryptedHeaders: the value of 'X-Key' has spaces at an end or characters")


@given(st.text(min_size=1, max_size=30).filter(lambda value: len(value.strip()) > 3))
def test_a_refused_value_is_never_shown(value: str) -> None:
    value = f"q7z{value}\N{SNOWMAN}"
    refused = refusal(check_headers, "headers", {"X-Key": value})
    assert "q7z" not in str(refused)
    assert repr(value)[1:-1] not in str(refused)


def test_names_are_compared_without_regard_to_case() -> None:
    assert "'x-a' is given twice" in refusal(check_headers, "headers", {"X-A": "1", "x-a": "2"}).message
    assert "'x-a' is given twice" in refusal(check_headers, "headers", {"x-a": "1"}, taken={"X-A": "2"}).message
    check_headers("headers", {"X-A": "1"}, taken={"X-B": "2"})


def test_headers_take_2048_bytes_each_kind() -> None:
    full = {"X-A": "v" * (MAX_HEADER_BYTES - 6), "X-B": ""}
    check_draft(webhook_draft(headers=full, encrypted_headers={"Y-A": "v" * (MAX_HEADER_BYTES - 3)}))
    refused = refusal(check_headers, "headers", full | {"X-B": "v"})
    assert str(refused) == "headers: take 2049 bytes; use 2048 at most"


_words = st.text("abcdefghijklmnopqrstuvwxyz -:/@[]#\"'\\\n\N{SNOWMAN}", max_size=12)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": _words,
            "url": _words.map(lambda rest: f"https://{rest}"),
            "event_types": st.lists(_words, max_size=3),
            "filter": _words,
            "headers": st.dictionaries(_words, _words, max_size=2),
            "level": st.sampled_from(["user", "tenant"]),
        },
    )
)
def test_no_refusal_shows_the_secret_or_an_encrypted_header(fields: dict[str, Any]) -> None:
    draft = webhook_draft(secret=PRIVATE, encrypted_headers={"X-Key": f"{PRIVATE}\n"}, **fields)
    with pytest.raises(InvalidInput) as refused:
        check_draft(draft)
    assert PRIVATE not in str(refused.value)
