"""The event that tells of a webhook's disabling."""

from __future__ import annotations

import msgspec

from qwebhook.model.delivery import DISABLED_EVENT
from qwebhook.model.event import Event, read_event
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.model.webhook import Webhook


def disabled_event(webhook: Webhook, now: int) -> Event:
    """Of a webhook that was disabled now (ms since the epoch). Its URL is left out, since it may carry a secret."""
    body = {
        "specversion": "1.0",
        "id": f"{webhook.id}-{now}",
        "time": to_rfc3339(now),
        "type": DISABLED_EVENT,
        "source": "com.qwebhook/webhooks",
        "datacontenttype": "application/json",
        "toplevelresourceid": webhook.id,
        **({"ownerid": webhook.owner_id} if webhook.owner_id else {}),
        "data": {
            "id": webhook.id,
            "name": webhook.name,
            "level": webhook.level,
            "ownerId": webhook.owner_id,
            "eventTypes": webhook.event_types,
            "disabledReason": webhook.disabled_reason,
            "disabledReasonCode": webhook.disabled_reason_code,
        },
    }
    return read_event(msgspec.json.encode(body))
