"""Whose a webhook is: what a token of role user sees and may do, and that an administrator is not held back."""

from __future__ import annotations

from typing import Any

import pytest

from qwebhook.model.errors import Forbidden, InvalidWebhook, NotFound
from qwebhook.model.patch import PatchOperation
from qwebhook.model.webhook import Settings, Webhook, WebhookReplacement
from qwebhook.server.api.ownership import (
    check_patch,
    check_replacement,
    confined,
    own_webhook,
    owned_draft,
    user_of,
)
from qwebhook.store.contract import Role, Token, WebhookQuery
from tests.builders import TIME, URL, webhook, webhook_draft

OWN = {"level": "user", "owner_id": "ann"}


def token(role: Role = "user", user_id: str | None = "ann") -> Token:
    return Token(id="1", name="laptop", role=role, created_at=TIME, user_id=user_id)


ANN, ADMIN, NOBODY = token(), token("admin", "root"), token("admin", None)


class Holding:
    """A store that holds one webhook."""

    def __init__(self, held: Webhook) -> None:
        self.held = held

    def get_webhook(self, webhook_id: str) -> Webhook:
        if webhook_id != self.held.id:
            raise NotFound("not here, with a text of its own")
        return self.held


def test_who_acts() -> None:
    assert user_of(ANN) == "ann"
    assert user_of(NOBODY) == "token:laptop"


@pytest.mark.parametrize(
    ("fields", "sees"),
    [
        (OWN, True),
        ({"level": "user", "owner_id": "bob"}, False),
        ({"level": "tenant", "owner_id": "ann"}, False),
        ({"level": "tenant", "owner_id": None}, False),
    ],
)
def test_which_webhooks_there_are_for_a_user(fields: dict[str, Any], sees: bool) -> None:
    held = webhook(**fields)
    store: Any = Holding(held)
    assert own_webhook(store, ADMIN, held.id) is held
    if sees:
        assert own_webhook(store, ANN, held.id) is held
    else:
        with pytest.raises(NotFound):
            own_webhook(store, ANN, held.id)


def test_what_one_may_not_see_cannot_be_told_from_what_is_not_there() -> None:
    held = webhook(level="tenant")
    told = []
    for store in (Holding(held), Holding(webhook(id="another"))):
        with pytest.raises(NotFound) as refused:
            own_webhook(store, ANN, held.id)  # type: ignore[arg-type]
        told.append(str(refused.value))
    assert told[0] == told[1]


def test_a_list_is_confined() -> None:
    query = confined(ANN, WebhookQuery(name="x"))
    assert query == WebhookQuery(name="x", level="user", owner_id="ann")
    assert confined(ANN, WebhookQuery(level="user", owner_id="ann")) == WebhookQuery(level="user", owner_id="ann")
    assert confined(ANN, WebhookQuery(level="tenant")) is None
    assert confined(ANN, WebhookQuery(owner_id="bob")) is None
    assert confined(ADMIN, WebhookQuery(owner_id="bob")) == WebhookQuery(owner_id="bob")


def test_what_a_draft_gets_that_names_no_owner_and_level() -> None:
    made = owned_draft(ANN, webhook_draft(), names_level=False)
    assert (made.level, made.owner_id) == ("user", "ann")
    made = owned_draft(ADMIN, webhook_draft(), names_level=False)
    assert (made.level, made.owner_id) == ("tenant", "root")
    assert owned_draft(ADMIN, webhook_draft(owner_id="bob"), names_level=False).owner_id == "bob"
    assert owned_draft(NOBODY, webhook_draft(), names_level=False).owner_id is None


@pytest.mark.parametrize("fields", [{"level": "tenant"}, {"level": "user", "owner_id": "bob"}])
def test_a_draft_that_is_for_administrators(fields: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        owned_draft(ANN, webhook_draft(**fields), names_level=True)
    owned_draft(ADMIN, webhook_draft(**fields), names_level=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example.com/",
        "mailto:ann@example.com",
        "httpsx://a.example.com",
        "hook",
        "",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://10.0.0.0x1/",
        "mailto:ann@example.com",
        "exec:/bin/true",
        "https://localhost./",
        "https://localhost.localdomain/",
        "https://a..example.com/",
        "https://.example.com/",
        "https://-a.example.com/",
        "https://10.0.0.a1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[/",
        "https:///x.example.com",
    ],
)
def test_targets_of_users_are_https_and_named_in_full(url: str) -> None:
    with pytest.raises(InvalidWebhook, match="url"):
        owned_draft(ANN, webhook_draft(url=url), names_level=False)
    with pytest.raises(InvalidWebhook, match="url"):
        check_replacement(ANN, webhook(**OWN), WebhookReplacement(name="x", url=url))
    with pytest.raises(InvalidWebhook, match="url"):
        check_patch(ANN, webhook(**OWN), [PatchOperation("replace", "/url", url)])
    owned_draft(ADMIN, webhook_draft(url=url), names_level=False)
    check_patch(ADMIN, webhook(**OWN), [PatchOperation("replace", "/url", url)])
    owned_draft(ANN, webhook_draft(url="HTTPS://receiver.example.com/"), names_level=False)


def test_a_target_that_an_administrator_chose_stays() -> None:
    url = "http://intranet.example.com/"
    check_replacement(ANN, webhook(**OWN, url=url), WebhookReplacement(name="renamed", url=url))


@pytest.mark.parametrize("fields", [{"level": "tenant"}, {"owner_id": "bob"}])
def test_a_replacement_that_gives_a_webhook_away(fields: dict[str, Any]) -> None:
    replacement = WebhookReplacement(name="x", url=URL, **fields)
    with pytest.raises(Forbidden):
        check_replacement(ANN, webhook(**OWN), replacement)
    check_replacement(ADMIN, webhook(**OWN), replacement)
    check_replacement(ANN, webhook(**OWN), WebhookReplacement(name="x", url=URL, level="user", owner_id="ann"))
    check_replacement(ANN, webhook(**OWN), WebhookReplacement(name="x", url=URL))


@pytest.mark.parametrize(
    "operation",
    [
        PatchOperation("replace", "/level", "tenant"),
        PatchOperation("add", "/ownerId", "bob"),
        PatchOperation("replace", "/ownerId", None),
        PatchOperation("remove", "/ownerId"),
        PatchOperation("remove", "/level"),
    ],
    ids=str,
)
def test_a_patch_that_gives_a_webhook_away(operation: PatchOperation) -> None:
    with pytest.raises(Forbidden):
        check_patch(ANN, webhook(**OWN), [PatchOperation("replace", "/name", "x"), operation])
    check_patch(ADMIN, webhook(**OWN), [operation])


def test_a_patch_that_leaves_it_whose_it_is() -> None:
    check_patch(
        ANN,
        webhook(**OWN),
        [
            PatchOperation("replace", "/level", "user"),
            PatchOperation("replace", "/ownerId", "ann"),
            PatchOperation("replace", "/url", "https://elsewhere.example.com/"),
            PatchOperation("replace", "/url", 1),
            PatchOperation("add", "/headers/url", "http://"),
        ],
    )


@pytest.mark.parametrize("url", ["exec:/bin/sh -s", "csv:/a/b.csv", "mailto:a@example.com", "http://10.0.0.1/"])
@pytest.mark.parametrize("value", [{"template": "rm -rf ."}, None])
def test_what_is_sent_where_a_user_may_not_deliver_is_not_the_user_s_to_say(
    url: str, value: dict[str, str] | None
) -> None:
    made = webhook(url=url, **OWN)
    operations = [PatchOperation("replace", "/qwebhook", value)]
    with pytest.raises(Forbidden, match="of https: webhooks only"):
        check_patch(ANN, made, operations)
    with pytest.raises(Forbidden, match="of https: webhooks only"):
        check_patch(ANN, made, [PatchOperation("add", "/qwebhook/template", value and value["template"])])
    with pytest.raises(Forbidden, match="of https: webhooks only"):
        check_replacement(ANN, made, WebhookReplacement(name="x", url=url, qwebhook=Settings(template="rm -rf .")))
    check_replacement(ANN, made, WebhookReplacement(name="x", url=url))
    check_patch(ANN, made, [PatchOperation("replace", "/name", "x")])
    check_patch(ADMIN, made, operations)
    check_patch(ANN, webhook(**OWN), operations)
