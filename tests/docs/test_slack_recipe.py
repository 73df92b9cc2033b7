"""docs/recipes/slack.md is true: followed by somebody new, it announces what happens in a tenant."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.docs.slack import Channel, channel
from tests.docs.walkthrough import ROOT, Reader, blocks, needs_a_shell
from tests.tenant import Tenant

PAGE = ROOT / "docs" / "recipes" / "slack.md"
SLACK, TENANT = "https://hooks.slack.com", "https://acme.eu.qlikcloud.com"
ADDING = f"qwebhook context add prod {TENANT}"


class Newcomer(Reader):
    """Whose Slack and tenant are on this machine, and who has the key at hand when asked for it."""

    def __init__(self, folder: Path, slack: Channel, tenant: Tenant) -> None:
        super().__init__(folder)
        self._real = {SLACK: slack.url, ADDING: f"printenv TENANT_KEY | qwebhook context add prod {tenant.url}"}
        self.environ |= {"QWEBHOOK_ALLOW_NETWORK": "loopback", "TENANT_KEY": tenant.key}

    def real(self, text: str) -> str:
        for shown, here in self._real.items():
            text = text.replace(shown, here)
        return super().real(text)


@needs_a_shell
def test_it_can_be_followed(tmp_path: Path) -> None:
    with Tenant() as tenant, channel() as slack, Newcomer(tmp_path, slack, tenant) as reader:
        tenant.access.new_user("user", "u1", "Robin Example")
        reader.follow(PAGE, also="slack")
        assert slack.wait_for("created the app Sales overview")
        reader.running[0].wait_for("source caught up")
        tenant.audits.add("com.qlik.v1.app.created", user_id="u1", data={"name": "Budget", "id": "a1"})
        told = slack.wait_for("Robin Example created the app Budget")
        assert f"{TENANT}/sense/app/a1" in json.dumps(told)
        printed = reader.run('until qwebhook deliveries "new apps" | grep delivered; do sleep 0.1; done')
        assert "status 200" in printed


def test_nothing_of_it_is_skipped() -> None:
    assert {one.tag.partition(" ")[0] for one in blocks(PAGE)} == {"slack"}


@pytest.mark.parametrize(
    ("path", "message", "word"),
    [
        ("/services/T000/B000/XXXX", {"text": "a"}, "ok"),
        ("/services/T000", {"text": "a"}, "no_service"),
        ("/services/T000/B000/XXXX", {"blocks": []}, "no_text"),
        ("/services/T000/B000/XXXX", {"text": "a", "blocks": [{"type": "section"}]}, "invalid_blocks"),
    ],
)
def test_it_is_followed_with_what_answers_as_slack_does(path: str, message: object, word: str) -> None:
    with channel() as slack:
        assert httpx.post(slack.url + path, json=message, trust_env=False).text == word
