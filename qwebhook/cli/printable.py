"""Text that is safe to show: what comes from strangers must not move the cursor or change a title."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with its control and other unprintable characters escaped."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in text)
