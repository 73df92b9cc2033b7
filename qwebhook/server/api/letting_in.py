"""Who is let in: the tokens of clients, and the inbounds whose signatures `POST /events` accepts."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from qwebhook.server.api.lists import InboundList, TokenList
from qwebhook.server.api.operation import Answer, Call, NoParameters
from qwebhook.server.api.ownership import user_of
from qwebhook.store.contract import Role, Token


class TokenDraft(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A token to be made. userId: who acts with it; needed for the role user."""

    name: str
    role: Role
    user_id: str | None = None


class NewToken(Token, kw_only=True, rename="camel", omit_defaults=True):
    """A token with its value, which is not shown again."""

    token: str


class InboundDraft(msgspec.Struct, forbid_unknown_fields=True):
    """Someone to be let in by signature, with one secret or several."""

    name: str
    secrets: Annotated[list[str], Meta(min_length=1)]


async def list_tokens(call: Call[NoParameters, None]) -> Answer:
    return Answer(200, TokenList(await call.backend.store.read(lambda store: store.list_tokens())))


async def create_token(call: Call[NoParameters, TokenDraft]) -> Answer:
    body = call.body
    made, value = await call.backend.store.note(lambda store: store.create_token(body.name, body.role, body.user_id))
    return Answer(201, NewToken(**msgspec.structs.asdict(made), token=value), changed=made.id)


async def revoke_token(call: Call[NoParameters, None]) -> Answer:
    revoked = await call.backend.store.note(lambda store: store.revoke_token(call.path["id"]))
    return Answer(204, changed=revoked.id)


async def list_inbounds(call: Call[NoParameters, None]) -> Answer:
    return Answer(200, InboundList(await call.backend.store.read(lambda store: store.list_inbounds())))


async def create_inbound(call: Call[NoParameters, InboundDraft]) -> Answer:
    body, by = call.body, user_of(call.token)
    made = await call.backend.store.note(lambda store: store.create_inbound(body.name, body.secrets, by))
    return Answer(201, made, changed=made.id)


async def remove_inbound(call: Call[NoParameters, None]) -> Answer:
    removed = await call.backend.store.note(lambda store: store.remove_inbound(call.path["id"]))
    return Answer(204, changed=removed.id)
