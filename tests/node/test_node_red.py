"""An event starts a flow in Node-RED: the flow of the recipe, in the real application."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qwebhook.model.signature import standard_key, standard_signature
from tests.acceptance.processes import Server
from tests.builders import STANDARD_SECRET, cloud_event_body
from tests.docs.walkthrough import ROOT, Reader, needs_a_shell
from tests.node.node_red import MODULES, NodeRed

PAGE = ROOT / "docs" / "recipes" / "node-red.md"
FLOW = ROOT / "docs" / "recipes" / "node-red-flow.json"
OTHER_SECRET = "whsec_" + "A" * 43 + "="


@pytest.fixture
def node_red(tmp_path: Path) -> Iterator[NodeRed]:
    folder = tmp_path / "node-red"
    folder.mkdir()
    with NodeRed(folder, FLOW, STANDARD_SECRET) as node_red:
        yield node_red


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The file that the flow writes to."""
    return tmp_path / "node-red" / "events.ndjson"


# Names beyond ASCII, so that the signature is over bytes; and a secret that is no whsec_ one is the key itself.
@pytest.mark.parametrize("secret", [STANDARD_SECRET, "a secret of thirty-two characters"])
def test_an_event_arrives_with_its_signature_verified(server: Server, tmp_path: Path, secret: str) -> None:
    data = {"id": "a1", "name": "Verkäufe – 売上 \U0001f4c8"}
    with NodeRed(tmp_path, FLOW, secret) as node_red:
        webhook = server.create_webhook(url=node_red.url, secret=secret)
        server.publish(cloud_event_body(id="e1", data=data))
        server.publish(cloud_event_body(id="e2", data=data))
        server.wait_log("attempt", count=2, outcome="delivered")
    events = [json.loads(line) for line in (tmp_path / "events.ndjson").read_text(encoding="utf-8").splitlines()]
    assert sorted(event["id"] for event in events) == ["e1", "e2"]
    assert [event["data"] for event in events] == [data, data]
    deliveries = server.deliveries(webhook)
    assert [one.response.status_code for one in deliveries if one.response] == [204, 204]


@pytest.mark.parametrize("secret", [OTHER_SECRET, None])
def test_a_wrong_signature_and_none_are_refused(
    server: Server, node_red: NodeRed, kept: Path, secret: str | None
) -> None:
    webhook = server.create_webhook(url=node_red.url, secret=secret)
    server.publish(cloud_event_body(id="e1"))
    server.wait_log("attempt", reason="status 401")
    node_red.wait_for("the signature is wrong")
    response = server.last_attempt(webhook).response
    assert response
    assert (response.status_code, response.body) == (401, "the signature is wrong\n")
    assert not kept.exists()


def test_what_was_changed_or_is_old_is_refused(node_red: NodeRed, kept: Path) -> None:
    body = cloud_event_body(id="e1")
    signed_at = int(time.time())
    for sent, at, words in [
        (body + b" ", signed_at, "the signature is wrong"),
        (body, signed_at - 400, "the timestamp is too old, or in the future"),
        (body, signed_at + 400, "the timestamp is too old, or in the future"),
        (body, signed_at, ""),
    ]:
        headers = {
            "content-type": "application/json",
            "webhook-id": "msg_1",
            "webhook-timestamp": str(at),
            # As while a secret is being rotated: any of several may be the right one.
            "webhook-signature": "v1,AAAA " + standard_signature(standard_key(STANDARD_SECRET), "msg_1", at, body),
        }
        response = httpx.post(node_red.url, content=sent, headers=headers, trust_env=False)
        assert (response.status_code, response.text) == ((401, f"{words}\n") if words else (204, ""))
        assert kept.exists() is not bool(words)


def test_a_flow_that_fails_gets_the_event_again(server: Server, node_red: NodeRed, kept: Path) -> None:
    kept.mkdir()  # so that nothing can be written to a file of that name
    server.create_webhook(url=node_red.url, secret=STANDARD_SECRET)
    server.publish(cloud_event_body(id="e1"))
    server.wait_log("attempt", reason="status 500")
    kept.rmdir()
    server.wait_log("attempt", outcome="delivered")
    assert json.loads(kept.read_text(encoding="utf-8"))["id"] == "e1"


@needs_a_shell
def test_the_recipe_can_be_followed(tmp_path: Path) -> None:
    shutil.copy(FLOW, tmp_path)
    with Reader(tmp_path) as reader:
        reader.environ["PATH"] = os.pathsep.join((str(MODULES / ".bin"), reader.environ["PATH"]))
        reader.environ["NODE_RED_DISABLE_TELEMETRY"] = "true"
        reader.follow(PAGE, also="node")
