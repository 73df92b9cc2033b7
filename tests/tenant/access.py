"""Who may: users, API keys, OAuth clients and their tokens.

The facts give no more of OAuth's errors than of others, so they have the same shape.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from tests.tenant.answers import Answer, Json, Refused, json_answer

if TYPE_CHECKING:
    from tests.tenant.asking import Asked
    from tests.tenant.tenant import Tenant

Role = Literal["admin", "user"]
TENANT_ID = "tenant-one"
ADMIN = "user-admin"
PLAIN = "user-plain"
_TOKEN_REQUEST = {"client_id", "client_secret", "grant_type", "scope"}


@dataclass(frozen=True)
class User:
    """admin: has the tenant administrator's role."""

    id: str
    name: str
    admin: bool

    def shown(self) -> Json:
        """As /users/{id} gives it."""
        role = {"id": "role-admin", "name": "TenantAdmin", "type": "default", "level": "admin"}
        return {
            "id": self.id,
            "tenantId": TENANT_ID,
            "name": self.name,
            "email": f"{self.id}@example.com",
            "subject": f"auth0|{self.id}",
            "status": "active",
            "assignedRoles": [role] if self.admin else [],
        }


# Who asks for a token.
NOBODY = User("", "nobody", admin=False)


class Client(NamedTuple):
    """An OAuth client, for machines."""

    id: str
    secret: str


@dataclass(frozen=True)
class _Grant:
    user: User
    ends: float  # in monotonic seconds
    by_oauth: bool


class Access:
    """The users, and what lets them in. token_life: seconds that an OAuth token lasts, which is what it says too."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self.users: dict[str, User] = {}
        self.token_life = 21_600.0
        self._grants: dict[str, _Grant] = {}
        self._clients: dict[Client, User] = {}
        self.new_user("admin", ADMIN)
        self.new_user("user", PLAIN)

    def new_user(self, role: Role, user_id: str, name: str = "") -> User:
        with self._lock:
            self.users[user_id] = User(user_id, name or user_id, role == "admin")
            return self.users[user_id]

    def new_key(self, role: Role = "admin", user_id: str = "") -> str:
        """An API key of a user, by default the role's own; a new one where there is none of that id."""
        with self._lock:
            key = f"key-{secrets.token_hex(16)}"
            self._grants[key] = _Grant(self._user(role, user_id), float("inf"), by_oauth=False)
            return key

    def new_client(self, role: Role = "admin", user_id: str = "") -> Client:
        """An OAuth client that acts as a user."""
        with self._lock:
            client = Client(f"client-{secrets.token_hex(4)}", f"secret-{secrets.token_hex(16)}")
            self._clients[client] = self._user(role, user_id)
            return client

    def _user(self, role: Role, user_id: str) -> User:
        user_id = user_id or (ADMIN if role == "admin" else PLAIN)
        user = self.users.get(user_id) or self.new_user(role, user_id)
        assert user.admin == (role == "admin"), f"{user_id} has another role"
        return user

    def expire(self, credential: str) -> None:
        """A key or token is refused from now on."""
        with self._lock:
            self._grants[credential] = _Grant(self._grants[credential].user, 0.0, by_oauth=False)

    def expire_tokens(self) -> None:
        """Every OAuth token so far is refused from now on, although it said that it would last."""
        with self._lock:
            for token in [token for token, grant in self._grants.items() if grant.by_oauth]:
                self.expire(token)

    def token(self, client: Client) -> str:
        """A token for a client. Raises Refused (401)."""
        with self._lock:
            user = self._clients.get(client)
            if user is None:
                raise Refused(401, "the client is not known, or its secret is another")
            token = f"token-{secrets.token_hex(16)}"
            self._grants[token] = _Grant(user, time.monotonic() + self.token_life, by_oauth=True)
            return token

    def caller(self, authorization: str) -> User:
        """Who asks. authorization: the header, "" without one. Raises Refused (401)."""
        scheme, _, credential = authorization.partition(" ")
        grant = self._grants.get(credential) if scheme.lower() == "bearer" else None
        if grant is None:
            raise _unauthorised("a valid API key or access token is required")
        if grant.ends <= time.monotonic():
            raise _unauthorised("the API key or access token has expired")
        return grant.user


def _unauthorised(detail: str) -> Refused:
    return Refused(401, "Unauthorized", detail, (("www-authenticate", "Bearer"),))


def need_admin(user: User, what: str) -> None:
    """Raises Refused (403)."""
    if not user.admin:
        raise Refused(403, "Forbidden", f"{what} needs the tenant administrator's role")


def grant_token(tenant: Tenant, asked: Asked) -> Answer:
    """POST /oauth/token, for machines only."""
    asked.parameters()
    body = asked.object()
    if set(body) != _TOKEN_REQUEST or not all(isinstance(value, str) for value in body.values()):
        raise Refused(400, f"the body must have the strings {', '.join(sorted(_TOKEN_REQUEST))}, and no others")
    if body["grant_type"] != "client_credentials":
        raise Refused(400, "the grant_type must be client_credentials")
    if body["scope"] != "user_default":
        raise Refused(400, "the scope must be user_default")
    token = tenant.access.token(Client(body["client_id"], body["client_secret"]))
    return json_answer({"access_token": token, "token_type": "bearer", "expires_in": int(tenant.access.token_life)})
