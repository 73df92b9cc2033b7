"""The API of one server: under which prefix it lies, what kind of server it is, and its lists page by page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar
from urllib.parse import parse_qsl, quote

import msgspec

from qwebhook.model.decoding import NOT_JSON
from qwebhook.model.errors import InvalidInput, NotFound, Unavailable
from qwebhook.store.contract import Page, Role
from qwebhook.store.rest.answers import QWEBHOOK_CODES, Answer, problem
from qwebhook.store.rest.remote import Remote

T = TypeVar("T")
Prefix = Literal["/api/core", "/api/v1"]
Product = Literal["qwebhook", "tenant"]

CORE: Prefix = "/api/core"
V1: Prefix = "/api/v1"
OWN = "/api/qwebhook/v1"
# What a server that is no qwebhook may answer to a path that it does not have.
_NO_SUCH_PATH = (301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410)
# What is answered for a thing that is not there, and for a prefix that is no more.
_NOT_THERE = (404, 410)


class Known(msgspec.Struct):
    """What is known of a server, None where it is not yet."""

    prefix: Prefix | None = None
    product: Product | None = None


class Memory(Protocol):
    """Keeps what is known of a server from one run to the next. Without one, a run asks once or twice more."""

    def recall(self) -> Known: ...

    def remember(self, known: Known) -> None: ...


class Forgetful:
    """Remembers nothing beyond the run."""

    def recall(self) -> Known:
        return Known()

    def remember(self, known: Known) -> None:
        """Nothing to do."""


class Information(msgspec.Struct, rename="camel"):
    """What a qwebhook server says of itself, and of the token that was shown to it."""

    product: str
    version: str = ""
    capabilities: list[str] = []
    role: Role | None = None
    user_id: str | None = None


class _Link(msgspec.Struct):
    href: str | None = None


class _Links(msgspec.Struct):
    next: _Link | None = None
    prev: _Link | None = None


class _Listed(msgspec.Struct, Generic[T]):
    data: list[T]
    links: _Links | None = None


class Service:
    """The operations' way to the server."""

    def __init__(self, remote: Remote, memory: Memory) -> None:
        self.remote = remote
        self._memory = memory
        self._known = self._remembered = memory.recall()
        # Whether the prefix has been answered under in this run: until then, a 404 may mean another prefix.
        self._settled = False
        # The cursors that led to a page, by the cursor of the page after it.
        self._ways: dict[tuple[str, str], set[str]] = {}

    @property
    def name(self) -> str:
        return self.remote.name

    @property
    def is_qwebhook(self) -> bool:
        """Whether the server is a qwebhook; if not, it is a tenant."""
        if self._known.product is None:
            self._learn(product="tenant" if self.information() is None else "qwebhook")
        return self._known.product == "qwebhook"

    def information(self) -> Information | None:
        """What a qwebhook server says of itself; None where the server is none. Raises NotAuthorised, Unavailable."""
        answer = self.remote.request("GET", f"{OWN}/info", expected=_NO_SUCH_PATH)
        if answer.status == 200:
            try:
                found = msgspec.json.decode(answer.content, type=Information)
            except NOT_JSON:
                return None
            return found if found.product == "qwebhook" else None
        told = problem(answer)
        if told is not None and told.code.startswith(QWEBHOOK_CODES):
            raise self.remote.refusal(answer)
        return None

    @property
    def prefix(self) -> Prefix:
        """The newer one, until it is known that there is only the other."""
        return self._known.prefix or CORE

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Any = None,
        repeatable: bool | None = None,
        expected: Collection[int] = (),
    ) -> Answer:
        """As `Remote.request`, below the prefix. body: made JSON of, unless None."""
        content = None if body is None else encoded(body)

        def ask(prefix: Prefix) -> Answer:
            judged = {*_NOT_THERE, *expected}
            return self.remote.request(
                method, prefix + path, query=query, body=content, repeatable=repeatable, expected=judged
            )

        prefix = self.prefix
        answer = ask(prefix)
        another = not self._settled and self._known.product != "qwebhook" and not answer.repeated
        if answer.status in _NOT_THERE and another:
            # Nothing was done, so that it may be sent again.
            other: Prefix = V1 if prefix == CORE else CORE
            there = ask(other)
            if there.status not in _NOT_THERE:
                prefix, answer = other, there
        missing = answer.status in _NOT_THERE
        if answer.status == 204 or (answer.is_json and not missing):
            self._settled = True
            self._learn(prefix=prefix)
        if missing and answer.status not in expected:
            raise self.remote.refusal(answer)
        return answer

    def own(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Any = None,
        repeatable: bool | None = None,
        expected: Collection[int] = (),
        timeout: float | None = None,
    ) -> Answer:
        """As `request`, for what only a qwebhook server has."""
        content = None if body is None else encoded(body)
        return self.remote.request(
            method,
            OWN + path,
            query=query,
            body=content,
            repeatable=repeatable,
            expected=expected,
            timeout=timeout,
        )

    def page(
        self, path: str, item: type[T], query: Sequence[tuple[str, str]], cursor: str | None, *, own: bool = False
    ) -> Page[T]:
        """A page of a list; own: of one that only a qwebhook server has.

        The cursors of the page are those of the server's links; only they are taken from a link, and never its
        address, so that credentials go nowhere else. Raises InvalidInput for a cursor of no page, Unavailable for a
        list that leads in a circle.
        """
        asked = [*query, *([_parameter(cursor)] if cursor else [])]
        answer = self.own("GET", path, query=asked) if own else self.request("GET", path, query=asked)
        found: _Listed[T] = self.remote.decoded(answer, _Listed[item])  # type: ignore[valid-type]
        links = found.links or _Links()
        page: Page[T] = Page(found.data, self._cursor("next", links.next), self._cursor("prev", links.prev))
        self._check_way(path, cursor, page.next)
        return page

    def _cursor(self, relation: str, link: _Link | None) -> str | None:
        if link is None or not link.href:
            return None
        for name, value in parse_qsl(link.href.partition("?")[2].partition("#")[0]):
            if name == relation:
                return f"{relation}:{value}"
        raise Unavailable(f"a list of {self.name} has a link to another page without a cursor", "report it")

    def _check_way(self, path: str, cursor: str | None, following: str | None) -> None:
        """Refuse to go where one has been: such a list would never end. Raises Unavailable."""
        if following is None:
            return
        way = self._ways.pop((path, cursor or ""), set())
        way.add(cursor or "")
        if following in way:
            raise Unavailable(f"a list of {self.name} leads in a circle", "try again, and report it if it stays")
        self._ways[path, following] = way

    def _learn(self, prefix: Prefix | None = None, product: Product | None = None) -> None:
        self._known = Known(prefix or self._known.prefix, product or self._known.product)
        # A proxy's login page looks like a tenant, until the API has answered.
        sure = self._settled or self._known.product == "qwebhook"
        if sure and self._known != self._remembered:
            self._remembered = self._known
            self._memory.remember(self._known)


def _parameter(cursor: str) -> tuple[str, str]:
    """The query parameter of a cursor that `Service.page` gave. Raises InvalidInput."""
    relation, separator, value = cursor.partition(":")
    if relation not in ("next", "prev") or not separator or not value:
        raise InvalidInput("the cursor is malformed", "take it from a page as it is")
    return relation, value


def segment(text: str, what: str = "webhook") -> str:
    """A text as one part of a path. Raises NotFound for what no server can have."""
    if not text or text in (".", ".."):
        raise NotFound(f"there is no {what} {text!r}")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise NotFound(f"there is no {what} {text!r}") from None


def encoded(value: Any) -> bytes:
    """JSON. Raises InvalidInput for text that is not Unicode."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        raise InvalidInput("something that was given is not text in UTF-8", "correct it") from None
