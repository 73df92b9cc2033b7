"""What a client shows to a server: a key, a token that a command prints, or one that OAuth grants."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from qwebhook.model.decoding import NOT_JSON
from qwebhook.model.errors import InvalidInput, NotAuthorised
from qwebhook.store.rest.remote import Remote

COMMAND_TIMEOUT = 60.0
# A token is renewed this many seconds before its end, at most: requests take their time.
MARGIN = 60.0
_REFUSED = (400, 401, 403)


class Credentials(Protocol):
    """What lets a client in."""

    @property
    def advice(self) -> str:
        """How to renew them, for a person whose credentials were refused."""

    def authorization(self) -> str | None:
        """The value of the header `Authorization`; None for no such header. Raises NotAuthorised."""

    def renew(self) -> bool:
        """Get others after these were refused; whether it makes sense to try again. Raises NotAuthorised."""


class Anonymous:
    """No credentials."""

    def __init__(self, advice: str = "put an API key or a token into QWEBHOOK_TOKEN") -> None:
        self.advice = advice

    def authorization(self) -> str | None:
        return None

    def renew(self) -> bool:
        return False


class BearerKey:
    """An API key of a tenant, or a token of a qwebhook server. Raises InvalidInput if it cannot be part of a header."""

    def __init__(self, value: str, advice: str) -> None:
        self._value = _checked(value, "the key")
        self.advice = advice

    def authorization(self) -> str | None:
        return f"Bearer {self._value}"

    def renew(self) -> bool:
        return False


class KeyCommand:
    """A key that a command prints, such as that of a password manager; it is run when the key is needed first.

    argv: the program and its arguments; no shell is involved. timeout: seconds.
    """

    def __init__(self, argv: Sequence[str], advice: str = "", timeout: float = COMMAND_TIMEOUT) -> None:
        if not argv or not argv[0]:
            raise InvalidInput("the command that prints the key is empty", "give a program and its arguments")
        self._argv = list(argv)
        self._timeout = timeout
        self._value = ""
        self.advice = advice or f"renew the key that `{argv[0]}` prints"

    def authorization(self) -> str | None:
        if not self._value:
            self._value = self._printed()
        return f"Bearer {self._value}"

    def renew(self) -> bool:
        before, self._value = self._value, self._printed()
        return self._value != before

    def _printed(self) -> str:
        program = self._argv[0]
        try:
            # Its stderr is the person's: it may ask to touch or to unlock something.
            done = subprocess.run(
                self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=self._timeout, check=False
            )
        except subprocess.TimeoutExpired:
            raise NotAuthorised(f"`{program}` printed no key within {self._timeout:g} s", self.advice) from None
        except OSError as error:
            raise NotAuthorised(f"`{program}` cannot be run: {error.strerror}", "check the context's command") from None
        if done.returncode != 0:
            raise NotAuthorised(f"`{program}` printed no key: it ended with {done.returncode}", self.advice)
        return _checked(done.stdout.decode(errors="replace").strip(), f"what `{program}` prints")


class _Token(msgspec.Struct):
    """A token, as its file has it. client: a digest of what it was granted to. ends: when it is to be renewed, in
    seconds since the epoch.
    """

    client: str
    value: str
    ends: float


class _Grant(msgspec.Struct):
    """expires_in: seconds; 0 if it is not said."""

    access_token: str
    expires_in: float = 0.0

    def ends(self, now: float) -> float:
        """When a token that was granted now is to be renewed; what does not say is kept until it is refused."""
        seconds = self.expires_in or float("inf")
        return now + seconds - min(MARGIN, seconds / 2)


class OAuthClient:
    """A client that gets its tokens from `POST /oauth/token` of the tenant, by its id and secret.

    cache: a file that keeps the token for later runs, readable by its owner alone; None keeps it for this one. clock:
    seconds since the epoch. ca_file, sleep: as for `Remote`.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: str,
        cache: Path | None,
        *,
        advice: str = "",
        name: str = "",
        ca_file: Path | None = None,
        timeout: float = 30.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.advice = advice or "check the client's id and secret in the tenant's management console"
        self._client_id = client_id
        self._client_secret = client_secret
        self._cache = cache
        self._clock = clock
        self._connect = partial(
            Remote, url, Anonymous(self.advice), name=name, ca_file=ca_file, timeout=timeout, sleep=sleep
        )
        # A token belongs to one client with one secret, and so does what is kept of it.
        told = msgspec.json.encode([url.rstrip("/"), client_id, client_secret])
        self._client = hashlib.sha256(told).hexdigest()
        self._token: _Token | None = None

    def authorization(self) -> str | None:
        if self._token is None:
            self._token = self._kept()
        if self._token is None or self._token.ends <= self._clock():
            self._token = self._granted()
        return f"Bearer {self._token.value}"

    def renew(self) -> bool:
        refused, kept = self._token, self._kept()
        # Another process may have been quicker.
        another = kept is not None and refused is not None and kept.value != refused.value
        self._token = kept if another else self._granted()
        return True

    def _granted(self) -> _Token:
        body = msgspec.json.encode(
            {
                "client_id": self._client_id,
                "client_secret": self._client_secret,
                "grant_type": "client_credentials",
                "scope": "user_default",
            }
        )
        with closing(self._connect()) as remote:
            # Two tokens do no harm.
            answer = remote.request("POST", "/oauth/token", body=body, repeatable=True, expected=_REFUSED)
            if answer.status in _REFUSED:
                raise NotAuthorised(f"{remote.name} grants the OAuth client {self._client_id} no token", self.advice)
            grant: _Grant = remote.decoded(answer, _Grant)
        value = _checked(grant.access_token, "the token that was granted")
        token = _Token(self._client, value, grant.ends(self._clock()))
        if grant.expires_in:
            self._keep(token)
        return token

    def _kept(self) -> _Token | None:
        if self._cache is None:
            return None
        try:
            token = msgspec.json.decode(self._cache.read_bytes(), type=_Token)
        except (OSError, *NOT_JSON):
            return None
        return token if token.client == self._client and token.ends > self._clock() else None

    def _keep(self, token: _Token) -> None:
        """Write the token for later runs. Where that cannot be done, they ask for one of their own."""
        if self._cache is None:
            return
        try:
            self._cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # `mkstemp` makes files that their owner alone may read; replaced whole, since others may read meanwhile.
            descriptor, beside = tempfile.mkstemp(prefix=f".{self._cache.name}-", dir=self._cache.parent)
        except OSError:
            return
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(token))
            Path(beside).replace(self._cache)
        except OSError:
            Path(beside).unlink(missing_ok=True)


class Replaceable:
    """What is looked up anew when it is refused, for whoever works on while another puts a valid key in its place.

    look_up: gives the credentials as they are kept now; raises QwebhookError if there are none any more.
    """

    def __init__(self, look_up: Callable[[], Credentials]) -> None:
        self._look_up = look_up
        self._found = look_up()
        self._shown: str | None = None

    @property
    def advice(self) -> str:
        return self._found.advice

    def authorization(self) -> str | None:
        try:
            self._shown = self._found.authorization()
        except NotAuthorised:
            self._found = self._look_up()
            self._shown = self._found.authorization()
        return self._shown

    def renew(self) -> bool:
        self._found = self._look_up()
        return self._found.authorization() != self._shown or self._found.renew()


def _checked(value: str, what: str) -> str:
    """A value that can be part of a header. Raises InvalidInput; the value is not shown."""
    if not value:
        raise InvalidInput(f"{what} is empty")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise InvalidInput(f"{what} has spaces or characters that cannot be part of a header")
    return value
