"""The verbs against a Qlik Cloud tenant: the same as against a database, and what a tenant does not do is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.receiver import Answer, Receiver
from tests.builders import SECRET
from tests.cli.world import ROOT, Cli, process, process_environ
from tests.tenant import Tenant
from tests.tenant.faults import cursor_loop, hang, html, reset, status

URL = "https://receiver.example.com/hook"
TYPE = "com.qlik.v1.app.created"


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture
def cli(tmp_path: Path, tenant: Tenant) -> Cli:
    """A command line whose current context, `prod`, is the tenant."""
    made = Cli(tmp_path)
    del made.environ["QWEBHOOK_STORE"]
    made.ok("context", "add", "prod", tenant.url, "--use", stdin=tenant.key.encode())
    return made


def create(cli: Cli, name: str, *options: str) -> dict[str, Any]:
    made: dict[str, Any] = cli.ok("create", name, "--url", URL, "--event", TYPE, *options, "-o", "json").json
    return made


class TestVerbs:
    def test_the_life_of_a_webhook(self, cli: Cli, tenant: Tenant) -> None:
        made = create(cli, "reports", "--secret", SECRET, "--header", "X-Team=bi")
        assert made["enabled"] is True
        assert made["secretKeyAdded"] is True
        assert cli.ok("get", "reports", "-o", "json").json == made
        assert cli.ok("get", made["id"][:8], "-q").out.strip() == made["id"]
        cli.ok("update", "reports", "--description", "for BI", "--remove-header", "X-Team")
        for verb, enabled in (("disable", False), ("enable", True)):
            (switched,) = cli.ok(verb, "reports", "-o", "json").json
            assert switched["enabled"] is enabled
        assert tenant.webhooks.secret_of(made["id"]) == SECRET
        assert not tenant.log.requests("PUT")
        cli.ok("delete", "reports", "--yes")
        assert cli.run("get", "reports").code == 5
        assert cli.run("delete", "reports", "--yes", "--if-exists").code == 0

    def test_the_output_is_that_of_a_database(self, cli: Cli) -> None:
        there = create(cli, "reports", "--secret", SECRET)
        store = str(cli.home / "x.db")
        here = cli.ok(
            "create", "reports", "--url", URL, "--event", TYPE, "--secret", SECRET, "--store", store, "-o", "json"
        ).json
        assert list(there) == list(here)
        assert {name for name in there if there[name] != here[name]} <= {
            "id", "createdAt", "updatedAt", "createdByUserId", "updatedByUserId",
        }  # fmt: skip
        listed = cli.ok("list", "-o", "json").json
        assert [list(one) for one in listed] == [
            list(one) for one in cli.ok("list", "--store", store, "-o", "json").json
        ]
        for output in ("table", "csv", "yaml", "id"):
            one, other = cli.ok("list", "-o", output).out, cli.ok("list", "-o", output, "--store", store).out
            assert one.splitlines()[0].split()[:1] == other.splitlines()[0].split()[:1] or output in ("yaml", "id")

    def test_a_long_list_is_read_page_by_page(self, cli: Cli, tenant: Tenant) -> None:
        for number in range(150):
            tenant.webhooks.add(name=f"w{number:03}")
        before = len(tenant.log.requests("GET", "*/webhooks"))
        names = [one["name"] for one in cli.ok("list", "--all", "--sort", "name", "-o", "json").json]
        assert names == [f"w{number:03}" for number in range(150)]
        assert len(tenant.log.requests("GET", "*/webhooks")) - before == 2
        outcome = cli.ok("list", "--limit", "5", "-o", "json")
        assert len(outcome.json) == 5
        assert "these are the first 5" in outcome.err

    def test_selectors_and_several(self, cli: Cli, tenant: Tenant) -> None:
        for name in ("a", "b", "c"):
            tenant.webhooks.add(name=name, enabled=name == "a")
        assert len(cli.ok("enable", "--all", "-o", "json").json) == 3
        outcome = cli.run("disable", "a", "nowhere", "b", "-q")
        assert outcome.code == 5
        assert len(outcome.out.split()) == 2
        assert [one["name"] for one in cli.ok("list", "--enabled", "-o", "json").json] == ["c"]

    def test_create_twice(self, cli: Cli) -> None:
        made = create(cli, "reports")
        assert create(cli, "reports", "--if-not-exists")["id"] == made["id"]
        assert len(cli.ok("list", "-q").out.split()) == 1

    def test_a_new_secret(self, cli: Cli, tenant: Tenant) -> None:
        made = create(cli, "reports", "--secret", SECRET)
        refused = cli.run("rotate-secret", "reports")
        assert refused.code == 2
        assert "signs with one secret at a time" in refused.error
        rotated = cli.ok("rotate-secret", "reports", "--grace", "0", "-o", "json").json
        assert tenant.webhooks.secret_of(made["id"]) == rotated["secret"] != SECRET

    def test_history(self, cli: Cli, tenant: Tenant) -> None:
        webhook = tenant.webhooks.add(name="reports", enabled=True)["id"]
        event = tenant.audits.add(TYPE, data={})
        ok, bad = (tenant.deliveries.add(webhook, event, code)["id"] for code in (200, 503))
        listed = cli.ok("deliveries", "reports", "-o", "json").json
        assert {(one["id"], one["status"]) for one in listed} == {(ok, "success"), (bad, "fail")}
        assert listed[0]["qwebhook"]["eventId"] == event.event_id
        shown = cli.ok("delivery", "reports", bad, "-o", "json").json
        assert shown["response"]["statusCode"] == 503
        assert shown["attempts"] == []
        assert "Attempts" not in cli.ok("delivery", "reports", bad).out
        assert cli.run("delivery", "reports", "nowhere").code == 5
        other = tenant.deliveries.add(tenant.webhooks.add(enabled=True)["id"], event)["id"]
        assert {one["id"] for one in cli.ok("deliveries", "-o", "json").json} == {ok, bad, other}

    def test_event_types_are_the_tenants(self, cli: Cli, tenant: Tenant) -> None:
        listed = cli.ok("event-types", "-o", "json").json
        assert tenant.log.requests("GET", "*/webhooks/event-types")
        assert {"name", "title", "levels", "source"} <= listed[0].keys()
        assert cli.ok("event-types", TYPE).out

    def test_an_older_tenant(self, cli: Cli, tenant: Tenant) -> None:
        tenant.prefixes.discard("core")
        create(cli, "reports")
        before = len(tenant.log.requests("GET", "/api/core/*"))
        cli.ok("list")
        assert len(tenant.log.requests("GET", "/api/core/*")) == before, "what was found out is remembered"
        tenant.prefixes = {"core"}
        cli.ok("list")


class TestResend:
    def delivery(self, tenant: Tenant, code: int = 503) -> str:
        webhook = tenant.webhooks.add(name="reports", enabled=True)["id"]
        return str(tenant.deliveries.add(webhook, tenant.audits.add(TYPE), code)["id"])

    @pytest.mark.parametrize(("answers", "code"), [(200, 0), (503, 7)])
    def test_the_record_decides(self, cli: Cli, tenant: Tenant, answers: int, code: int) -> None:
        delivery = self.delivery(tenant)
        tenant.deliveries.receivers_answer(answers)
        outcome = cli.run("resend", "reports", delivery, "-o", "json")
        assert outcome.code == code
        (record,) = outcome.json
        assert record["status"] == ("success" if code == 0 else "fail")
        assert record["id"] != delivery

    def test_what_failed(self, cli: Cli, tenant: Tenant) -> None:
        delivery = self.delivery(tenant)
        assert len(cli.ok("resend", "reports", "--failed", "-q").out.split()) == 1
        assert tenant.log.requests("POST", f"*/deliveries/{delivery}/actions/resend")
        assert cli.ok("resend", "reports", "--failed").out == ""

    def test_a_lost_answer_is_not_sent_again(self, cli: Cli, tenant: Tenant) -> None:
        delivery = self.delivery(tenant)
        tenant.faults.inject(reset(), method="POST", takes_effect=True)
        outcome = cli.run("resend", "reports", delivery)
        assert outcome.code == 6
        assert "look before sending it again" in outcome.err
        assert len(tenant.log.requests("POST", "*/actions/resend")) == 1

    def test_one_that_is_not_there(self, cli: Cli, tenant: Tenant) -> None:
        self.delivery(tenant)
        assert cli.run("resend", "reports", "nowhere").code == 5

    def test_what_the_tenant_decides_cannot_be_given(self, cli: Cli) -> None:
        outcome = cli.run("resend", "reports", "x", "--timeout", "3s")
        assert outcome.code == 2
        assert "cannot be given for a store behind a server" in outcome.error


class TestRefusedBeforeAnythingIsSent:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["create", "a", "--url", "http://receiver.example.com/", "--event", TYPE], "is no https: URL"),
            (["create", "a", "--url", "https://10.1.2.3/", "--event", TYPE], "names no host in full"),
            (["create", "a", "--url", URL, "--event", TYPE, "--ordering", "strict"], "a tenant knows neither ordering"),
            (["create", "a", "--url", URL, "--event", TYPE, "--handshake"], "leave out --handshake"),
            (["update", "reports", "--concurrency", "5"], "a tenant knows neither ordering"),
            (["update", "reports", "--url", "http://receiver.example.com/"], "is no https: URL"),
            (["enable", "reports", "--discard"], "keeps nothing pending"),
            (["replay", "reports", "--since", "1h"], "keeps no events to replay"),
            (["test-fire", "reports", "--via", "serve"], "fire with --via direct"),
            (["publish"], "takes no events"),
            (["token", "list"], "is a tenant"),
            (["inbound", "list"], "is a tenant"),
            (["store", "check"], "works on a database"),
            (["sign", "--webhook", "reports"], "reports: its secret cannot be read back"),
        ],
    )  # fmt: skip
    def test_it(self, cli: Cli, tenant: Tenant, arguments: list[str], words: str) -> None:
        tenant.webhooks.add(name="reports", enabled=False, secret=SECRET)
        before = [one for one in tenant.log.requests() if one.method != "GET"]
        event = json.dumps({"specversion": "1.0", "id": "1", "source": "s", "type": TYPE}).encode()
        outcome = cli.run(*arguments, stdin=event)
        assert outcome.code in (2, 4), outcome
        assert words in outcome.err
        assert [one for one in tenant.log.requests() if one.method != "GET"] == before


def pointed(tenant: Tenant, name: str, url: str, **fields: Any) -> None:
    """A webhook that points to a receiver here, which no client could make."""
    made = tenant.webhooks.add(name=name, enabled=True, **fields)
    tenant.webhooks.all[made["id"]].fields["url"] = url


class TestFiring:
    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with Receiver() as receiver:
            yield receiver

    @pytest.fixture
    def made(self, cli: Cli, tenant: Tenant, receiver: Receiver) -> Cli:
        cli.environ["QWEBHOOK_ALLOW_NETWORK"] = "loopback"
        pointed(tenant, "reports", receiver.url(), secret=SECRET)
        return cli

    def test_the_secret_is_asked_for(self, made: Cli, receiver: Receiver) -> None:
        outcome = made.run("test-fire", "reports")
        assert outcome.code == 2
        assert "reports: its secret cannot be read back from" in outcome.error
        assert "`qwebhook context add prod --replace --webhook-secret -`" in outcome.error
        assert receiver.received == []

    def test_a_secret_that_is_given_signs(self, made: Cli, receiver: Receiver, tenant: Tenant) -> None:
        outcome = made.ok("test-fire", "reports", "--secret", SECRET, "-o", "json")
        assert "sent from here, and recorded nowhere; signed with --secret" in outcome.err
        assert "since no secret can be read back from" in outcome.err
        assert outcome.json[0]["ok"] is True
        (request,) = receiver.received
        signature = f"Qlik-Signature: {request.headers['qlik-signature']}"
        assert made.run("verify", "--secret", SECRET, "--header", signature, stdin=request.body).code == 0
        assert request.headers["qwebhook-test"] == "true"
        assert not tenant.log.requests("POST")

    def test_the_context_keeps_one(self, made: Cli, receiver: Receiver) -> None:
        made.environ["HOOK"] = SECRET
        made.ok("context", "add", "prod", "--replace", "--webhook-secret", "env:HOOK")
        outcome = made.ok("test-fire", "reports")
        assert "signed with the context's webhook-secret" in outcome.err
        assert "qlik-signature" in receiver.received[0].headers
        assert "Qlik-Signature" in made.ok("preview", "reports").out
        signed = made.ok("sign", "--webhook", "reports", stdin=b"{}").out
        assert "Qlik-Signature" in signed
        assert SECRET not in outcome.out + outcome.err

    def test_without_a_secret_nothing_is_signed(self, made: Cli, receiver: Receiver, tenant: Tenant) -> None:
        pointed(tenant, "plain", receiver.url("/plain"))
        made.ok("test-fire", "plain")
        assert "qlik-signature" not in receiver.at("/plain")[0].headers

    def test_encrypted_headers_are_told(self, made: Cli, receiver: Receiver, tenant: Tenant) -> None:
        pointed(tenant, "hidden", receiver.url("/hidden"), encryptedHeaders={"X-Key": "k"})
        outcome = made.ok("test-fire", "hidden")
        assert (
            "hidden: the values of X-Key cannot be read back, and are not sent; give them with --header" in outcome.err
        )
        assert "cannot be read back" not in made.ok("test-fire", "hidden", "--header", "x-key=k").err

    def test_a_receiver_in_trouble(self, made: Cli, receiver: Receiver) -> None:
        receiver.answers("/hook", Answer(500))
        assert made.run("test-fire", "reports", "--secret", SECRET).code == 7
        silent = made.run("test-fire", "--all", "--silent", "--secret", SECRET)
        assert (silent.code, silent.err) == (7, "qwebhook: error: test-fire reports: status 500\n")

    def test_all_goes_on_after_one_without_a_secret(self, made: Cli, receiver: Receiver, tenant: Tenant) -> None:
        pointed(tenant, "plain", receiver.url("/plain"))
        assert made.run("test-fire", "--all").code == 2
        assert len(receiver.received) == 1

    def test_one_without_types_needs_one(self, made: Cli, receiver: Receiver, tenant: Tenant) -> None:
        pointed(tenant, "none", receiver.url("/none"), eventTypes=[])
        assert "it subscribes to no event type" in made.run("test-fire", "none").error
        made.ok("test-fire", "none", "--event", TYPE)


class TestTrouble:
    def test_an_expired_key_names_the_context_and_how_to_renew_it(self, cli: Cli, tenant: Tenant) -> None:
        tenant.access.expire(tenant.key)
        outcome = cli.run("list")
        assert outcome.code == 4
        assert f"{tenant.url} (context prod) does not accept the credentials" in outcome.error
        assert outcome.error.endswith("`qwebhook context add prod --replace`")

    def test_no_key_at_all(self, cli: Cli, tenant: Tenant) -> None:
        outcome = cli.run("list", "--store", tenant.url)
        assert outcome.code == 4
        assert f"`qwebhook context add NAME {tenant.url}`" in outcome.error
        assert cli.run("list", "--store", tenant.url, environ={"QWEBHOOK_TOKEN": tenant.key}).code == 0

    def test_a_variable_that_goes_before_the_context_is_named(self, cli: Cli, tenant: Tenant) -> None:
        stale = {"QWEBHOOK_TOKEN": "stale"}
        outcome = cli.run("list", environ=stale)
        assert outcome.code == 4
        overruled, error = outcome.err.splitlines()
        assert overruled == "qwebhook: QWEBHOOK_TOKEN is used, and not the credentials of context prod"
        assert error.endswith(
            "put a valid key into QWEBHOOK_TOKEN, or unset it, so that the credentials of context prod are used"
        )
        told = cli.run("list", "--verbose", environ=stale).err
        assert f"credentials for {tenant.url}: a key, from QWEBHOOK_TOKEN" in told
        assert f"credentials for {tenant.url}: a key, from {cli.home}" in cli.ok("list", "--verbose").err
        assert "stale" not in told

    @pytest.mark.parametrize(("variable", "value"), [("QWEBHOOK_STORE", "url"), ("QWEBHOOK_CONTEXT", "name")])
    def test_the_variables_name_it_too(self, cli: Cli, tenant: Tenant, variable: str, value: str) -> None:
        cli.ok("context", "use", "--none")
        chosen = {variable: tenant.url if value == "url" else "prod", "QWEBHOOK_TOKEN": tenant.key}
        tenant.webhooks.add(name="reports")
        assert "reports" in cli.ok("list", environ=chosen).out

    @pytest.mark.parametrize(
        ("fault", "words"),
        [(html(), "a web page in place of JSON"), (status(500), "answered 500"), (cursor_loop(), "leads in a circle")],
    )
    def test_answers_that_cannot_be_used_are_exit_6(self, cli: Cli, tenant: Tenant, fault: Any, words: str) -> None:
        tenant.webhooks.add(name="a")
        for _ in range(120):
            tenant.webhooks.add()
        tenant.faults.inject(fault, path="*/webhooks", times=None, after=1)
        outcome = cli.run("list", "--all", "-q")
        assert outcome.code == 6
        assert words in outcome.err

    def test_a_wrong_tenant_name_is_exit_6(self, cli: Cli) -> None:
        outcome = cli.run("list", "--store", "https://no-such-tenant.invalid")
        assert outcome.code == 6
        assert "there is no such host; check its name" in outcome.error

    def test_a_limit_is_waited_out(self, cli: Cli, tenant: Tenant) -> None:
        tenant.faults.inject(status(429, retry_after=0), times=2)
        cli.ok("list")

    def test_ctrl_c_is_heard_while_it_waits(self, cli: Cli, tenant: Tenant) -> None:
        tenant.log.clear()
        tenant.faults.inject(hang(), times=None)
        running = subprocess.Popen(
            [sys.executable, "-m", "qwebhook", "list"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=process_environ(cli.environ),
        )
        tenant.log.wait_for(1, "GET", "*/webhooks")
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=20)
        assert running.returncode == 130
        assert b"Traceback" not in error

    def test_the_secret_of_a_new_webhook_is_in_no_output_of_others(self, cli: Cli) -> None:
        outcome = process(
            "create", "x", "--url", URL, "--event", TYPE, "--secret", SECRET, "--verbose", environ=cli.environ
        )
        assert outcome.code == 0
        assert SECRET not in outcome.out + outcome.err
        assert "POST " in outcome.err
