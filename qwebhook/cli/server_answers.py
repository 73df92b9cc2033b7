"""Talking to a server: the token that is shown to it, and what its refusals mean."""

from __future__ import annotations

import msgspec

from qwebhook.model.errors import EventRejected, Forbidden, InvalidInput, NotAuthorised, QwebhookError, Unavailable


def authorization(token: str | None) -> dict[str, str]:
    """The header that shows a token; none without one. Raises InvalidInput."""
    if not token:
        return {}
    if not token.isascii() or not token.isprintable():
        raise InvalidInput("the token has characters that cannot be part of a header")
    return {"authorization": f"Bearer {token}"}


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""


class _Problems(msgspec.Struct):
    errors: list[_Problem] = []


def refusal(status: int, content: bytes, url: str, *roles: str) -> QwebhookError:
    """The error that a status stands for, in the server's words where it has any.

    roles: those of the tokens that may do it, the least of them first.
    """
    try:
        problem = msgspec.json.decode(content, type=_Problems).errors[0]
    except (msgspec.DecodeError, UnicodeDecodeError, IndexError):
        problem = _Problem()
    title = problem.title
    if status == 401:
        return NotAuthorised(
            title or f"{url} wants a token", problem.detail or f"put one of role {roles[0]} into QWEBHOOK_TOKEN"
        )
    if status == 403:
        return Forbidden(
            title or f"{url} does not allow it", problem.detail or f"the token needs role {' or '.join(roles)}"
        )
    if status in (400, 413, 415, 422):
        return EventRejected(title or f"{url} answered {status}", problem.detail)
    if status in (404, 405) or 300 <= status < 400:
        return Unavailable(f"{url} answered {status}: no qwebhook server is there", "check the URL")
    return Unavailable(title or f"{url} answered {status}", problem.detail or "try again later")
