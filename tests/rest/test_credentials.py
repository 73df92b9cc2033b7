"""Keys, tokens that OAuth grants and that are kept for later runs, and commands that print keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from qwebhook.model.errors import InvalidInput, NotAuthorised, Unavailable
from qwebhook.store.rest.credentials import MARGIN, BearerKey, Credentials, KeyCommand, OAuthClient, Replaceable
from tests.rest.conftest import ADVICE, Connect
from tests.tenant import Tenant
from tests.tenant.access import Client
from tests.tenant.faults import answer, html, reset, status

WEBHOOKS = "/api/core/webhooks"
TOKEN = "/oauth/token"


def printing(text: str, code: int = 0) -> list[str]:
    """A command that prints a text."""
    return [sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})"]


# Keys


@pytest.mark.parametrize("key", ["", "two words", "a\nb", "schlüssel", "\udcff"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        BearerKey(key, ADVICE)
    assert not key or key not in str(raised.value)


# OAuth


@pytest.fixture
def client(tenant: Tenant) -> Client:
    return tenant.access.new_client()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "tokens" / "prod.json"


class Clock:
    """Seconds since the epoch, as a test sets them."""

    def __init__(self) -> None:
        self.now = 1_795_536_000.0

    def __call__(self) -> float:
        return self.now


def oauth(tenant: Tenant, client: Client, cache: Path | None, **options: Any) -> OAuthClient:
    given = {"name": "context prod", "advice": ADVICE, "sleep": lambda _: None} | options
    return OAuthClient(tenant.url, client.id, client.secret, cache, **given)


def asked(tenant: Tenant) -> int:
    """How many tokens the tenant was asked for."""
    return len(tenant.log.requests("POST", TOKEN))


def test_a_token_lets_one_in_and_is_kept_for_later_runs(
    tenant: Tenant, client: Client, cache: Path, connect: Connect
) -> None:
    for _ in range(2):
        remote = connect(credentials=oauth(tenant, client, cache))
        for _ in range(2):
            assert remote.request("GET", WEBHOOKS).status == 200
    assert asked(tenant) == 1
    assert client.secret not in cache.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes there")
def test_the_file_is_its_owner_s_alone(tenant: Tenant, client: Client, cache: Path) -> None:
    oauth(tenant, client, cache).authorization()
    assert cache.stat().st_mode & 0o777 == 0o600
    assert cache.parent.stat().st_mode & 0o777 == 0o700
    assert list(cache.parent.iterdir()) == [cache]


def test_a_token_that_is_refused_is_renewed_once_in_the_middle_of_a_request(
    tenant: Tenant, client: Client, cache: Path, connect: Connect
) -> None:
    remote = connect(credentials=oauth(tenant, client, cache))
    remote.request("GET", WEBHOOKS)
    tenant.access.expire_tokens()
    body = b'{"name": "a", "url": "https://receiver.example.com/"}'
    assert remote.request("POST", WEBHOOKS, body=body).status == 201
    assert asked(tenant) == 2
    # Kept, too.
    assert connect(credentials=oauth(tenant, client, cache)).request("GET", WEBHOOKS).status == 200
    assert asked(tenant) == 2


def test_who_is_refused_with_a_new_token_is_not_let_in(
    tenant: Tenant, client: Client, cache: Path, connect: Connect
) -> None:
    refused = tenant.faults.inject(status(401), path="/api/*", times=None)
    with pytest.raises(NotAuthorised, match=ADVICE):
        connect(credentials=oauth(tenant, client, cache)).request("GET", WEBHOOKS)
    assert refused.used == 2


def test_a_token_that_another_process_has_renewed_is_taken(tenant: Tenant, client: Client, cache: Path) -> None:
    one, other = oauth(tenant, client, cache), oauth(tenant, client, cache)
    one.authorization(), other.authorization()
    assert one.renew()
    assert other.renew()
    assert other.authorization() == one.authorization()
    assert asked(tenant) == 2


@pytest.mark.parametrize("life", [600.0, 10.0])
def test_a_token_is_renewed_before_its_end(tenant: Tenant, client: Client, cache: Path, life: float) -> None:
    tenant.access.token_life = life
    clock = Clock()
    credentials = oauth(tenant, client, cache, clock=clock)
    first = credentials.authorization()
    clock.now += life - min(MARGIN, life / 2) - 1
    assert credentials.authorization() == oauth(tenant, client, cache, clock=clock).authorization() == first
    clock.now += 1
    assert credentials.authorization() != first
    assert asked(tenant) == 2


def test_a_token_that_does_not_say_how_long_it_lasts_is_for_this_run(
    tenant: Tenant, client: Client, cache: Path
) -> None:
    tenant.faults.inject(answer(200, b'{"access_token": "abc"}', content_type="application/json"), path=TOKEN)
    credentials = oauth(tenant, client, cache)
    assert credentials.authorization() == credentials.authorization() == "Bearer abc"
    assert asked(tenant) == 1
    assert not cache.exists()


def test_what_is_kept_for_another_client_or_secret_is_not_used(tenant: Tenant, client: Client, cache: Path) -> None:
    oauth(tenant, client, cache).authorization()
    oauth(tenant, tenant.access.new_client(), cache).authorization()
    assert asked(tenant) == 2
    with pytest.raises(NotAuthorised):
        oauth(tenant, client._replace(secret="another"), cache).authorization()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"client": 1}'])
def test_a_damaged_file_is_as_good_as_none(tenant: Tenant, client: Client, cache: Path, content: bytes) -> None:
    cache.parent.mkdir()
    cache.write_bytes(content)
    assert oauth(tenant, client, cache).authorization()
    assert asked(tenant) == 1


def test_where_nothing_can_be_kept_every_run_asks(tenant: Tenant, client: Client, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for cache in (None, tmp_path / "file" / "prod.json"):
        assert oauth(tenant, client, cache).authorization()
    assert asked(tenant) == 2


def test_a_client_that_is_not_known_says_so_and_what_to_do(tenant: Tenant, client: Client, cache: Path) -> None:
    with pytest.raises(NotAuthorised) as raised:
        oauth(tenant, client._replace(secret="wrong-secret"), cache).authorization()
    assert str(raised.value).endswith(ADVICE)
    assert client.id in str(raised.value)
    assert "wrong-secret" not in str(raised.value)
    assert not cache.exists()


def test_troubles_of_asking_for_a_token(tenant: Tenant, client: Client) -> None:
    tenant.faults.inject(reset(), path=TOKEN)
    assert oauth(tenant, client, None).authorization()
    tenant.faults.inject(html(), path=TOKEN)
    with pytest.raises(Unavailable, match="web page"):
        oauth(tenant, client, None).authorization()
    tenant.faults.inject(answer(200, b'{"access_token": "a b"}', content_type="application/json"), path=TOKEN)
    with pytest.raises(InvalidInput, match="token that was granted"):
        oauth(tenant, client, None).authorization()


def test_an_oauth_client_does_not_show_its_secrets(tenant: Tenant, client: Client) -> None:
    credentials = oauth(tenant, client, None)
    shown = str(credentials.authorization()).removeprefix("Bearer ")
    assert shown not in repr(credentials)
    assert client.secret not in repr(credentials)


# Commands


def test_a_command_prints_the_key_when_it_is_needed_first(tenant: Tenant, connect: Connect) -> None:
    remote = connect(credentials=KeyCommand(printing(f" {tenant.key}\n")))
    assert remote.request("GET", WEBHOOKS).status == 200


def test_a_command_is_run_again_when_its_key_is_refused(tenant: Tenant, connect: Connect, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(tenant.key)
    remote = connect(credentials=KeyCommand([sys.executable, "-c", f"print(open({str(key)!r}).read())"]))
    remote.request("GET", WEBHOOKS)
    tenant.access.expire(tenant.key)
    # The same key is not tried twice.
    with pytest.raises(NotAuthorised):
        remote.request("GET", WEBHOOKS)
    assert len(tenant.log.requests()) == 2
    key.write_text(tenant.access.new_key("admin"))
    assert remote.request("GET", WEBHOOKS).status == 200


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (printing("secret", 3), "it ended with 3"),
        (["/no/such/program"], "cannot be run"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "within 0.2 s"),
    ],
    ids=["fails", "missing", "slow"],
)
def test_a_command_that_prints_no_key(argv: list[str], words: str) -> None:
    with pytest.raises(NotAuthorised, match=words) as raised:
        KeyCommand(argv, timeout=0.2 if "0.2" in words else 60).authorization()
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "two words", "é"])
def test_what_a_command_prints_must_be_a_key(text: str) -> None:
    with pytest.raises(InvalidInput):
        KeyCommand(printing(text)).authorization()


@pytest.mark.parametrize("argv", [[], [""]])
def test_an_empty_command_is_refused(argv: list[str]) -> None:
    with pytest.raises(InvalidInput):
        KeyCommand(argv)


# Credentials that are replaced while they are in use


def test_a_key_that_was_replaced_is_looked_up_when_it_is_refused(tenant: Tenant, connect: Connect) -> None:
    keys = [tenant.key]
    remote = connect(credentials=Replaceable(lambda: BearerKey(keys[-1], ADVICE)))
    assert remote.request("GET", WEBHOOKS).status == 200
    tenant.access.expire(tenant.key)
    with pytest.raises(NotAuthorised, match="does not accept"):
        remote.request("GET", WEBHOOKS)
    keys.append(tenant.access.new_key("admin"))
    assert remote.request("GET", WEBHOOKS).status == 200
    assert len(tenant.log.requests("GET", WEBHOOKS)) == 4


def test_an_oauth_client_that_was_replaced_is_looked_up(tenant: Tenant, client: Client, cache: Path) -> None:
    secrets = ["wrong"]

    def look_up() -> Credentials:
        return OAuthClient(tenant.url, client.id, secrets[-1], cache, advice=ADVICE, sleep=lambda _: None)

    credentials = Replaceable(look_up)
    with pytest.raises(NotAuthorised):
        credentials.authorization()
    secrets.append(client.secret)
    assert (credentials.authorization() or "").startswith("Bearer ")


def test_a_granted_token_that_is_refused_is_granted_anew(
    tenant: Tenant, client: Client, cache: Path, connect: Connect
) -> None:
    remote = connect(credentials=Replaceable(lambda: oauth(tenant, client, cache)))
    assert remote.request("GET", WEBHOOKS).status == 200
    tenant.access.expire(remote.credentials.authorization().removeprefix("Bearer "))
    assert remote.request("GET", WEBHOOKS).status == 200
    assert asked(tenant) == 2
