"""Who is let in at a qwebhook server: its tokens, and the inbounds whose signatures let events in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, TypeVar

import msgspec

from qwebhook.model.errors import NotFound
from qwebhook.store.contract import Inbound, Role, Token
from qwebhook.store.rest import tenant
from qwebhook.store.rest.service import Service, segment

T = TypeVar("T", Token, Inbound)


class _NewToken(Token, kw_only=True, rename="camel", omit_defaults=True):
    token: str


class _Tokens(msgspec.Struct):
    data: list[Token]


class _Inbounds(msgspec.Struct):
    data: list[Inbound]


class LettingIn:
    """Tokens and inbounds, by a server's operations."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def create_token(self, name: str, role: Role, user_id: str | None) -> tuple[Token, str]:
        self._need_qwebhook("tokens", "make an API key in its profile settings")
        body = {"name": name, "role": role} | ({} if user_id is None else {"userId": user_id})
        answer = self._service.own("POST", "/tokens", body=body)
        made: _NewToken = self._service.remote.decoded(answer, _NewToken)
        fields = msgspec.structs.asdict(made)
        value: str = fields.pop("token")
        return Token(**fields), value

    def list_tokens(self) -> list[Token]:
        self._need_qwebhook("tokens", "its API keys are listed in its management console")
        found: _Tokens = self._service.remote.decoded(self._service.own("GET", "/tokens"), _Tokens)
        return found.data

    def revoke_token(self, reference: str) -> Token:
        return self._removed("/tokens", "token", reference, self.list_tokens())

    def create_inbound(self, name: str, secrets: Sequence[str]) -> Inbound:
        self._need_qwebhook("inbounds", "name a qwebhook server's context")
        answer = self._service.own("POST", "/inbounds", body={"name": name, "secrets": list(secrets)})
        made: Inbound = self._service.remote.decoded(answer, Inbound)
        return made

    def list_inbounds(self) -> list[Inbound]:
        self._need_qwebhook("inbounds", "name a qwebhook server's context")
        found: _Inbounds = self._service.remote.decoded(self._service.own("GET", "/inbounds"), _Inbounds)
        return found.data

    def remove_inbound(self, reference: str) -> Inbound:
        return self._removed("/inbounds", "inbound", reference, self.list_inbounds())

    def _removed(self, path: str, what: str, reference: str, there: Sequence[T]) -> T:
        """Remove the one that an id or a name means; as it was."""
        named = [one for one in there if one.id == reference] or [one for one in there if one.name == reference]
        if not named:
            raise NotFound(
                f"there is no {what} {reference!r}", f"the list has those there are (`qwebhook {what} list`)"
            )
        answer = self._service.own("DELETE", f"{path}/{segment(named[0].id)}", expected=(404,))
        if answer.status == 404 and not answer.repeated:
            raise self._service.remote.refusal(answer)
        return named[0]

    def _need_qwebhook(self, what: str, instead: str) -> None:
        if not self._service.is_qwebhook:
            self._refuse(what, instead)

    def _refuse(self, what: str, instead: str) -> NoReturn:
        raise tenant.not_offered(self._service.name, f"has no {what} of qwebhook's", instead)
