"""What keeps a value of an event from being markup or a mention where a message is shown."""

from __future__ import annotations

import re

# The backslash first, by which the others are escaped.
_MARKUP = "\\`*_{}[]()<>#+!|~@-"
_ESCAPED = [(one, f"\\{one}") for one in _MARKUP]
_has_markup = re.compile(f"[{re.escape(_MARKUP)}]").search
# What a chat could take for a mention: to most it is an `@` before a word, to some one within it, too.
_MENTION = re.compile(
    r"(?<!\w)@(?=\S)|[@!](?=everyone|here\b|channel|[!&]?\d{15})|<(?=[!@#]|at\b|users/)|[@<!]\Z", re.IGNORECASE
)
_NOTHING = "\u200b"
_list_number = re.compile(r"\d+(?=\.)").match


def cut(text: str, length: int) -> str:
    """The text in so many characters, the last of which says if there were more."""
    return text if len(text) <= length else text[: max(length - 1, 0)] + "…"


def slack(text: str) -> str:
    """Slack's own escaping, without which a name could mention a whole channel. There is none for `*` and the like."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown(text: str) -> str:
    r"""Nothing in the text is markup: each character that could be has a `\` before it."""
    if _has_markup(text):
        for one, escaped in _ESCAPED:  # a third of what `translate` takes
            if one in text:
                text = text.replace(one, escaped)
    number = _list_number(text)
    return f"{text[: number.end()]}\\{text[number.end() :]}" if number else text


def mentioning_nobody(text: str) -> str:
    """The text with something unseen in what a chat could take for a mention; mail addresses stay as they are."""
    return _MENTION.sub(lambda found: found[0] + _NOTHING, text)
