"""The table of operations. A new one is a row here; its handler lies in a module beside this one.

The first ten are the service's, served under both of its prefixes; the others are qwebhook's own.
"""

from __future__ import annotations

from typing import Any

from qwebhook import __version__
from qwebhook.model.delivery import Delivery
from qwebhook.model.errors import InvalidWebhook
from qwebhook.model.patch import PatchOperation
from qwebhook.model.webhook import Webhook, WebhookDraft, WebhookReplacement
from qwebhook.server.acceptance import ROLES as PUBLISHERS
from qwebhook.server.acceptance import Receipt
from qwebhook.server.api import deliveries, letting_in, replays, state, webhooks
from qwebhook.server.api.lists import (
    AttemptList,
    DeliveryList,
    InboundList,
    PageParameters,
    StatisticsList,
    TokenList,
    WebhookList,
)
from qwebhook.server.api.operation import JSON, Answer, Call, NoParameters, Operation, under
from qwebhook.store.contract import Inbound, ReplayOutcome, Role

CORE, V1, OWN = "/api/core", "/api/v1", "/api/qwebhook/v1"
ADMINS: tuple[Role, ...] = ("admin",)
USERS: tuple[Role, ...] = ("admin", "user")
PATCH_TYPES = (JSON, "application/json-patch+json")
EVENT_TYPES = (JSON, "application/cloudevents+json", "application/cloudevents-batch+json")


async def _information(call: Call[NoParameters, None]) -> Answer:
    token = call.caller
    return Answer(
        200,
        state.Information(
            product="qwebhook",
            version=__version__,
            api_prefixes=[CORE, V1, OWN],
            capabilities=[operation.id for operation in _OWN],
            role=token.role if token else None,
            user_id=token.user_id if token else None,
        ),
    )


async def _description(_: Call[None, None]) -> Answer:
    from qwebhook.server.api.openapi import document

    return Answer(200, document())


def _service(patch: Any) -> list[Operation]:
    """The service's ten. patch: what handles a patch, which is where the prefixes differ."""
    return [
        Operation(
            "GET", "/webhooks", "listWebhooks", "List webhooks",
            USERS, {200: WebhookList}, webhooks.list_webhooks, query=webhooks.WebhookParameters,
        ),
        Operation(
            "POST", "/webhooks", "createWebhook", "Make a webhook, disabled unless `enabled` is true",
            USERS, {201: Webhook}, webhooks.create, body=WebhookDraft, invalid=InvalidWebhook,
        ),
        Operation(
            "GET", "/webhooks/event-types", "listEventTypes", "List event types",
            USERS, {200: webhooks.EventTypeList}, webhooks.event_types,
        ),
        Operation(
            "GET", "/webhooks/{id}", "getWebhook", "Get a webhook",
            USERS, {200: Webhook}, webhooks.get,
        ),
        Operation(
            "PUT", "/webhooks/{id}", "replaceWebhook", "Replace a webhook: what is left out is cleared",
            USERS, {200: Webhook}, webhooks.replace, body=WebhookReplacement, invalid=InvalidWebhook,
            read_only=webhooks.READ_ONLY, errors=(409,),
        ),
        Operation(
            "PATCH", "/webhooks/{id}", "patchWebhook", "Change a webhook",
            USERS, {204: None}, patch, body=list[PatchOperation], media_types=PATCH_TYPES,
            invalid=webhooks.invalid_operation,
        ),
        Operation(
            "DELETE", "/webhooks/{id}", "deleteWebhook", "Delete a webhook; what is pending for it is cancelled",
            USERS, {204: None}, webhooks.delete,
        ),
        Operation(
            "GET", "/webhooks/{id}/deliveries", "listDeliveries", "List the deliveries of a webhook",
            USERS, {200: DeliveryList}, deliveries.list_deliveries, query=deliveries.DeliveryParameters,
        ),
        Operation(
            "GET", "/webhooks/{id}/deliveries/{deliveryId}", "getDelivery", "Get a delivery",
            USERS, {200: Delivery}, deliveries.get,
        ),
        Operation(
            "POST", "/webhooks/{id}/deliveries/{deliveryId}/actions/resend", "resendDelivery",
            "Send a delivery again: one attempt, at once; 201 whatever comes of it",
            USERS, {201: Delivery}, deliveries.resend, errors=(429,),
        ),
    ]  # fmt: skip


_OWN = [
    Operation(
        "GET", "/info", "getInformation", "What this server is, and what the token may do that was shown, if any",
        (), {200: state.Information}, _information,
    ),
    Operation(
        "GET", "/statistics", "getStatistics", "How many webhooks and deliveries there are, and how these fare",
        ADMINS, {200: StatisticsList}, state.statistics, query=PageParameters,
    ),
    Operation(
        "GET", "/webhooks/find", "findWebhook", "Find a webhook by its id, its name or the beginning of its id",
        USERS, {200: Webhook}, webhooks.find, query=webhooks.Reference, errors=(404, 409),
    ),
    Operation(
        "POST", "/webhooks/{id}/rotate-secret", "rotateSecret", "Sign with a new secret; both sign for a while",
        USERS, {200: webhooks.Rotated}, webhooks.rotate_secret, body=webhooks.Rotation, optional=True,
        invalid=InvalidWebhook,
    ),
    Operation(
        "POST", "/webhooks/{id}/test-fire", "testFire",
        "Send a test event: one attempt, at once; 201 whatever comes of it",
        USERS, {201: Delivery}, deliveries.test_fire, body=deliveries.Firing, optional=True, errors=(429,),
    ),
    Operation(
        "POST", "/webhooks/{id}/discard", "discardPending", "Cancel what is pending for a webhook",
        USERS, {200: webhooks.Discarded}, webhooks.discard,
    ),
    Operation(
        "GET", "/webhooks/{id}/deliveries/{deliveryId}/attempts", "listAttempts", "List the attempts of a delivery",
        USERS, {200: AttemptList}, deliveries.list_attempts,
    ),
    Operation(
        "GET", "/deliveries", "listAllDeliveries", "List the deliveries of all webhooks",
        ADMINS, {200: DeliveryList}, deliveries.list_all, query=deliveries.DeliveryParameters,
    ),
    Operation(
        "POST", "/replays", "replayEvents", "Deliver past events again",
        USERS, {200: replays.ReplayResult}, replays.replay, body=replays.Replay, errors=(404,),
    ),
    Operation(
        "POST", "/replays/outcome", "getReplayOutcome", "How the deliveries of replays have fared so far",
        USERS, {200: ReplayOutcome}, replays.outcome, body=replays.OutcomeQuestion, errors=(404,),
    ),
    Operation(
        "GET", "/tokens", "listTokens", "List tokens",
        ADMINS, {200: TokenList}, letting_in.list_tokens,
    ),
    Operation(
        "POST", "/tokens", "createToken", "Make a token; its value is shown this once",
        ADMINS, {201: letting_in.NewToken}, letting_in.create_token, body=letting_in.TokenDraft, errors=(409,),
    ),
    Operation(
        "DELETE", "/tokens/{id}", "revokeToken", "Revoke a token, named by its id or its name",
        ADMINS, {204: None}, letting_in.revoke_token,
    ),
    Operation(
        "GET", "/inbounds", "listInbounds", "List those whose signatures let events in",
        ADMINS, {200: InboundList}, letting_in.list_inbounds,
    ),
    Operation(
        "POST", "/inbounds", "createInbound", "Let events in that are signed with a secret",
        ADMINS, {201: Inbound}, letting_in.create_inbound, body=letting_in.InboundDraft, errors=(409,),
    ),
    Operation(
        "DELETE", "/inbounds/{id}", "removeInbound", "Let nobody in by an inbound's signature any more",
        ADMINS, {204: None}, letting_in.remove_inbound,
    ),
]  # fmt: skip

_ELSEWHERE = [
    # By the acceptance: it is the one route that every event takes, and routing costs as much again.
    Operation(
        "POST", "/events", "acceptEvents", "Take events in; 202 when they are on disk",
        PUBLISHERS, {202: Receipt}, None, query=None, body=dict[str, Any] | list[dict[str, Any]],
        media_types=EVENT_TYPES,
    ),
    Operation(
        "OPTIONS", "/events", "askConsent", "Ask whether one may deliver here: the handshake of CloudEvents' web hooks",
        None, {200: None}, None, query=None,
    ),
    Operation(
        "GET", "/healthz", "isAlive", "Whether the process is alive",
        None, {200: state.Alive}, state.healthy, query=None,
    ),
    Operation(
        "GET", "/readyz", "isReady", "Whether events can be accepted and delivered now",
        None, {200: state.Ready, 503: state.NotReady}, state.ready, query=None,
    ),
    Operation(
        "GET", "/metrics", "getMetrics", "Figures in Prometheus' text format",
        ("metrics", "admin"), {200: str}, state.figures, query=None,
    ),
    Operation(
        "GET", "/openapi.json", "getDescription", "This document",
        None, {200: dict[str, Any]}, _description, query=None,
    ),
]  # fmt: skip

OPERATIONS: list[Operation] = [
    *under(CORE, _service(webhooks.patch)),
    *under(V1, _service(webhooks.patch_v1), id_suffix="V1", deprecated=True),
    *under(OWN, _OWN),
    *_ELSEWHERE,
]
