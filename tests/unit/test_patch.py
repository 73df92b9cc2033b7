"""Changes of a webhook: JSON Patch and the full replace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from qwebhook.model.decoding import misfit
from qwebhook.model.errors import Forbidden, InvalidFilter, InvalidInput, InvalidPatch, InvalidWebhook
from qwebhook.model.patch import Patched, PatchOperation, apply_patch, apply_replacement, replacements
from qwebhook.model.webhook import Settings, Webhook, WebhookReplacement
from tests.builders import APP_CREATED, APP_DELETED, OWNER, RELOAD_FINISHED, SECRET, URL, webhook

NEW_URL = "https://other.example.com/"
PRIVATE = "hunter2-hunter2-hunter2"
ENCRYPTED = {"Authorization": "Bearer one", "X-Key": "two"}


def never() -> dict[str, str]:
    raise AssertionError("the encrypted headers were decrypted for nothing")


def patched(before: Webhook, *operations: tuple[Any, ...], encrypted: Callable[[], dict[str, str]] = never) -> Patched:
    """The operations, each (op, path) or (op, path, value), applied."""
    return apply_patch(before, [PatchOperation(*operation) for operation in operations], encrypted)


def with_encrypted(**fields: Any) -> Webhook:
    return webhook(encrypted_headers=sorted(ENCRYPTED), **fields)


# --- Whole fields ---


@pytest.mark.parametrize(
    ("path", "value", "attribute"),
    [
        ("/name", "other", "name"),
        ("/description", "text", "description"),
        ("/url", NEW_URL, "url"),
        ("/eventTypes", [APP_DELETED], "event_types"),
        ("/filter", 'id eq "a"', "filter"),
        ("/headers", {"X-A": "1"}, "headers"),
        ("/enabled", False, "enabled"),
        ("/ownerId", OWNER, "owner_id"),
        ("/enableCloudEventDelivery", True, "enable_cloud_event_delivery"),
    ],
)
@pytest.mark.parametrize("op", ["add", "replace"])
def test_a_field_is_set(op: str, path: str, value: Any, attribute: str) -> None:
    before = webhook()
    after = patched(before, (op, path, value))
    assert after.webhook == msgspec.structs.replace(before, **{attribute: value})
    assert after.secret is UNSET
    assert after.encrypted_headers is UNSET


def test_the_level_is_set_together_with_the_owner() -> None:
    after = patched(webhook(), ("replace", "/level", "user"), ("add", "/ownerId", OWNER)).webhook
    assert (after.level, after.owner_id) == ("user", OWNER)


def test_qwebhook_s_own_settings_are_set() -> None:
    after = patched(webhook(), ("replace", "/qwebhook", {"ordering": "strict"})).webhook
    assert after.qwebhook == Settings(ordering="strict")


@pytest.mark.parametrize(
    ("path", "attribute", "value"),
    [
        ("/description", "description", ""),
        ("/filter", "filter", ""),
        ("/headers", "headers", {}),
        ("/ownerId", "owner_id", None),
        ("/qwebhook", "qwebhook", Settings()),
    ],
)
def test_a_field_is_removed(path: str, attribute: str, value: Any) -> None:
    before = webhook(
        description="d", filter='id eq "a"', headers={"X": "1"}, owner_id=OWNER, qwebhook=Settings(concurrency=2)
    )
    assert patched(before, ("remove", path)).webhook == msgspec.structs.replace(before, **{attribute: value})


@pytest.mark.parametrize("field", ["name", "url", "eventTypes", "enabled", "level", "enableCloudEventDelivery"])
def test_a_field_that_a_webhook_must_have_cannot_be_removed(field: str) -> None:
    with pytest.raises(InvalidPatch, match=f"operation 1: /{field} cannot be removed"):
        patched(webhook(), ("remove", f"/{field}"))


@pytest.mark.parametrize("op", ["add", "replace", "remove"])
def test_null_stands_for_a_field_that_a_webhook_does_not_have(op: str) -> None:
    before = webhook(description="d", filter='id eq "a"', headers={"X": "1"}, owner_id=OWNER, secret_key_added=True)
    paths = ("/description", "/filter", "/headers", "/ownerId", "/secret")
    after = patched(before, *((op, path, None) for path in paths))
    assert after.webhook == webhook()
    assert after.secret is None
    with pytest.raises(InvalidInput):
        patched(webhook(headers={"X": "1"}), (op, "/name", None))


def test_operations_are_applied_in_order() -> None:
    after = patched(webhook(), ("replace", "/name", "a"), ("replace", "/name", "b")).webhook
    assert after.name == "b"


def test_no_operations_change_nothing() -> None:
    assert patched(webhook()) == Patched(webhook=webhook())


def test_the_webhook_and_the_values_that_were_given_stay_as_they_were() -> None:
    before, value = webhook(headers={"X-A": "1"}), {"X-B": "2"}
    after = patched(before, ("replace", "/headers", value), ("add", "/headers/X-C", "3")).webhook
    assert after.headers == {"X-B": "2", "X-C": "3"}
    assert before == webhook(headers={"X-A": "1"})
    assert value == {"X-B": "2"}


def test_settings_that_were_removed_are_not_shared_between_webhooks() -> None:
    one, other = (patched(webhook(), ("remove", "/qwebhook")).webhook for _ in range(2))
    one.qwebhook.concurrency = 7
    assert other.qwebhook == Settings()
    assert patched(webhook(), ("remove", "/qwebhook")).webhook.qwebhook == Settings()


def test_replacements_are_operations() -> None:
    assert replacements({"name": "n", "enabled": True}) == [
        PatchOperation("replace", "/name", "n"),
        PatchOperation("replace", "/enabled", True),
    ]


# --- Members of qwebhook ---

ROWS = {"columns": {"Id": "data.id"}, "key": "Id", "mode": "upsert"}


@pytest.mark.parametrize("op", ["add", "replace"])
def test_a_single_setting_is_set(op: str) -> None:
    before = webhook(qwebhook=Settings(ordering="strict", concurrency=2))
    after = patched(before, (op, "/qwebhook/concurrency", 3), (op, "/qwebhook/retries", [5])).webhook
    assert after.qwebhook == Settings(ordering="strict", concurrency=3, retries=[5])
    assert before.qwebhook == Settings(ordering="strict", concurrency=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("typeNames", "subscribed"),
        ("ordering", "strict"),
        ("concurrency", 4),
        ("ratePerMinute", 90),
        ("requestOrigin", "events.example.com"),
        ("preset", "slack"),
        ("template", "{{ text }}"),
        ("tenantUrl", "https://acme.example.com"),
        ("timeout", 30),
        ("retries", []),
        ("sheet", ROWS),
    ],
)
@pytest.mark.parametrize("operation", [("remove",), ("replace", None), ("add", None)], ids=str)
def test_a_single_setting_is_removed(name: str, value: Any, operation: tuple[Any, ...]) -> None:
    before = webhook(url="csv:/a/b.csv", qwebhook=msgspec.convert({name: value}, Settings))
    op, *given = operation
    assert patched(before, (op, f"/qwebhook/{name}", *given)).webhook.qwebhook == Settings()
    assert patched(webhook(), ("remove", f"/qwebhook/{name}")).webhook.qwebhook == Settings()


def test_settings_apply_in_order_and_the_result_is_what_counts() -> None:
    before = webhook(url="csv:/a/b.csv", qwebhook=msgspec.convert({"sheet": ROWS}, Settings))
    with pytest.raises(InvalidWebhook, match="is for spreadsheets"):
        patched(before, ("replace", "/url", URL))
    after = patched(
        before,
        ("replace", "/url", URL),
        ("add", "/qwebhook", {"concurrency": 2}),
        ("add", "/qwebhook/preset", "slack"),
    ).webhook
    assert after.qwebhook == Settings(concurrency=2, preset="slack")


def test_settings_that_are_none() -> None:
    with pytest.raises(InvalidPatch, match="'/qwebhook/retry' does not exist"):
        patched(webhook(), ("remove", "/qwebhook/retry"))
    with pytest.raises(InvalidPatch, match="'/qwebhook/sheet/key' does not exist"):
        patched(webhook(), ("remove", "/qwebhook/sheet/key"))
    with pytest.raises(InvalidWebhook, match=r"qwebhook\.concurrency: must be a whole number, not text"):
        patched(webhook(), ("add", "/qwebhook/concurrency", "4"))


# --- Members of headers ---


def test_single_headers_are_added_replaced_and_removed() -> None:
    before = webhook(headers={"X-A": "1", "X-B": "2", "X-C": "3"})
    after = patched(
        before, ("add", "/headers/X-D", "4"), ("replace", "/headers/x-b", "22"), ("remove", "/headers/x-c")
    ).webhook
    assert after.headers == {"X-A": "1", "x-b": "22", "X-D": "4"}


def test_adding_a_header_that_is_there_replaces_it() -> None:
    assert patched(webhook(headers={"X-A": "1"}), ("add", "/headers/x-a", "2")).webhook.headers == {"x-a": "2"}


def test_the_escapes_of_a_path_are_undone() -> None:
    assert patched(webhook(), ("add", "/headers/a~0b", "1")).webhook.headers == {"a~b": "1"}
    with pytest.raises(InvalidWebhook, match="'a/b' is not a header name"):
        patched(webhook(), ("add", "/headers/a~1b", "1"))
    # "~01" is an escaped tilde before a 1, not an escaped slash.
    assert patched(webhook(), ("add", "/headers/a~01b", "1")).webhook.headers == {"a~1b": "1"}


@pytest.mark.parametrize("op", ["replace", "remove"])
@pytest.mark.parametrize("field", ["headers", "encryptedHeaders"])
def test_a_header_that_is_not_there_can_only_be_added(op: str, field: str) -> None:
    value = ("v",) if op == "replace" else ()
    with pytest.raises(InvalidPatch, match=f"operation 1: there is no /{field}/X-None"):
        patched(webhook(), (op, f"/{field}/X-None", *value), encrypted=dict)


def test_one_encrypted_header_changes_among_others() -> None:
    after = patched(with_encrypted(), ("replace", "/encryptedHeaders/x-key", "new"), encrypted=lambda: ENCRYPTED)
    assert after.encrypted_headers == {"Authorization": "Bearer one", "x-key": "new"}
    assert after.webhook.encrypted_headers == ["Authorization", "x-key"]
    assert ENCRYPTED == {"Authorization": "Bearer one", "X-Key": "two"}


def test_encrypted_headers_are_not_decrypted_when_all_are_replaced() -> None:
    after = patched(with_encrypted(), ("replace", "/encryptedHeaders", {"X-New": "v"}))
    assert after.encrypted_headers == {"X-New": "v"}
    assert after.webhook.encrypted_headers == ["X-New"]


def test_all_encrypted_headers_can_be_removed() -> None:
    after = patched(with_encrypted(), ("remove", "/encryptedHeaders"))
    assert after.encrypted_headers == {}
    assert after.webhook.encrypted_headers == []


def test_a_header_cannot_be_both_plain_and_encrypted() -> None:
    with pytest.raises(InvalidWebhook, match="given twice"):
        patched(with_encrypted(), ("add", "/headers/x-key", "v"))
    with pytest.raises(InvalidWebhook, match="given twice"):
        patched(webhook(headers={"X-A": "1"}), ("add", "/encryptedHeaders/x-a", "v"), encrypted=dict)


# --- A new URL and encrypted headers ---

REFUSED_WITH_A_NEW_URL: dict[str, list[tuple[Any, ...]]] = {
    "alone": [],
    "one of two given again": [("replace", "/encryptedHeaders/X-Key", "two")],
    "one of two removed": [("remove", "/encryptedHeaders/X-Key")],
    "another added": [("add", "/encryptedHeaders/X-Other", "v")],
    "an empty name": [("add", "/encryptedHeaders/", "v"), ("remove", "/encryptedHeaders/")],
    "plain ones replaced": [("replace", "/headers", {})],
}
TAKEN_WITH_A_NEW_URL: dict[str, list[tuple[Any, ...]]] = {
    "all given again": [("replace", "/encryptedHeaders", ENCRYPTED)],
    "others given": [("replace", "/encryptedHeaders", {"X-New": "v"})],
    "all removed": [("remove", "/encryptedHeaders")],
    "each given again": [("replace", "/encryptedHeaders/x-key", "2"), ("add", "/encryptedHeaders/authorization", "1")],
    "each given again or removed": [
        ("remove", "/encryptedHeaders/Authorization"),
        ("replace", "/encryptedHeaders/X-Key", "2"),
    ],
}


@pytest.mark.parametrize("case", REFUSED_WITH_A_NEW_URL)
@pytest.mark.parametrize("url_first", [True, False])
def test_a_new_url_does_not_get_the_old_one_s_encrypted_headers(case: str, url_first: bool) -> None:
    operations = REFUSED_WITH_A_NEW_URL[case]
    url = ("replace", "/url", NEW_URL)
    operations = [url, *operations] if url_first else [*operations, url]
    with pytest.raises(InvalidWebhook) as refused:
        patched(with_encrypted(), *operations, encrypted=lambda: ENCRYPTED)
    assert refused.value.field == "encryptedHeaders"
    assert "must be given again or removed with a new url" in refused.value.message
    assert "two" not in str(refused.value)


@pytest.mark.parametrize("case", TAKEN_WITH_A_NEW_URL)
def test_a_new_url_may_have_encrypted_headers_that_are_given_with_it(case: str) -> None:
    operations = TAKEN_WITH_A_NEW_URL[case]
    after = patched(with_encrypted(), ("replace", "/url", NEW_URL), *operations, encrypted=lambda: ENCRYPTED)
    assert after.webhook.url == NEW_URL
    assert after.encrypted_headers is not UNSET


def test_the_same_url_is_no_new_one() -> None:
    after = patched(with_encrypted(), ("replace", "/url", URL), ("replace", "/name", "n"))
    assert after.encrypted_headers is UNSET
    assert after.webhook.encrypted_headers == sorted(ENCRYPTED)


def test_without_encrypted_headers_a_url_changes_alone() -> None:
    assert patched(webhook(), ("replace", "/url", NEW_URL)).webhook.url == NEW_URL


# --- Secrets ---


def test_a_secret_is_set_and_removed() -> None:
    after = patched(webhook(), ("replace", "/secret", SECRET))
    assert (after.secret, after.webhook.secret_key_added) == (SECRET, True)
    after = patched(webhook(secret_key_added=True), ("remove", "/secret"))
    assert (after.secret, after.webhook.secret_key_added) == (None, False)
    after = patched(webhook(secret_key_added=True), ("replace", "/name", "n"))
    assert (after.secret, after.webhook.secret_key_added) == (UNSET, True)
    after = patched(webhook(secret_key_added=True), ("replace", "/secret", SECRET), ("remove", "/secret"))
    assert (after.secret, after.webhook.secret_key_added) == (None, False)


def test_a_bad_secret_is_refused_without_being_shown() -> None:
    with pytest.raises(InvalidWebhook) as refused:
        patched(webhook(), ("replace", "/secret", PRIVATE))
    assert refused.value.field == "secret"
    assert PRIVATE not in str(refused.value)


# --- What is refused ---


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        (("replace", "name", "n"), "path 'name' does not begin with '/'"),
        (("replace", "", {}), "path '' does not begin with '/'"),
        (("replace", "/", "n"), "path '/' cannot be changed"),
        (("replace", "/id", "1"), "path '/id' cannot be changed"),
        (("replace", "/createdAt", "1"), "cannot be changed"),
        (("replace", "/secretKeyAdded", True), "cannot be changed"),
        (("replace", "/disabledReason", ""), "cannot be changed"),
        (("replace", "/event_types", []), "cannot be changed"),
        (("replace", "/Name", "n"), "cannot be changed"),
        (("add", "/eventTypes/0", "a"), "path '/eventTypes/0' does not exist"),
        (("add", "/eventTypes/-", "a"), "does not exist"),
        (("replace", "/name/first", "a"), "does not exist"),
        (("add", "/headers/a/b", "v"), "does not exist"),
        (("replace", "/name"), "'replace' needs a value"),
        (("add", "/headers/X"), "'add' needs a value"),
        (("remove", "/description", "x"), "'remove' takes no value"),
    ],
    ids=str,
)
def test_bad_operations(operation: tuple[Any, ...], says: str) -> None:
    with pytest.raises(InvalidPatch) as refused:
        patched(webhook(), ("replace", "/description", "d"), operation)
    assert refused.value.message.startswith("operation 2: ")
    assert says in refused.value.message


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("/name", 5, "name"),
        ("/name", None, "name"),
        ("/enabled", "true", "enabled"),
        ("/enabled", 1, "enabled"),
        ("/eventTypes", APP_CREATED, "eventTypes"),
        ("/eventTypes", [5], "eventTypes[0]"),
        ("/headers", ["a"], "headers"),
        ("/headers", {"a": 5}, "headers"),
        ("/headers/X-A", 5, "headers/X-A"),
        ("/headers/X-A", {"a": "b"}, "headers/X-A"),
        ("/level", "group", "level"),
        ("/secret", 12345, "secret"),
        ("/qwebhook", {"unknown": 1}, "qwebhook.unknown"),
        ("/qwebhook", {"concurrency": "2"}, "qwebhook.concurrency"),
    ],
    ids=str,
)
def test_values_of_another_type(path: str, value: Any, field: str) -> None:
    with pytest.raises(InvalidWebhook) as refused:
        patched(webhook(), ("add", path, value))
    assert refused.value.field == field
    assert "`" not in str(refused.value)


@pytest.mark.parametrize(
    "operations",
    [
        [("replace", "/name", "")],
        [("replace", "/url", "ftp://a.example/")],
        [("replace", "/eventTypes", [""])],
        [("replace", "/eventTypes", [APP_CREATED, APP_CREATED])],
        [("replace", "/level", "user")],
        [("add", "/headers/Host", "x")],
        [("add", "/headers/X-A", "a\nb")],
        [("replace", "/encryptedHeaders", {"webhook-id": "x"})],
        [("replace", "/encryptedHeaders", {"X-A": "v" * 2100})],
        [("replace", "/qwebhook", {"concurrency": 0})],
    ],
    ids=str,
)
def test_the_result_is_checked_whole(operations: list[tuple[Any, ...]]) -> None:
    with pytest.raises(InvalidWebhook):
        patched(webhook(), *operations)


def test_what_is_wrong_on_the_way_may_be_right_in_the_end() -> None:
    after = patched(webhook(), ("replace", "/name", ""), ("replace", "/name", "n")).webhook
    assert after.name == "n"


def test_a_filter_is_checked_with_the_types_of_the_result() -> None:
    status = ("replace", "/filter", 'data.status eq "ok"')
    with pytest.raises(InvalidFilter):
        patched(webhook(), status)
    after = patched(webhook(), status, ("replace", "/eventTypes", [RELOAD_FINISHED])).webhook
    assert after.filter == status[2]
    with pytest.raises(InvalidFilter):
        patched(after, ("replace", "/eventTypes", [APP_CREATED]))


def test_cloudevent_delivery_cannot_be_turned_off_again() -> None:
    before = webhook(enable_cloud_event_delivery=True)
    with pytest.raises(Forbidden, match="cannot be turned off again"):
        patched(before, ("replace", "/enableCloudEventDelivery", False))
    assert patched(before, ("replace", "/enableCloudEventDelivery", True)).webhook == before


@pytest.mark.parametrize(
    "document",
    [
        b'{"op":"move","path":"/name","from":"/url"}',
        b'{"op":"test","path":"/name","value":"x"}',
        b'{"op":"replace","value":"x"}',
        b'{"op":"replace","path":5,"value":"x"}',
        b'{"op":"replace","path":"/name","value":"x","more":1}',
    ],
)
def test_only_three_operations_are_read(document: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(document, type=PatchOperation)


@pytest.mark.parametrize("op", ["test", "move", "copy", "Replace", ""])
def test_another_operation_is_refused_with_its_name(op: str) -> None:
    document = msgspec.json.encode([{"op": "remove", "path": "/filter"}, {"op": op, "path": "/name"}])
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.json.decode(document, type=list[PatchOperation])
    path, words = misfit(error.value, list[PatchOperation])
    assert (path, words) == ("[1].op", f"is '{op}', not one of add, remove, replace")


def test_a_null_value_is_told_from_none() -> None:
    read = msgspec.json.decode(
        b'[{"op":"add","path":"/name","value":null},{"op":"remove","path":"/filter"}]', type=list[PatchOperation]
    )
    assert read[0].value is None
    assert read[1].value is UNSET


_paths = st.sampled_from(
    [
        "/name",
        "/url",
        "/headers",
        "/headers/X",
        "/encryptedHeaders",
        "/encryptedHeaders/X-Key",
        "/secret",
        "/enabled",
        "/filter",
    ]
) | st.text("/~01abc", max_size=5)
_values = st.sampled_from(["text", PRIVATE, f"{PRIVATE}\n", True, 5, [], ["a"], {"X": "y"}, {"X-Key": f"{PRIVATE}\n"}])
_operations = st.builds(PatchOperation, st.sampled_from(["add", "remove", "replace"]), _paths, _values | st.just(UNSET))


@given(st.lists(_operations, min_size=1, max_size=4))
def test_any_patch_is_applied_or_refused_and_shows_no_value(operations: list[PatchOperation]) -> None:
    try:
        after = apply_patch(with_encrypted(), operations, lambda: ENCRYPTED)
    except (InvalidInput, Forbidden) as refused:
        # A filter is no secret, and what is wrong in it has to be shown.
        assert PRIVATE not in str(refused) or isinstance(refused, InvalidFilter)
    else:
        assert after.webhook.id == webhook().id


# --- The full replace ---

FULL = webhook(
    name="before",
    description="d",
    event_types=[RELOAD_FINISHED],
    filter='data.status eq "ok"',
    headers={"X-A": "1"},
    encrypted_headers=["X-Key"],
    level="user",
    owner_id=OWNER,
    check_certificate_revocation=True,
    enable_cloud_event_delivery=True,
    origin="automations",
    secret_key_added=True,
    qwebhook=Settings(ordering="strict"),
)


def replacement(**fields: Any) -> WebhookReplacement:
    """The least replacement that is valid, with these fields."""
    return WebhookReplacement(**({"name": "after", "url": NEW_URL, "event_types": [APP_CREATED]} | fields))


def test_what_a_replacement_leaves_out_is_cleared() -> None:
    after = apply_replacement(FULL, replacement())
    assert after == Patched(
        webhook=msgspec.structs.replace(
            FULL,
            name="after",
            url=NEW_URL,
            description="",
            event_types=[APP_CREATED],
            filter="",
            headers={},
            encrypted_headers=[],
            enabled=False,
            check_certificate_revocation=False,
            secret_key_added=False,
        ),
        secret=None,
        encrypted_headers={},
    )


def test_a_replacement_sets_every_field_that_a_client_writes() -> None:
    fields: dict[str, Any] = {
        "description": "other",
        "filter": 'id eq "a"',
        "headers": {"X-B": "2"},
        "enabled": True,
        "level": "tenant",
        "owner_id": "owner-two",
        "check_certificate_revocation": True,
        "enable_cloud_event_delivery": True,
        "qwebhook": Settings(concurrency=2),
    }
    given = replacement(secret=SECRET, encrypted_headers={"X-New": "v"}, **fields)
    after = apply_replacement(webhook(), given)
    for name, value in fields.items():
        assert getattr(after.webhook, name) == value, name
    assert (after.secret, after.webhook.secret_key_added) == (SECRET, True)
    assert (after.encrypted_headers, after.webhook.encrypted_headers) == ({"X-New": "v"}, ["X-New"])
    written = set(given.__struct_fields__) - {"name", "url", "event_types", "secret", "encrypted_headers"}
    assert written == set(fields)


@pytest.mark.parametrize("given", [None, False, True])
@pytest.mark.parametrize("before", [False, True])
def test_a_replacement_cannot_turn_cloudevent_delivery_off_again(before: bool, given: bool | None) -> None:
    of, change = webhook(enable_cloud_event_delivery=before), replacement(enable_cloud_event_delivery=given)
    if before and given is False:
        with pytest.raises(Forbidden, match="cannot be turned off again"):
            apply_replacement(of, change)
    else:
        assert apply_replacement(of, change).webhook.enable_cloud_event_delivery is bool(before or given)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"url": "ftp://a.example/"}, "url"),
        ({"event_types": [""]}, "eventTypes"),
        ({"level": "user"}, "ownerId"),
        ({"headers": {"Host": "x"}}, "headers"),
        ({"encrypted_headers": {"webhook-id": "x"}}, "encryptedHeaders"),
        ({"headers": {"x-a": "1"}, "encrypted_headers": {"X-A": "x"}}, "encryptedHeaders"),
        ({"secret": PRIVATE}, "secret"),
        ({"qwebhook": Settings(rate_per_minute=0)}, "qwebhook.ratePerMinute"),
    ],
    ids=str,
)
def test_a_replacement_is_checked_whole(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidWebhook) as refused:
        apply_replacement(webhook(), replacement(**fields))
    assert refused.value.field == field
    assert PRIVATE not in str(refused.value)


def test_the_filter_of_a_replacement_is_checked_with_its_types() -> None:
    with pytest.raises(InvalidFilter):
        apply_replacement(FULL, replacement(filter='data.status eq "ok"'))


def test_enabling_by_either_change_takes_the_reason_of_the_disabling_away() -> None:
    disabled = webhook(enabled=False, disabled_reason="gone", disabled_reason_code="gone")
    for after in (
        patched(disabled, ("replace", "/enabled", True)).webhook,
        apply_replacement(disabled, replacement(enabled=True)).webhook,
    ):
        assert (after.enabled, after.disabled_reason, after.disabled_reason_code) == (True, None, None)
    assert apply_replacement(disabled, replacement()).webhook.disabled_reason == "gone"


def test_a_replacement_leaves_the_webhook_it_replaces_as_it_was() -> None:
    before = msgspec.structs.replace(FULL)
    after = apply_replacement(FULL, replacement(headers={"X-A": "1"})).webhook
    after.headers["X-B"] = "2"
    assert before == FULL
