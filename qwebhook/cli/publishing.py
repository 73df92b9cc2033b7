"""Handing events over: to a server by HTTP, or straight into a database store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import msgspec

from qwebhook.cli.server_answers import authorization, refusal
from qwebhook.model.envelope import JSON, MAX_BODY
from qwebhook.model.errors import InvalidInput, Unavailable
from qwebhook.model.event import Event
from qwebhook.store.location import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from qwebhook.store.contract import Journal
    from qwebhook.store.rest.remote import Remote

RETRIES = 5
LONGEST_WAIT = 30.0
TIMEOUT = 30.0


class Receipt(msgspec.Struct):
    """What became of events: how many were new, how many there already, and the id of each, in order."""

    accepted: int = 0
    duplicates: int = 0
    ids: list[str] = []

    def add(self, other: Receipt) -> None:
        self.accepted += other.accepted
        self.duplicates += other.duplicates
        self.ids.extend(other.ids)


class Destination(Protocol):
    """Where events are handed to. `publish` returns when they are on disk there."""

    def publish(self, events: Sequence[Event]) -> Receipt: ...

    def close(self) -> None: ...


class JournalDestination:
    """A database store. clock: milliseconds since the epoch."""

    def __init__(self, journal: Journal, clock: Callable[[], int]) -> None:
        self._journal = journal
        self._clock = clock

    def publish(self, events: Sequence[Event]) -> Receipt:
        accepted = self._journal.write(events, [], self._clock()).accepted
        duplicates = sum(one.duplicate for one in accepted)
        return Receipt(len(accepted) - duplicates, duplicates, [one.id for one in accepted])

    def close(self) -> None:
        self._journal.close()


class StoreDestination:
    """The server that is the store, which is closed with the session."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def publish(self, events: Sequence[Event]) -> Receipt:
        receipt = Receipt(ids=[])
        for body in _bodies(events):
            # What was taken once is a duplicate the second time, so that no harm is done by sending it again.
            answer = self._remote.request("POST", "/events", body=body, repeatable=True)
            receipt.add(self._remote.decoded(answer, Receipt))
        return receipt

    def close(self) -> None:
        """Nothing to do."""


class ServerDestination:
    """A server's `POST /events`. sleep: waits a number of seconds."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import httpx

        self._url = f"{server_url(url)}/events"
        self._sleep = sleep
        headers = {"content-type": JSON, **authorization(token)}
        host = urlsplit(self._url).hostname or ""
        # On the way to this machine is no proxy: one would look for the server on its own.
        unproxied = {f"all://{f'[{host}]' if ':' in host else host}": None} if is_loopback(host) else {}
        try:
            # No redirects: the token is meant for this server and no other.
            self._client = httpx.Client(headers=headers, timeout=TIMEOUT, transport=transport, mounts=unproxied)
        except (ValueError, httpx.InvalidURL) as error:
            raise InvalidInput(f"the proxy of the environment cannot be used: {error}", "check HTTPS_PROXY") from None

    def publish(self, events: Sequence[Event]) -> Receipt:
        receipt = Receipt(ids=[])
        for body in _bodies(events):
            receipt.add(self._post(body))
        return receipt

    def close(self) -> None:
        self._client.close()

    def _post(self, body: bytes) -> Receipt:
        """One request; again after a while if the server is busy. What was taken twice is a duplicate there."""
        for attempt in range(1, RETRIES + 1):
            response = self._send(body)
            if response.status_code not in (429, 503) or attempt == RETRIES:
                break
            self._sleep(_wait(response.headers, attempt))
        if response.status_code == 202:
            try:
                return msgspec.json.decode(response.content, type=Receipt)
            except msgspec.DecodeError:
                raise Unavailable(f"the answer of {self._url} is not that of a qwebhook server") from None
        raise refusal(response.status_code, response.content, self._url, "publisher", "admin")

    def _send(self, body: bytes) -> httpx.Response:
        import httpx

        try:
            return self._client.post(self._url, content=body)
        except httpx.TimeoutException:
            raise Unavailable(
                f"{self._url} did not answer within {TIMEOUT:.0f} s",
                "publishing again is safe: what was taken is not taken twice",
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"{self._url} cannot be reached: {error}", "is `qwebhook serve` running?") from None


def server_url(text: str) -> str:
    """The URL without a slash at its end. Raises InvalidInput; what may be a password is not shown."""
    try:
        parts = urlsplit(text)
        host, user = parts.hostname, parts.username
    except ValueError:
        host, user, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidInput("the server is not a URL", "write https://HOST")
    if user is not None:
        raise InvalidInput("the server's URL carries a user name", "give a token in QWEBHOOK_TOKEN instead")
    return text.rstrip("/").removesuffix("/events")


def _bodies(events: Sequence[Event]) -> Iterator[bytes]:
    """JSON arrays of the events, each within the server's limit; an event near the limit goes alone."""
    batch: list[bytes] = []
    size = 2
    for event in events:
        if batch and size + len(event.body) + 1 > MAX_BODY:
            yield _array(batch)
            batch, size = [], 2
        batch.append(event.body)
        size += len(event.body) + 1
    if batch:
        yield _array(batch)


def _array(bodies: list[bytes]) -> bytes:
    return bodies[0] if len(bodies) == 1 else b"[" + b",".join(bodies) + b"]"


def _wait(headers: Mapping[str, str], attempt: int) -> float:
    """Seconds to wait: as the server asks, within reason, else longer each time."""
    asked = headers.get("retry-after", "")
    seconds = float(asked) if asked.isdigit() else 0.5 * 2.0**attempt
    return min(seconds, LONGEST_WAIT)
