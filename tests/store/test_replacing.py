"""What every store does when a webhook is replaced whole, given a new secret, or one too many."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qwebhook.model.errors import Forbidden, InvalidInput, InvalidWebhook, NotFound, QuotaExceeded
from qwebhook.model.patch import replacements
from qwebhook.model.signature import MOST_SECRETS, Signer, verify_qlik, verify_standard
from qwebhook.model.timestamps import from_rfc3339
from qwebhook.model.webhook import Settings, WebhookReplacement
from qwebhook.store.contract import WebhookQuery
from tests.builders import APP_CREATED, APP_DELETED, OWNER, SECRET, STANDARD_SECRET, URL, event, webhook_draft
from tests.store.conftest import ANOTHER, ONE, Database, Store
from tests.store.recordings import HOUR, NOW, gone

MISSING = "0193600b-0e9f-7000-8000-00000000ffff"


def replacement(**fields: Any) -> WebhookReplacement:
    return WebhookReplacement(**({"name": "after", "url": URL, "event_types": [APP_DELETED]} | fields))


# The full replace


def test_a_replacement_clears_what_it_leaves_out(store: Store) -> None:
    draft = webhook_draft(
        description="d",
        filter='id eq "a"',
        headers={"X-A": "1"},
        encrypted_headers={"X-B": "2"},
        secret=SECRET,
        level="user",
        owner_id=OWNER,
        check_certificate_revocation=True,
        enable_cloud_event_delivery=True,
        origin="automations",
        qwebhook=Settings(ordering="strict"),
    )
    before = store.create_webhook(draft, ONE)
    after = store.replace_webhook(before.id, replacement(), ANOTHER)
    assert after == store.get_webhook(before.id)
    assert after == msgspec.structs.replace(
        before,
        name="after",
        event_types=[APP_DELETED],
        description="",
        filter="",
        headers={},
        encrypted_headers=[],
        secret_key_added=False,
        enabled=False,
        check_certificate_revocation=False,
        updated_at=after.updated_at,
        updated_by_user_id=ANOTHER,
    )
    endpoint = store.endpoint(before.id)
    assert endpoint.encrypted_headers == {}
    assert endpoint.signer.headers("i", 1, b"") == {}
    assert store.list_webhooks(WebhookQuery(event_types=[APP_CREATED])).items == []
    assert store.list_webhooks(WebhookQuery(event_types=[APP_DELETED], enabled=False)).items == [after]


def test_a_replacement_brings_its_own_secret_and_encrypted_headers(store: Store) -> None:
    draft = webhook_draft(secret=SECRET, encrypted_headers={"X-Old": "1", "X-Kept": "2"})
    before = store.create_webhook(draft, ONE)
    given = replacement(
        url="https://elsewhere.example.com/", secret=STANDARD_SECRET, encrypted_headers={"X-Kept": "3"}, enabled=True
    )
    after = store.replace_webhook(before.id, given, ANOTHER)
    assert (after.encrypted_headers, after.secret_key_added, after.enabled) == (["X-Kept"], True, True)
    endpoint = store.endpoint(before.id)
    assert endpoint.encrypted_headers == {"X-Kept": "3"}
    assert endpoint.signer.headers("i", 1, b"") == Signer([(STANDARD_SECRET, None)]).headers("i", 1, b"")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"url": "ftp://files.example.com/"}, InvalidWebhook),
        ({"filter": "nonsense"}, InvalidInput),
        ({"enable_cloud_event_delivery": False}, Forbidden),
        ({"secret": "short"}, InvalidWebhook),
    ],
    ids=str,
)
def test_a_replacement_that_fails_changes_nothing(store: Store, fields: Any, error: type[Exception]) -> None:
    draft = webhook_draft(secret=SECRET, encrypted_headers={"X-A": "1"}, enable_cloud_event_delivery=True)
    made = store.create_webhook(draft, ONE)
    with pytest.raises(error):
        store.replace_webhook(made.id, replacement(**fields), ANOTHER)
    assert store.get_webhook(made.id) == made
    assert store.endpoint(made.id).encrypted_headers == {"X-A": "1"}


def test_a_webhook_that_does_not_exist_cannot_be_replaced(store: Store) -> None:
    with pytest.raises(NotFound):
        store.replace_webhook(MISSING, replacement(), ONE)
    with pytest.raises(NotFound):
        store.rotate_secret(MISSING, SECRET, HOUR, ONE)


def test_a_replacement_holds_what_is_pending_and_enabling_resumes_it(database: Database) -> None:
    store, journal = database.make(), database.journal()
    made = store.create_webhook(webhook_draft(), ONE)
    (claim,) = journal.write([event(id="a")], [], NOW).accepted[0].claims
    store.replace_webhook(made.id, replacement(event_types=[APP_CREATED]), ONE)
    assert journal.write([event(id="b")], [], NOW).accepted[0].claims == []
    assert journal.claim(claim.webhook, NOW, 10, set()) == [claim]
    store.replace_webhook(made.id, replacement(event_types=[APP_CREATED], enabled=True), ONE)
    assert len(journal.write([event(id="c")], [], NOW).accepted[0].claims) == 1


def test_a_replacement_that_enables_clears_the_reason_of_the_disabling(database: Database) -> None:
    store, journal = database.make(), database.journal()
    made = store.create_webhook(webhook_draft(), ONE)
    (claim,) = journal.write([event()], [], NOW).accepted[0].claims
    journal.write([], [gone(claim)], NOW)
    assert store.get_webhook(made.id).disabled_reason_code == "gone"
    after = store.replace_webhook(made.id, replacement(enabled=True), ONE)
    assert (after.enabled, after.disabled_reason, after.disabled_reason_code) == (True, None, None)


# Rotation


def signing(store: Store, webhook_id: str, at: int) -> list[str]:
    """Which of the secrets sign at a time (ms)."""
    headers = store.endpoint(webhook_id).signer.headers("id", at // 1000, b"{}")
    return [
        secret
        for secret in (SECRET, STANDARD_SECRET, "n" * 40)
        if verify_standard([secret], "id", str(at // 1000), headers["webhook-signature"], b"{}", at / 1000) == ""
    ]


def test_both_secrets_sign_until_the_grace_period_is_over(store: Store) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET), ONE)
    after = store.rotate_secret(made.id, STANDARD_SECRET, HOUR, ANOTHER)
    assert after == store.get_webhook(made.id)
    assert after == msgspec.structs.replace(made, updated_at=after.updated_at, updated_by_user_id=ANOTHER)
    now = from_rfc3339(after.updated_at)
    assert signing(store, made.id, now) == [SECRET, STANDARD_SECRET]
    assert signing(store, made.id, now + HOUR - 1000) == [SECRET, STANDARD_SECRET]
    assert signing(store, made.id, now + HOUR + 1000) == [STANDARD_SECRET]
    headers = store.endpoint(made.id).signer.headers("id", now // 1000, b"{}")
    assert verify_qlik([STANDARD_SECRET], b"{}", headers["Qlik-Signature"])


def test_without_grace_the_new_secret_signs_alone_at_once(store: Store) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET), ONE)
    after = store.rotate_secret(made.id, STANDARD_SECRET, 0, ONE)
    assert signing(store, made.id, from_rfc3339(after.updated_at)) == [STANDARD_SECRET]


def test_a_rotation_without_grace_ends_the_grace_that_others_had(store: Store) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET), ONE)
    store.rotate_secret(made.id, STANDARD_SECRET, HOUR, ONE)
    after = store.rotate_secret(made.id, "n" * 40, 0, ONE)
    assert signing(store, made.id, from_rfc3339(after.updated_at)) == ["n" * 40]


def test_a_webhook_without_a_secret_gets_one_by_rotation(store: Store) -> None:
    made = store.create_webhook(webhook_draft(), ONE)
    after = store.rotate_secret(made.id, SECRET, HOUR, ONE)
    assert after.secret_key_added
    assert signing(store, made.id, from_rfc3339(after.updated_at)) == [SECRET]


def test_every_secret_has_the_grace_that_it_was_given(store: Store) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET), ONE)
    store.rotate_secret(made.id, STANDARD_SECRET, 3 * HOUR, ONE)
    after = store.rotate_secret(made.id, "n" * 40, HOUR, ONE)
    now = from_rfc3339(after.updated_at)
    assert signing(store, made.id, now) == [SECRET, STANDARD_SECRET, "n" * 40]
    assert signing(store, made.id, now + 2 * HOUR) == [SECRET, "n" * 40]
    assert signing(store, made.id, now + 4 * HOUR) == ["n" * 40]


def test_a_secret_that_comes_back_is_the_present_one_and_no_other(store: Store) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET), ONE)
    store.rotate_secret(made.id, STANDARD_SECRET, HOUR, ONE)
    after = store.rotate_secret(made.id, SECRET, HOUR, ONE)
    now = from_rfc3339(after.updated_at)
    headers = store.endpoint(made.id).signer.headers("id", now // 1000, b"{}")
    assert len(headers["webhook-signature"].split()) == 2
    assert signing(store, made.id, now + 2 * HOUR) == [SECRET]


def test_setting_the_secret_ends_every_grace_period(store: Store) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET), ONE)
    store.rotate_secret(made.id, STANDARD_SECRET, HOUR, ONE)
    after = store.patch_webhook(made.id, replacements({"secret": "n" * 40}), ONE)
    assert signing(store, made.id, from_rfc3339(after.updated_at)) == ["n" * 40]


@pytest.mark.parametrize("secret", ["short", "", SECRET, "x" * 65])
def test_a_secret_that_cannot_be_rotated_to_changes_nothing(store: Store, secret: str) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET), ONE)
    with pytest.raises(InvalidWebhook) as error:
        store.rotate_secret(made.id, secret, HOUR, ANOTHER)
    assert error.value.field == "secret"
    assert SECRET not in str(error.value)
    assert store.get_webhook(made.id) == made
    assert signing(store, made.id, NOW) == [SECRET]


def test_only_so_many_secrets_sign_at_once(store: Store) -> None:
    made = store.create_webhook(webhook_draft(secret=SECRET), ONE)
    for number in range(MOST_SECRETS - 1):
        store.rotate_secret(made.id, f"secret number {number:026}", HOUR, ONE)
    with pytest.raises(InvalidWebhook):
        store.rotate_secret(made.id, "n" * 40, HOUR, ONE)
    store.rotate_secret(made.id, "n" * 40, 0, ONE)


def test_the_very_next_delivery_is_signed_by_both(database: Database) -> None:
    store, journal = database.make(), database.journal()
    made = store.create_webhook(webhook_draft(secret=SECRET), ONE)
    journal.refresh()
    store.rotate_secret(made.id, STANDARD_SECRET, HOUR, ONE)
    written = journal.write([event()], [], NOW)
    assert written.endpoints is not None
    endpoint = written.endpoints.by_row[written.accepted[0].claims[0].webhook]
    assert len(endpoint.signer.headers("i", 1, b"")["webhook-signature"].split()) == 2


# The quota


def test_a_user_has_so_many_webhooks_and_no_more(database: Database) -> None:
    store = database.make()
    made = [store.create_webhook(webhook_draft(name=f"w{number}"), ONE, 3) for number in range(3)]
    with pytest.raises(QuotaExceeded) as error:
        store.create_webhook(webhook_draft(), ONE, 3)
    assert "3" in error.value.message
    assert len(store.list_webhooks(WebhookQuery()).items) == 3
    store.create_webhook(webhook_draft(), ANOTHER, 3)
    store.create_webhook(webhook_draft(), ONE)
    store.delete_webhook(made[0].id)
    with pytest.raises(QuotaExceeded):
        store.create_webhook(webhook_draft(), ONE, 3)
    store.delete_webhook(made[1].id)
    store.create_webhook(webhook_draft(), ONE, 3)


def test_what_another_changed_still_counts_for_who_made_it(database: Database) -> None:
    store = database.make()
    made = store.create_webhook(webhook_draft(), ONE)
    store.patch_webhook(made.id, replacements({"name": "other"}), ANOTHER)
    store.create_webhook(webhook_draft(), ANOTHER, 1)
    with pytest.raises(QuotaExceeded):
        store.create_webhook(webhook_draft(), ONE, 1)


def test_an_invalid_webhook_is_told_before_the_quota(database: Database) -> None:
    store = database.make()
    with pytest.raises(InvalidWebhook):
        store.create_webhook(webhook_draft(name=""), ONE, 0)
    with pytest.raises(QuotaExceeded):
        store.create_webhook(webhook_draft(), ONE, 0)
