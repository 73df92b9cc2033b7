"""Who is let in, how much they may ask, and the life of the stand-in."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.tenant import Tenant
from tests.tenant.answers import Json
from tests.tenant.caller import AUDITS, OLDER_WEBHOOKS, WEBHOOKS, Caller, refused

ROOT = Path(__file__).parents[2]


def token_request(tenant: Tenant, **members: str) -> Json:
    client = tenant.access.new_client()
    given = {"client_id": client.id, "client_secret": client.secret, "scope": "user_default"}
    return given | {"grant_type": "client_credentials"} | members


@pytest.mark.parametrize("key", [None, "another"])
def test_without_a_valid_key_nobody_is_let_in(admin: Caller, key: str | None) -> None:
    response = admin.with_key(key).ask("GET", WEBHOOKS)
    assert "required" in refused(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"


def test_an_expired_key_is_refused(tenant: Tenant, admin: Caller) -> None:
    admin.get(WEBHOOKS)
    tenant.access.expire(tenant.key)
    assert "expired" in refused(admin.ask("GET", WEBHOOKS), 401)


def test_oauth_gives_a_token_that_lasts_as_long_as_it_says(tenant: Tenant, admin: Caller) -> None:
    tenant.access.token_life = 60
    answer = admin.with_key(None).ask("POST", "/oauth/token", token_request(tenant)).json()
    assert answer["expires_in"] == 60
    bearer = admin.with_key(answer["access_token"])
    assert bearer.get("/api/v1/users/me")["id"] == "user-admin"
    tenant.access.expire_tokens()
    assert "expired" in refused(bearer.ask("GET", WEBHOOKS), 401)
    admin.get(WEBHOOKS)


def test_a_token_ends_by_itself(tenant: Tenant, admin: Caller) -> None:
    tenant.access.token_life = 0
    answer = admin.ask("POST", "/oauth/token", token_request(tenant)).json()
    refused(admin.with_key(answer["access_token"]).ask("GET", WEBHOOKS), 401)


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"client_secret": "another"}, 401),
        ({"grant_type": "password"}, 400),
        ({"scope": "admin"}, 400),
        ({"audience": "tenant"}, 400),
    ],
)
def test_oauth_takes_nothing_but_what_is_documented(
    tenant: Tenant, admin: Caller, members: dict[str, str], status: int
) -> None:
    refused(admin.ask("POST", "/oauth/token", token_request(tenant, **members)), status)


def test_oauth_takes_no_form(tenant: Tenant, client: httpx.Client) -> None:
    refused(client.post(f"{tenant.url}/oauth/token", data=token_request(tenant)), 400)


@pytest.mark.parametrize("off", ["core", "v1"])
def test_either_prefix_can_be_off(tenant: Tenant, admin: Caller, off: str) -> None:
    tenant.prefixes.remove(off)
    paths = {"core": WEBHOOKS, "v1": OLDER_WEBHOOKS}
    refused(admin.ask("GET", paths.pop(off)), 404)
    for path in paths.values():
        admin.get(path)
    admin.get(AUDITS)


def test_what_is_not_there(admin: Caller) -> None:
    refused(admin.ask("GET", "/api/v1/elsewhere"), 404)
    response = admin.ask("POST", AUDITS)
    refused(response, 405)
    assert response.headers["allow"] == "GET"


def test_a_rate_limit_says_how_long_to_wait(tenant: Tenant, admin: Caller, anna: Caller) -> None:
    tenant.rate.limit(reads=2, writes=1, window=60)
    for _ in range(2):
        admin.get(WEBHOOKS)
    response = admin.ask("GET", WEBHOOKS)
    refused(response, 429)
    assert 1 <= int(response.headers["retry-after"]) <= 60
    admin.made()
    refused(admin.create(), 429)
    anna.get(WEBHOOKS)


def test_a_rate_limit_is_over_with_its_window_and_may_say_nothing(tenant: Tenant, admin: Caller) -> None:
    tenant.rate.limit(reads=0, window=60, retry_after=False)
    response = admin.ask("GET", WEBHOOKS)
    refused(response, 429)
    assert "retry-after" not in response.headers
    tenant.rate.limit(reads=1, window=0)
    for _ in range(2):
        admin.get(WEBHOOKS)


def test_the_log_shows_requests_without_credentials(tenant: Tenant, admin: Caller) -> None:
    admin.get(WEBHOOKS, limit=5)
    admin.with_key(None).ask("GET", AUDITS)
    (first,) = tenant.log.wait_for(1, "GET", "*/webhooks", answered=True)
    assert (first.method, first.path, first.query) == ("GET", WEBHOOKS, (("limit", "5"),))
    assert (first.user_id, first.status) == ("user-admin", 200)
    assert "user-agent" in first.headers
    assert tenant.key not in repr(tenant.log.requests())
    assert [one.status for one in tenant.log.requests()] == [200, 401]
    tenant.log.clear()
    assert tenant.log.requests() == []


def test_what_events_name_can_be_looked_up(tenant: Tenant, admin: Caller, anna: Caller) -> None:
    tenant.directory.add_space("s1", "Finance")
    tenant.directory.add_app("a1", "Sales", "s1")
    assert admin.get("/api/v1/spaces/s1")["name"] == "Finance"
    assert admin.get("/api/v1/apps/a1")["attributes"] == {"id": "a1", "name": "Sales", "spaceId": "s1"}
    assert admin.get("/api/v1/users/anna")["name"] == "anna"
    assert anna.get("/api/v1/users/me")["id"] == "anna"
    for kind in ("users", "spaces", "apps"):
        refused(admin.ask("GET", f"/api/v1/{kind}/missing"), 404)


def test_its_clock_may_differ_from_ours(tenant: Tenant, admin: Caller) -> None:
    tenant.clock.skew = -3600
    response = admin.create()
    tenant.audits.add()
    times = [
        parsedate_to_datetime(response.headers["date"]),
        datetime.fromisoformat(response.json()["createdAt"]),
        datetime.fromisoformat(admin.get(AUDITS)["data"][0]["eventTime"]),
    ]
    for told in times:
        assert 3590 < (datetime.now(UTC) - told).total_seconds() < 3660


def test_it_can_be_away_and_come_back_as_it_was(tenant: Tenant, admin: Caller) -> None:
    webhook = admin.made()
    url = tenant.url
    tenant.stop()
    with pytest.raises(httpx.ConnectError):
        admin.get(WEBHOOKS)
    tenant.start()
    assert tenant.url == url
    assert admin.now(webhook) == webhook


def test_by_https_it_is_trusted_by_its_own_authority(tmp_path: Path) -> None:
    with Tenant(tls=tmp_path) as tenant:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(tenant.url, trust_env=False)
        context = ssl.create_default_context(cafile=tenant.ca_file)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        with httpx.Client(trust_env=False, verify=context) as client:
            page = Caller(client, tenant).get(WEBHOOKS)
        assert page["links"]["self"]["href"] == f"{tenant.url}{WEBHOOKS}"


def test_links_lead_to_the_host_that_was_asked_as_through_a_proxy(tenant: Tenant) -> None:
    with httpx.Client(trust_env=False, proxy=tenant.url) as client:
        headers = {"Authorization": f"Bearer {tenant.key}"}
        page = client.get(f"http://tenant.example.com{WEBHOOKS}", headers=headers).json()
    assert page["links"]["self"]["href"] == f"http://tenant.example.com{WEBHOOKS}"


def test_by_hand_it_says_where_it_is_and_ends_when_interrupted() -> None:
    command = [sys.executable, "-m", "tests.tenant", "--webhooks", "2", "--events", "3"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().rpartition(" ")[2].strip() for _ in range(5)]
        headers = {"Authorization": f"Bearer {told[1]}"}
        for path, count in ((WEBHOOKS, 2), (AUDITS, 3)):
            page = httpx.get(told[0] + path, headers=headers, trust_env=False).json()
            assert len(page["data"]) == count
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
