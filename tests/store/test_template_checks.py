"""No template is kept that cannot be compiled, wherever in a webhook it stands."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from qwebhook.model.errors import InvalidWebhook
from qwebhook.model.patch import replacements
from qwebhook.model.sheet import SheetSettings
from qwebhook.model.webhook import Settings
from qwebhook.store.contract import WebhookQuery
from qwebhook.store.sqlite import SqliteStore
from tests.builders import USER, webhook_draft

WRONG = "{{ data.email | shout }}"


@pytest.mark.parametrize(
    ("url", "settings", "field"),
    [
        ("https://example.com/", Settings(template=WRONG), "qwebhook.template"),
        ("csv:/a/b.csv", Settings(sheet=SheetSettings(columns={"Mail": WRONG})), "qwebhook.sheet.columns.Mail"),
        (f"mailto:{WRONG}", Settings(), "url"),
        (f"mailto:a@example.com?bcc={WRONG}", Settings(), "url"),
        (f"mailto:a@example.com?subject={WRONG}", Settings(), "url"),
    ],
)
def test_a_template_that_is_wrong_is_refused_at_create(
    tmp_path: Path, url: str, settings: Settings, field: str
) -> None:
    with closing(SqliteStore.open(tmp_path / "store.db", create=True)) as store:
        with pytest.raises(InvalidWebhook, match=rf"^{field}: is wrong at line 1, column 17: No filter named 'shout'"):
            store.create_webhook(webhook_draft(url=url, qwebhook=settings), USER)
        assert not store.list_webhooks(WebhookQuery()).items


def test_a_template_that_is_wrong_is_refused_in_a_new_url(tmp_path: Path) -> None:
    with closing(SqliteStore.open(tmp_path / "store.db", create=True)) as store:
        made = store.create_webhook(webhook_draft(url="mailto:{{ data.email }}"), USER)
        with pytest.raises(InvalidWebhook, match=r"^url: is wrong at line 1, column 17"):
            store.patch_webhook(made.id, replacements({"url": f"mailto:{WRONG}"}), USER)
        assert store.get_webhook(made.id).url == made.url
