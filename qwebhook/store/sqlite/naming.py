"""Names of tokens and inbounds: they can be printed, and no two of a kind share one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from qwebhook.model.errors import Conflict, InvalidInput, QwebhookError


def check_name(kind: str, name: str) -> None:
    """Raises InvalidInput. kind: what it is the name of, such as `token`."""
    if not name.strip() or not name.isprintable():
        raise InvalidInput(f"the {kind}'s name is empty or cannot be printed")


@contextmanager
def unique(kind: str, name: str) -> Iterator[None]:
    """In its block something is inserted under the name. Raises Conflict if there is one already."""
    try:
        yield
    except QwebhookError as error:
        if isinstance(error.__cause__, sqlite3.IntegrityError):
            article = "an" if kind[0] in "aeiou" else "a"
            raise Conflict(f"there is {article} {kind} named {name!r} already", "choose another name") from None
        raise
