"""The history of deliveries behind a server."""

from __future__ import annotations

import msgspec

from qwebhook.model.delivery import Attempt, Delivery
from qwebhook.store.contract import DeliveryQuery, Page, Statistics, StatisticsQuery, WebhookStatistics
from qwebhook.store.rest import tenant
from qwebhook.store.rest.answers import Answer
from qwebhook.store.rest.merging import Merged
from qwebhook.store.rest.service import Service, segment
from qwebhook.store.rest.shapes import ShownDelivery
from qwebhook.store.rest.webhooks import Webhooks


class _Attempts(msgspec.Struct):
    data: list[Attempt]


class History:
    """The deliveries' part of `Administration`, by a server's operations, and what is sent by hand."""

    def __init__(self, service: Service, webhooks: Webhooks) -> None:
        self._service = service
        self._webhooks = webhooks
        self._merged = Merged(self.page)

    def page(self, query: DeliveryQuery) -> Page[Delivery]:
        if query.webhook_id is not None:
            path, own = f"/webhooks/{segment(query.webhook_id)}/deliveries", False
        elif self._service.is_qwebhook:
            path, own = "/deliveries", True
        else:
            return self._merged.page(query, lambda: (webhook.id for webhook in self._webhooks.all()))
        page = self._service.page(path, ShownDelivery, _parameters(query), query.cursor, own=own)
        return Page([shown.read(query.webhook_id or "") for shown in page.items], page.next, page.previous)

    def get(self, webhook_id: str, delivery_id: str) -> Delivery:
        answer = self._service.request("GET", _path(webhook_id, delivery_id))
        return self._read(answer, webhook_id)

    def attempts(self, webhook_id: str, delivery_id: str) -> list[Attempt]:
        path = _path(webhook_id, delivery_id)
        if not self._service.is_qwebhook:
            raise tenant.not_offered(self._service.name, "makes one attempt", "`qwebhook delivery WEBHOOK ID` shows it")
        found: _Attempts = self._service.remote.decoded(self._service.own("GET", f"{path}/attempts"), _Attempts)
        return found.data

    def resend(self, webhook_id: str, delivery_id: str) -> Delivery:
        answer = self._service.request("POST", f"{_path(webhook_id, delivery_id)}/actions/resend")
        return self._read(answer, webhook_id)

    def test_fire(self, webhook_id: str, event: bytes) -> Delivery:
        if not self._service.is_qwebhook:
            raise tenant.not_offered(self._service.name, "fires no test events", "fire with --via direct")
        path = f"/webhooks/{segment(webhook_id)}/test-fire"
        answer = self._service.own("POST", path, body={"event": msgspec.Raw(event)})
        return self._read(answer, webhook_id)

    def statistics(self) -> Statistics:
        self._check_keeps_figures()
        answer = self._service.own("GET", "/statistics", query=[("limit", "1")])
        found: Statistics = self._service.remote.decoded(answer, Statistics)
        return found

    def list_statistics(self, query: StatisticsQuery) -> Page[WebhookStatistics]:
        self._check_keeps_figures()
        limit = [("limit", str(query.limit))]
        return self._service.page("/statistics", WebhookStatistics, limit, query.cursor, own=True)

    def _check_keeps_figures(self) -> None:
        if not self._service.is_qwebhook:
            raise tenant.not_offered(
                self._service.name, "keeps no figures", "`qwebhook deliveries WEBHOOK` shows what it delivered"
            )

    def _read(self, answer: Answer, webhook_id: str) -> Delivery:
        shown: ShownDelivery = self._service.remote.decoded(answer, ShownDelivery)
        return shown.read(webhook_id)


def _path(webhook_id: str, delivery_id: str) -> str:
    return f"/webhooks/{segment(webhook_id)}/deliveries/{segment(delivery_id, 'delivery')}"


def _parameters(query: DeliveryQuery) -> list[tuple[str, str]]:
    given = {
        "eventType": query.event_type,
        "status": query.status,
        "sort": query.sort,
        "limit": str(query.limit),
    }
    return [(name, value) for name, value in given.items() if value is not None]
