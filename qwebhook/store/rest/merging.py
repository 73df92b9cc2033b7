"""The deliveries of all webhooks of a tenant, which lists those of one webhook at a time: its lists, merged."""

from __future__ import annotations

import heapq
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator

import msgspec

from qwebhook.model.delivery import Delivery
from qwebhook.model.errors import InvalidInput, NotFound
from qwebhook.store.contract import DeliveryQuery, Page

Read = Callable[[DeliveryQuery], Page[Delivery]]
_PREFIX = "merged:"


class _Place(msgspec.Struct, array_like=True):
    """How far the list of one webhook has been read: so many items of the page at a cursor (None: the first page)."""

    webhook: str
    cursor: str | None = None
    taken: int = 0


class _Places(msgspec.Struct, array_like=True):
    """limit: of the pages of which items were taken, whatever that of the merged pages has become since."""

    limit: int
    all: list[_Place]


class Merged:
    """Pages of the merged lists; they lead forwards only.

    read: gives a page of one webhook's list. Those that a merged page was made of are kept for the next one, which may
    begin in them.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._before: dict[bytes, Page[Delivery]] = {}
        self._pages: dict[bytes, Page[Delivery]] = {}

    def page(self, query: DeliveryQuery, webhooks: Callable[[], Iterable[str]]) -> Page[Delivery]:
        """webhooks: the ids of all of them, asked for with the first page. Raises InvalidInput for a foreign cursor."""
        self._before, self._pages = self._pages, {}
        if query.cursor is None:
            self._before.clear()
            places = _Places(query.limit, [_Place(webhook) for webhook in webhooks()])
        else:
            places = _decoded(query.cursor)
        field = "status" if query.sort.endswith("status") else "triggered_at"
        single = msgspec.structs.replace(query, limit=places.limit)
        lists = [self._rest(single, place) for place in places.all]
        merged = heapq.merge(*lists, key=lambda one: str(getattr(one[0], field)), reverse=query.sort.startswith("-"))
        far = {place.webhook: place for place in places.all}
        found: list[Delivery] = []
        for delivery, place in merged:
            if len(found) == query.limit:
                return Page(found, _encoded(_Places(places.limit, list(far.values()))))
            found.append(delivery)
            far[place.webhook] = place
        return Page(found)

    def _rest(self, query: DeliveryQuery, place: _Place) -> Iterator[tuple[Delivery, _Place]]:
        """What is left of one webhook's list, each with the place after it; read page by page as it is wanted."""
        cursor, taken = place.cursor, place.taken
        while True:
            page = self._page(msgspec.structs.replace(query, webhook_id=place.webhook, cursor=cursor))
            for number, delivery in enumerate(page.items[taken:], start=taken + 1):
                yield delivery, _Place(place.webhook, cursor, number)
            if page.next is None:
                return
            cursor, taken = page.next, 0

    def _page(self, query: DeliveryQuery) -> Page[Delivery]:
        key = msgspec.json.encode(query)
        if key in self._before:
            self._pages[key] = self._before[key]
        elif key not in self._pages:
            try:
                self._pages[key] = self._read(query)
            except NotFound:
                # Deleted meanwhile, and its deliveries with it.
                self._pages[key] = Page([])
        return self._pages[key]


def _encoded(places: _Places) -> str:
    return _PREFIX + urlsafe_b64encode(msgspec.json.encode(places)).decode()


def _decoded(cursor: str) -> _Places:
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor.removeprefix(_PREFIX)), type=_Places)
    except (ValueError, msgspec.DecodeError):
        raise InvalidInput("the cursor is malformed", "take it from a page as it is") from None
