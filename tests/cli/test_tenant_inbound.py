"""`inbound add --public-url`: a tenant's webhook pushes to a server of one's own, and is let in there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from qwebhook.store.sqlite import SqliteStore
from tests.builders import SECRET
from tests.cli.world import Cli, Outcome
from tests.tenant import Tenant
from tests.tenant.faults import reset, status

PUBLIC = "https://hooks.example.com"
TYPE = "com.qlik.v1.app.created"


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture
def cli(cli: Cli, tenant: Tenant) -> Cli:
    """A command line with a store, and the context `prod` of the tenant."""
    cli.ok("context", "add", "prod", tenant.url, stdin=tenant.key.encode())
    cli.create("one")
    return cli


def add(cli: Cli, *options: str, name: str = "acme") -> Outcome:
    return cli.run("inbound", "add", name, "--context", "prod", "--public-url", PUBLIC, *options, "-o", "json")


def secrets(cli: Cli) -> list[str]:
    with closing(SqliteStore.open(cli.store)) as store:
        return store.inbound_secrets()


@pytest.mark.parametrize("url", [PUBLIC, f"{PUBLIC}/", f"{PUBLIC}/events"])
def test_both_sides_have_the_same_secret(cli: Cli, tenant: Tenant, url: str) -> None:
    outcome = cli.ok("inbound", "add", "acme", "--context", "prod", "--public-url", url, "-o", "json")
    (webhook,) = tenant.webhooks.all.values()
    assert outcome.json["webhookId"] == webhook.id
    assert webhook.fields["url"] == f"{PUBLIC}/events"
    assert webhook.fields["enabled"] is True
    assert set(webhook.fields["eventTypes"]) == {one["name"] for one in tenant.webhooks.event_types}
    assert secrets(cli) == [webhook.fields["secret"]]
    assert webhook.fields["secret"] not in outcome.out + outcome.err


def test_types_and_secret_may_be_given(cli: Cli, tenant: Tenant) -> None:
    assert add(cli, "--event", TYPE, "--secret", SECRET).code == 0
    (webhook,) = tenant.webhooks.all.values()
    assert webhook.fields["eventTypes"] == [TYPE]
    assert webhook.fields["secret"] == SECRET


def test_one_that_pushes_already_is_told(cli: Cli, tenant: Tenant) -> None:
    add(cli)
    again = add(cli, name="again")
    assert again.code == 1
    assert "which pushes to https://hooks.example.com/events already" in again.error
    assert len(tenant.webhooks.all) == len(secrets(cli)) == 1


def test_what_the_tenant_refuses_leaves_nothing(cli: Cli, tenant: Tenant) -> None:
    tenant.faults.inject(status(403), method="POST")
    assert add(cli).code == 4
    assert secrets(cli) == []
    assert cli.run("inbound", "add", "x", "--context", "prod", "--public-url", "http://10.0.0.1").code == 2
    assert secrets(cli) == []


def test_a_lost_answer_keeps_what_may_be_needed(cli: Cli, tenant: Tenant) -> None:
    tenant.faults.inject(reset(), method="POST", takes_effect=True)
    outcome = add(cli)
    assert outcome.code == 6
    assert "look whether" in outcome.error
    assert secrets(cli) == [webhook.fields["secret"] for webhook in tenant.webhooks.all.values()]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--public-url", PUBLIC], 2, "--public-url goes with --context"),
        (["--public-url", PUBLIC, "--context", "nowhere"], 5, "there is no context 'nowhere'"),
        (["--public-url", PUBLIC, "--context", "file"], 2, "names the file"),
        (["--public-url", PUBLIC, "--context", "prod", "--secret", "@a", "--secret", "@b"], 2, "one --secret"),
        (["--event", TYPE, "--secret", SECRET], 2, "--event goes with --public-url"),
        (["--context", "prod", "--public-url", PUBLIC, "--event", ""], 2, "--event names no type"),
    ],
)
def test_bad_input(cli: Cli, options: list[str], code: int, words: str) -> None:
    cli.ok("context", "add", "file", "/tmp/x.db")
    outcome = cli.run("inbound", "add", "x", *options)
    assert outcome.code == code
    assert words in outcome.error


def test_the_tenant_as_the_store_needs_another_store(cli: Cli) -> None:
    cli.ok("context", "use", "prod", environ={"QWEBHOOK_STORE": ""})
    outcome = cli.run(
        "inbound", "add", "x", "--context", "prod", "--public-url", PUBLIC, environ={"QWEBHOOK_STORE": ""}
    )
    assert outcome.code == 2
    assert "name that of the server with --store" in outcome.error
