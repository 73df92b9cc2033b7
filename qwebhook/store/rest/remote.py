"""The way to a server: one HTTP client, with time limits, bounded retries and credentials.

What may be sent again, and when:

    429                            any request: the server says that it did nothing
    no connection                  any request: it was not sent
    502, 503, 504                  a repeatable one
    the connection broke           a repeatable one
    no answer within the time      none: whoever waits has waited long enough
    401                            any, once, with renewed credentials

Repeatable are GET, HEAD, PUT, DELETE and OPTIONS (RFC 9110, section 9.2.2), and what the caller says is. Redirects are
never followed, so that credentials go to the one server that they are for.
"""

from __future__ import annotations

import contextlib
import math
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlencode, urlsplit
from weakref import WeakSet

import httpx

from qwebhook import __version__
from qwebhook.model.backoff import parse_retry_after
from qwebhook.model.errors import InvalidInput, QwebhookError, Unavailable
from qwebhook.store.rest.answers import Answer, decoded, refusal
from qwebhook.store.rest.server_time import ServerTime

if TYPE_CHECKING:
    from qwebhook.store.rest.credentials import Credentials

T = TypeVar("T")
Query = Mapping[str, str] | Sequence[tuple[str, str]]

JSON = "application/json"
TRIES = 4
# Seconds before the second try, doubled each time; a server that counts requests is given longer.
FIRST_WAIT = 0.25
FIRST_WAIT_IF_LIMITED = 1.0
LONGEST_WAIT = 60.0
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_PASSING = frozenset({502, 503, 504})
_UNSURE = "it may have been carried out all the same: look before sending it again"


class Bounds(NamedTuple):
    """What an answer may take. seconds: with all tries and waits. size: bytes."""

    seconds: float
    size: int


class Remote:
    """One server.

    url: its path, if it has one, goes before that of requests. name: how messages name the server, such as
    `context prod`; the URL unless given. ca_file: a PEM file of authorities that are trusted, too. connect_timeout,
    timeout: seconds. longest_wait: a server that asks for more seconds than this is not waited for. trace: is told of
    every request in one line that holds no secret. Proxy variables of the environment are honoured.

    Raises InvalidInput for a CA file or a proxy that cannot be used.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        name: str = "",
        ca_file: Path | None = None,
        connect_timeout: float = 5.0,
        timeout: float = 30.0,
        longest_wait: float = LONGEST_WAIT,
        sleep: Callable[[float], None] = time.sleep,
        randomness: Callable[[], float] = random.random,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.name = name or self.url
        self.credentials = credentials
        self.time = ServerTime()
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._longest_wait = longest_wait
        self._sleep = sleep
        self._randomness = randomness
        self._trace = trace
        self._streams: WeakSet[Any] = WeakSet()
        self._lock = threading.Lock()
        try:
            self._client = httpx.Client(
                headers={"user-agent": f"qwebhook/{__version__}", "accept": JSON},
                verify=_trust(self.url, ca_file),
                follow_redirects=False,
            )
        except (ValueError, httpx.InvalidURL) as error:
            raise InvalidInput(f"the proxy of the environment cannot be used: {error}", "check HTTPS_PROXY") from None
        # Who shows a key must not show a session beside it: of that a tenant wants more than the cookie.
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        repeatable: bool | None = None,
        expected: Collection[int] = (),
        timeout: float | None = None,
        bounds: Bounds | None = None,
    ) -> Answer:
        """An answer of success (2xx), or one with a status that the caller expects.

        path: from the root of the server, percent-encoded. repeatable: whether the request may be carried out twice;
        by its method unless given. timeout: for what takes longer than others. bounds: for what is not worth more.

        Raises the error that any other answer stands for (`answers.refusal`), Unavailable if there is none, or a larger
        one.
        """
        may_repeat = method in _REPEATABLE if repeatable is None else repeatable
        target = _target(path, query)
        patience = bounds.seconds if bounds else timeout or self._timeout
        deadline = time.monotonic() + bounds.seconds if bounds else math.inf
        renewed = unsure = False
        tries = 0
        while True:
            tries += 1
            try:
                answer = self._exchange(method, target, body, content_type, patience, bounds, deadline)
            except (UnicodeError, httpx.InvalidURL):
                raise InvalidInput(f"{self.name} has a name that no host can have", "check the URL") from None
            except httpx.HTTPError as error:
                late = time.monotonic() >= deadline
                why = httpx.ReadTimeout("") if late else error
                trouble = _trouble(why, self.name, self._connect_timeout, patience)
                again = trouble.passing and (may_repeat or not trouble.sent)
                if not again or tries == TRIES:
                    raise _unreachable(trouble, may_repeat) from None
                unsure = unsure or trouble.sent
                wait = self._backoff(FIRST_WAIT, tries)
                if time.monotonic() + wait >= deadline:
                    raise _unreachable(trouble, may_repeat) from None
            else:
                if answer.status == 401 and not renewed and self.credentials.renew():
                    renewed, tries = True, tries - 1
                    continue
                asked = self._wait_after(answer, tries, may_repeat)
                if asked is None or tries == TRIES or time.monotonic() + asked >= deadline:
                    break
                unsure, wait = unsure or answer.status in _PASSING, asked
            self._sleep(wait)
        if 200 <= answer.status < 300:
            # Of errors, a gateway's clock may tell.
            self.time.note(answer.headers.get("date", ""))
        if 200 <= answer.status < 300 or answer.status in expected:
            return Answer(answer.status, answer.headers, answer.content, unsure)
        refused = self.refusal(answer)
        if answer.status in _PASSING and not may_repeat:
            raise Unavailable(refused.message, _UNSURE)
        raise refused

    def read(self, path: str, wanted: type[T] | Any, query: Query | None = None) -> T:
        """What a GET answers, as a type that msgspec can decode. Raises as `request` and `decoded` do."""
        value: T = self.decoded(self.request("GET", path, query=query), wanted)
        return value

    def decoded(self, answer: Answer, wanted: type[T] | Any) -> T:
        """What an answer of success holds. Raises Unavailable if it is something else."""
        value: T = decoded(answer, wanted, self.name)
        return value

    def refusal(self, answer: Answer) -> QwebhookError:
        """The error that an answer stands for which the caller expected, and cannot use."""
        anonymous = answer.status == 401 and self.credentials.authorization() is None
        return refusal(answer, self.name, self.credentials.advice, anonymous)

    def close(self) -> None:
        self._client.close()

    def _exchange(
        self,
        method: str,
        target: str,
        body: bytes | None,
        content_type: str,
        patience: float,
        bounds: Bounds | None,
        deadline: float,
    ) -> Answer:
        """One request and its answer. Raises httpx.HTTPError, Unavailable for an answer that is too large."""
        headers = {"content-type": content_type} if body is not None else {}
        if bounds is not None:
            headers["accept-encoding"] = "identity"  # or a few bytes could be made many
        authorization = self.credentials.authorization()
        if authorization is not None:
            headers["authorization"] = authorization
        limits = httpx.Timeout(patience, connect=self._connect_timeout)
        started = time.monotonic()
        outcome = "no answer"
        try:
            with (
                self._ended_at(deadline),
                self._client.stream(
                    method,
                    self.url + target,
                    content=body,
                    headers=headers,
                    timeout=limits,
                    extensions={"trace": self._note_stream},
                ) as response,
            ):
                outcome = str(response.status_code)
                content = response.read() if bounds is None else self._start_of(response, bounds.size)
        finally:
            if self._trace is not None:
                self._trace(f"{method} {self.url}{target}: {outcome} in {(time.monotonic() - started) * 1000:.0f} ms")
        return Answer(response.status_code, response.headers, content)

    def _start_of(self, response: httpx.Response, size: int) -> bytes:
        """The whole of an answer. Raises Unavailable if that is more than `size`."""
        content = b""
        for part in response.iter_raw():
            content += part
            if len(content) > size:
                raise Unavailable(f"{self.name} answers with more than {size >> 20} MiB", "check the URL")
        return content

    def _note_stream(self, event: str, about: dict[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._lock:
                self._streams.add(about["return_value"])

    @contextlib.contextmanager
    def _ended_at(self, deadline: float) -> Iterator[None]:
        """httpx's times are for one read each: whoever sends a byte now and then is never too late for it.

        Which of our connections it is, nobody says: all are ended, and what the others were asked is asked again.
        """
        if deadline == math.inf:
            yield
            return
        timer = threading.Timer(max(deadline - time.monotonic(), 0), self._end_connections)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end_connections(self) -> None:
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            connection = stream.get_extra_info("socket")
            # As TLS would do it, it would wait for the other side.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _wait_after(self, answer: Answer, tries: int, may_repeat: bool) -> float | None:
        """Seconds until the request is sent again; None if it is not."""
        if answer.status != 429 and not (answer.status in _PASSING and may_repeat):
            return None
        asked = parse_retry_after(answer.headers.get("retry-after", ""), _time_there(answer))
        if not asked:
            # What asks for no wait at all would have all the tries at once.
            return self._backoff(FIRST_WAIT_IF_LIMITED if answer.status == 429 else FIRST_WAIT, tries)
        if asked > self._longest_wait:
            return None
        # Never before it was asked for; not all clients at the same moment either.
        return asked + min(1.0, asked / 10) * self._randomness()

    def _backoff(self, first: float, tries: int) -> float:
        """Twice as long after each try, moved by up to a quarter either way."""
        wait: float = first * 2.0 ** (tries - 1) * (0.75 + 0.5 * self._randomness())
        return wait


def _time_there(answer: Answer) -> float:
    """The server's time, in seconds since the epoch, or this machine's where it does not tell."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return time.time()


def _target(path: str, query: Query | None) -> str:
    """The path with its query. Raises InvalidInput for text that is not Unicode."""
    try:
        return f"{path}?{urlencode(query)}" if query else path
    except UnicodeEncodeError:
        raise InvalidInput("something that was asked for is not text in UTF-8", "correct it") from None


class _Trouble(NamedTuple):
    """Why there is no answer. passing: whether it may be over soon. sent: whether the server may have the request."""

    words: str
    hint: str
    passing: bool
    sent: bool


def _trouble(error: httpx.HTTPError, server: str, connect_timeout: float, timeout: float) -> _Trouble:
    causes = list(_causes(error))
    sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError)
    certificate = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return _Trouble(
            f"the certificate of {server} is not trusted: {certificate.verify_message}",
            "if it is the right server, trust its authority with `qwebhook context add --ca-file`",
            False,
            False,
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes) and not sent:
        return _Trouble(f"{server} cannot be reached: it does not speak TLS", "check the URL", False, False)
    unknown = next((cause for cause in causes if isinstance(cause, socket.gaierror)), None)
    if unknown is not None:
        passing = unknown.errno == socket.EAI_AGAIN
        return _Trouble(
            f"{server} cannot be reached: there is no such host", "check its name, and the network", passing, False
        )
    if isinstance(error, httpx.ConnectTimeout):
        return _Trouble(f"{server} cannot be reached: no connection within {connect_timeout:g} s", "", True, False)
    if isinstance(error, httpx.TimeoutException):
        return _Trouble(f"{server} did not answer within {timeout:g} s", "", False, sent)
    system = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), "")
    if not sent:
        what = system.lower() or str(error) or type(error).__name__
        return _Trouble(f"{server} cannot be reached: {what}", "is the server running, and the URL right?", True, False)
    what = system.lower() or "it ended the connection without a whole answer"
    return _Trouble(f"the connection to {server} broke: {what}", "", True, True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__


def _unreachable(trouble: _Trouble, may_repeat: bool) -> Unavailable:
    if trouble.sent and not may_repeat:
        return Unavailable(trouble.words, _UNSURE)
    return Unavailable(trouble.words, trouble.hint or "try again later")


def _trust(url: str, ca_file: Path | None) -> ssl.SSLContext:
    """Whose certificates are believed. Raises InvalidInput."""
    if urlsplit(url).scheme == "http":
        # Reading all authorities takes longer than most requests; without any, nothing is trusted.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = httpx.create_ssl_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise InvalidInput(
                f"the CA file {ca_file} cannot be used: {error.strerror or error}", "give a PEM file of certificates"
            ) from None
    return context
