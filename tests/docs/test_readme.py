"""The README is true: its path works from an empty home, and its recipes do what they say."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
import yaml

from qwebhook.cli import settings
from qwebhook.cli.exit_codes import ExitCode
from qwebhook.model import catalogue
from qwebhook.store import vault
from tests.docs.listener import listening
from tests.docs.walkthrough import PATIENCE, README, ROOT, Background, Reader, agrees, block, blocks, needs_a_shell
from tests.tenant import Tenant

HOOK = "http://127.0.0.1:9000/hook"
SECRET = "a-secret-of-more-than-32-characters"
TEXT = README.read_text(encoding="utf-8")


@needs_a_shell
def test_its_path_can_be_followed(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        reader.follow(README)


@needs_a_shell
@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 7)])
def test_the_recipe_for_ci(tmp_path: Path, status: int, code: int) -> None:
    (step,) = yaml.safe_load(block(README, "yaml", "ci").text)
    with listening(status) as (url, received), Reader(tmp_path) as reader:
        assert step["env"].pop("WEBHOOK_SECRET") == "${{ secrets.WEBHOOK_SECRET }}"
        reader.environ |= step["env"] | {
            "WEBHOOK_SECRET": SECRET,
            "RECEIVER": url,
            "QWEBHOOK_ALLOW_NETWORK": "loopback",
        }
        for _ in range(2):  # the second finds the webhook of the first
            printed = reader.run(f"(set -e\n{step['run']}) && code=0 || code=$?\necho code $code")
            assert f"code {code}\n" in printed, printed
        assert len(received) == 2
        assert {"Qlik-Signature", "webhook-signature", "qwebhook-test"} <= received[0].headers.keys()
        assert b'"status":"error"' in received[0].body


@needs_a_shell
@pytest.mark.parametrize(("status", "printed"), [(200, ""), (503, "qwebhook: error: test-fire one: status 503\n")])
def test_the_recipe_for_cron_is_silent_while_all_is_well(tmp_path: Path, status: int, printed: str) -> None:
    command = block(README, "text", "cron").text.split(maxsplit=5)[5].strip()
    with listening(status) as (url, received), Reader(tmp_path) as reader:
        reader.environ |= {"QWEBHOOK_ALLOW_NETWORK": "loopback"}
        reader.run(f"qwebhook create one --url {url} --event com.qlik.v1.app.created -q")
        assert reader.run(f"{command} || [ $? = 7 ]") == printed
        assert len(received) == 1


@needs_a_shell
def test_its_path_with_a_tenant(tmp_path: Path) -> None:
    """From an API key to a webhook that is listed, a test event, and events that are forwarded here."""
    ran: list[str] = []
    with Tenant() as tenant, listening() as (url, received), Reader(tmp_path) as reader:
        (tmp_path / "secret.txt").write_text(SECRET)
        made = tenant.webhooks.add(name="reports", enabled=True, secret=SECRET)
        tenant.webhooks.all[made["id"]].fields["url"] = url
        reader.environ |= {"QWEBHOOK_ALLOW_NETWORK": "loopback", "KEY": tenant.key}
        # As the sections above leave it.
        reader.run("export QWEBHOOK_TOKEN=one-of-the-server")
        for one in blocks(README):
            script = one.text.replace("https://acme.eu.qlikcloud.com", tenant.url).replace(HOOK, url)
            script = script.replace("qwebhook serve", "qwebhook serve --port 0")
            if one.tag == "tenant background":
                # In a terminal of its own.
                running = Background(script, tmp_path, reader.environ | {"QWEBHOOK_ALLOW_NETWORK": ""})
                reader.running.append(running)
                running.wait_for("ready" if "listen" in script else "listening")
            elif one.tag == "tenant" and one.language == "sh":
                # Instead of someone who types the key.
                ran.append(reader.run(f'printf %s "$KEY" | {script}' if "context add" in script else script))
            elif one.tag == "tenant":
                assert agrees(one.text, ran[-1].partition("\n")[2]), ran[-1]
        assert "reports" in ran[2]
        before = len(received)
        tenant.audits.add("com.qlik.v1.app.created", data={"name": "Sales"})
        deadline = time.monotonic() + PATIENCE
        while len(received) < before + 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        # By `listen`, and by the webhook of one's own.
        assert len(received) == before + 2
        assert all(b'"name":"Sales"' in one.body.replace(b" ", b"") for one in received[before:])


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    used = re.findall(r"(?m)^make (\w+)", "".join(one.text for one in blocks(README) if one.language == "sh"))
    assert used == ["demo", "test"]
    assert all(re.search(rf"(?m)^{target}:", makefile) for target in used)


def test_it_lists_every_exit_code() -> None:
    section = TEXT.partition("## Exit codes")[2].partition("\n## ")[0]
    assert [int(code) for code in re.findall(r"(?m)^\| (\d+) \|", section)] == sorted(ExitCode)


def test_it_lists_every_variable() -> None:
    modules = (settings, vault)
    known = {value for module in modules for name, value in vars(module).items() if name.endswith("_VARIABLE")}
    assert known | {"NO_COLOR"} == set(re.findall(r"(?m)^\| `([A-Z_]+)` \|", TEXT))


def test_it_counts_the_event_types() -> None:
    assert f"any of {len(catalogue.event_types())} event types" in TEXT


def test_its_configuration_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(block(README, "toml").text, encoding="utf-8")
    read = settings.Settings({"QWEBHOOK_CONFIG": str(file), "HOME": str(tmp_path)})
    assert read.store_choice(None, None).text == "~/staging.db"
    assert read.allowed_networks() == ["loopback", "10.1.0.0/16"]


@pytest.mark.parametrize(
    "page", [README, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: os.path.basename(page)
)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in re.findall(r"(?m)^#+ (.+)$", text)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings
        elif "://" not in target:
            assert (page.parent / target.partition("#")[0]).exists(), target
