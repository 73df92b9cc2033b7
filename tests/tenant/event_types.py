"""The event types that the tenant offers for webhooks: those that are documented by name.

Where the facts give no levels, they are the tenant's.
"""

from __future__ import annotations

from tests.tenant.answers import Json

_BOTH = ["user", "tenant"]
_TENANT = ["tenant"]


def _type(name: str, title: str, category: str, levels: list[str]) -> Json:
    return {"name": name, "title": title, "description": f"{title}.", "category": category, "levels": levels}


EVENT_TYPES = [
    _type("com.qlik.v1.app.created", "App created", "app", _BOTH),
    _type("com.qlik.v1.app.exported", "App exported", "app", _BOTH),
    _type("com.qlik.v1.app.published", "App published", "app", _BOTH),
    _type("com.qlik.v1.app.deleted", "App deleted", "app", _TENANT),
    _type("com.qlik.v1.app.data.updated", "App data updated", "app", _BOTH),
    _type("com.qlik.v1.app.reload.finished", "App reload finished", "app", _BOTH),
    _type("com.qlik.v1.reload.finished", "Reload finished", "reload", _BOTH),
    _type("com.qlik.v1.api-key.validation.failed", "API key validation failed", "identity", _TENANT),
    _type("com.qlik.v1.user.created", "User created", "identity", _TENANT),
    _type("com.qlik.v1.user.deleted", "User deleted", "identity", _TENANT),
]
