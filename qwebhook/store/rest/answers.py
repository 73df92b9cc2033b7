"""What a server answers, and what its refusals mean.

Errors have the shape `{"errors": [{code, title, detail?}], "traceId"}`. Of the service's codes no list is published, so
its statuses decide; a qwebhook server's codes say which error of `model.errors` it was there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from qwebhook.model.decoding import NOT_JSON, decoding_reason
from qwebhook.model.errors import (
    Ambiguous,
    BodyTooLarge,
    Conflict,
    EventRejected,
    Forbidden,
    InvalidFilter,
    InvalidInput,
    InvalidPatch,
    InvalidWebhook,
    NotAuthorised,
    NotFound,
    QuotaExceeded,
    QwebhookError,
    Unavailable,
    UnsupportedFormat,
)

T = TypeVar("T")

_BY_STATUS: dict[int, type[QwebhookError]] = {
    400: InvalidInput,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: InvalidInput,
    415: InvalidInput,
    422: InvalidInput,
}
_BY_CODE: dict[str, type[QwebhookError]] = {
    kind.code: kind for kind in (Ambiguous, BodyTooLarge, EventRejected, InvalidPatch, QuotaExceeded, UnsupportedFormat)
}
_FIELD = re.compile(r"([\w.]+): (.+)", re.DOTALL)
_FILTER = re.compile(r"filter: (.+) at position (\d+) of (.+)", re.DOTALL)
_SHOWN = 300
# What a qwebhook server's codes begin with.
QWEBHOOK_CODES = "QWH-"


class Answer(msgspec.Struct, frozen=True):
    """One whole response. headers: by names without regard to case.

    repeated: whether the request was sent more than once and an earlier one, of which nothing was heard, may have been
    carried out.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    repeated: bool = False

    @property
    def is_json(self) -> bool:
        """Whether it says that it is JSON."""
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return media_type == "application/json" or media_type.endswith("+json")


class Problem(msgspec.Struct):
    """What an error says, "" for nothing."""

    code: str
    title: str
    detail: str

    @property
    def words(self) -> str:
        """All of it in one sentence."""
        title, detail = self.title[:_SHOWN], self.detail[:_SHOWN]
        return f"{title}: {detail}" if title and detail else title or detail


class _Error(msgspec.Struct):
    code: Any = None
    title: Any = None
    detail: Any = None


class _Errors(msgspec.Struct):
    errors: list[_Error]


def problem(answer: Answer) -> Problem | None:
    """What an answer says is wrong; None where it is not in the shape of errors."""
    try:
        error = msgspec.json.decode(answer.content, type=_Errors).errors[0]
    except (*NOT_JSON, IndexError):
        return None
    code, title, detail = (text if isinstance(text, str) else "" for text in (error.code, error.title, error.detail))
    return Problem(code, title.rstrip("."), detail.rstrip("."))


def decoded(answer: Answer, wanted: type[T] | Any, server: str) -> T:
    """What an answer of success holds. server: how messages name it. Raises Unavailable if it is something else."""
    if not answer.is_json:
        raise not_the_api(answer, server)
    try:
        value: T = msgspec.json.decode(answer.content, type=wanted)
    except NOT_JSON as error:
        raise Unavailable(
            f"the answer of {server} cannot be read: {decoding_reason(error)}", "try again; if it stays, check the URL"
        ) from None
    return value


def refusal(answer: Answer, server: str, advice: str = "", anonymous: bool = False) -> QwebhookError:
    """The error that an answer other than success stands for, in the server's words where it has any.

    server: how messages name it. advice: how its credentials are renewed. anonymous: whether none were shown.
    """
    told = problem(answer)
    status = answer.status
    if status == 401:
        if anonymous:
            return NotAuthorised(f"{server} lets nobody in without credentials", advice)
        words = f": {told.words}" if told and told.words else ""
        return NotAuthorised(f"{server} does not accept the credentials{words}", advice)
    if told is None:
        # What a gateway says in words of its own; but a 404 may as well be another server's.
        kind = _BY_STATUS.get(status) if answer.is_json and status != 404 else None
        return kind(f"{server} answered {status}") if kind else not_the_api(answer, server)
    title, detail = told.title[:_SHOWN], told.detail[:_SHOWN]
    if told.code == InvalidWebhook.code and (field := _FIELD.fullmatch(title)):
        return InvalidWebhook(field[1], field[2], detail)
    if told.code == InvalidFilter.code and (filtered := _FILTER.fullmatch(told.title)):
        return InvalidFilter(filtered[1], _unquoted(filtered[3]), int(filtered[2]) - 1)
    kind = _BY_CODE.get(told.code) or _BY_STATUS.get(status)
    if kind is not None:
        # A tenant may say no more than "Forbidden".
        alone = bool(title) and (not detail or kind is Forbidden) and not told.code.startswith(QWEBHOOK_CODES)
        return kind(f"{server}: {title}" if alone else title or f"{server} answered {status}", detail)
    if status == 429:
        asked = answer.headers.get("retry-after", "")
        return Unavailable(f"{server} takes no more requests for now", _when(asked))
    return Unavailable(f"{server} answered {status}" + (f": {told.words}" if told.words else ""), "try again later")


def _unquoted(text: str) -> str:
    """What Python's `repr` made a text of."""
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text


def _when(asked: str) -> str:
    return f"try again in {asked} s" if asked.isdigit() and int(asked) else "try again later"


def not_the_api(answer: Answer, server: str) -> Unavailable:
    """The error for an answer that no tenant and no qwebhook server gives."""
    status = answer.status
    if 300 <= status < 400:
        return Unavailable(
            f"{server} answered {status} and leads elsewhere, where credentials do not go", "check the URL"
        )
    if status == 407:
        return Unavailable(f"the proxy on the way to {server} wants credentials", "put them into HTTPS_PROXY")
    if status == 429:
        return Unavailable(f"{server} takes no more requests for now", _when(answer.headers.get("retry-after", "")))
    if status >= 500:
        return Unavailable(f"{server} answered {status}", "try again later")
    what = "a web page" if b"<html" in answer.content[:500].lower() else "something else"
    return Unavailable(
        f"{server} answered {status} with {what} in place of JSON: neither a tenant nor a qwebhook server is there",
        "check the URL",
    )
