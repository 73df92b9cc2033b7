"""A template: compiled once, rendered for each event."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Literal

import msgspec
from jinja2 import Template as Compiled
from jinja2 import TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from markupsafe import Markup

from qwebhook.model.decoding import NOT_JSON, decoding_reason
from qwebhook.model.errors import InvalidInput, RenderFailed
from qwebhook.render.budget import TOO_LONG, Budget, LimitPassed, within_budget
from qwebhook.render.escaping import mentioning_nobody
from qwebhook.render.filters import Ready
from qwebhook.render.sandbox import Sandbox

Escaping = Literal["none", "json", "html", "chat"]
SOURCE_LIMIT = 64 << 10
_KEPT = 500


class InvalidTemplate(InvalidInput):
    """A template that cannot be compiled; the message names the line."""

    code = "QWH-INVALID-TEMPLATE"


class Template:
    """escaping: `json` writes each value as JSON wants it within a text, so that data cannot end the text; what has
    been rendered must be JSON. `html` escapes markup. `none` takes values as they are; `chat`, too, but that what is a
    mention in the template is none in a value.
    """

    def __init__(self, source: str, escaping: Escaping = "none") -> None:
        """Raises InvalidTemplate."""
        if len(source) > SOURCE_LIMIT:
            raise InvalidTemplate(f"the template has {len(source)} characters", f"use {SOURCE_LIMIT} at most")
        self._length = len(source)
        self._lines = len(source.splitlines())
        self._escaping = escaping
        self._compiled = _compiled(source, escaping)

    def render(self, variables: dict[str, Any], budget: Budget | None = None) -> str:
        """The text for one event. budget: of all that is rendered for the event; None for one of its own.

        Raises RenderFailed.
        """
        parts: list[str] = []
        try:
            with within_budget(self._length, budget) as spent:
                left = spent.whole
                # `generate`, without a copy of the variables and a generator around the template's own.
                for part in self._compiled.root_render_func(self._compiled.new_context(variables)):
                    left -= len(part)
                    if left < 0:
                        raise LimitPassed(TOO_LONG)
                    parts.append(part)
                spent.whole = left
        except UndefinedError as error:
            raise self._failed(error, f"{error.message or 'a name'}; `| default(…)` gives another value") from None
        except SecurityError as error:
            raise self._failed(error, str(error)) from None
        except RecursionError as error:
            raise self._failed(error, "it calls itself too often") from None
        except Exception as error:
            words = str(error).partition("\n")[0][:200]
            raise self._failed(error, f"{type(error).__name__}: {words}") from None
        text = "".join(parts)
        if self._escaping == "json":
            _check_json(text)
        return text

    def _failed(self, error: Exception, words: str) -> RenderFailed:
        """With the line that it came to, where there are several."""
        line, traceback = 0, error.__traceback__
        while self._lines > 1 and traceback is not None:
            # jinja2 leaves the template where its code can be told from any other.
            if traceback.tb_frame.f_globals.get("__jinja_template__") is self._compiled:
                line = self._compiled.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        return RenderFailed(f"template, line {line}: {words}" if line else f"template: {words}")


@lru_cache(_KEPT)
def cached_template(source: str, escaping: Escaping) -> Template:
    """The template of a source, compiled once. Raises InvalidTemplate."""
    return Template(source, escaping)


def _check_json(text: str) -> None:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)  # it is looked at, and nothing is made of it
    except NOT_JSON as error:
        raise RenderFailed(f"template: what it puts out is not JSON: {decoding_reason(error)}") from None


def _compiled(source: str, escaping: Escaping) -> Compiled:
    try:
        with within_budget(len(source)):
            compiled = _sandbox(escaping).from_string(source)
            # jinja2 looks them up in a chain of one, which takes a fifth of a rendering.
            compiled.globals = dict(compiled.globals)
            return compiled
    except TemplateSyntaxError as error:
        line = source.splitlines()[error.lineno - 1] if 0 < error.lineno <= len(source.splitlines()) else ""
        column = _column(line, error.message or "")
        shown = line.strip()[:100]
        raise InvalidTemplate(
            f"the template is wrong at line {error.lineno}, column {column}: {error.message}",
            f"the line is {shown!r}" if shown else "",
        ) from None
    except RecursionError:
        raise InvalidTemplate("the template is nested too deeply") from None
    except SyntaxError as error:  # Python's, of what has been made of the template
        raise InvalidTemplate(f"the template cannot be compiled: {error.msg}") from None
    except Exception as error:
        raise InvalidTemplate(f"the template cannot be compiled: {type(error).__name__}") from None


def _column(line: str, message: str) -> int:
    """jinja2 tells the line only: the column of what its message quotes, else of the first tag."""
    quoted = message.partition("'")[2].partition("'")[0]
    for wanted in (quoted, "{%", "{{", "{#"):
        at = line.find(wanted) if wanted else -1
        if at >= 0:
            return at + 1
    return 1


@cache
def _sandbox(escaping: Escaping) -> Sandbox:
    finalize: dict[Escaping, Callable[[Any], Any]] = {
        "none": _plain,
        "json": _within_json,
        "html": _markup,
        "chat": _unmentioned,
    }
    return Sandbox(autoescape=escaping == "html", ready_blocks=escaping == "json", finalize=finalize[escaping])


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _unmentioned(value: Any) -> str:
    return mentioning_nobody(_plain(value))


def _markup(value: Any) -> str:
    return value if isinstance(value, Markup) else _plain(value)


def _within_json(value: Any) -> str:
    if isinstance(value, Ready):
        return str(value)
    if isinstance(value, str):
        return msgspec.json.encode(str(value)).decode()[1:-1]
    return msgspec.json.encode(value).decode()
