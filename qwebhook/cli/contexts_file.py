"""The file that `qwebhook context` writes: `contexts.toml` beside the user's `config.toml`.

A file of its own, since writing TOML anew loses comments, and those in `config.toml` are the user's. What stands here
goes before what stands there. It may hold keys: the owner alone can read it, and a change replaces it as a whole.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qwebhook.cli.contexts import Context, table_of, written
from qwebhook.model.errors import InvalidInput, QwebhookError

HEAD = """\
# Written by `qwebhook context`, which replaces the whole file. What you write by hand belongs into the other
# configuration file beside this one, of which nothing is ever changed.

"""
CONFIG_NAME, CONTEXTS_NAME = "config.toml", "contexts.toml"


def contexts_path(config: Path) -> Path:
    """Where the file lies that belongs to a configuration file of the user's."""
    # Another name than the usual has a file of its own, so that two configurations in a folder do not share one.
    return config.with_name(CONTEXTS_NAME if config.name == CONFIG_NAME else f"{config.stem}.{CONTEXTS_NAME}")


def add_context(path: Path, context: Context) -> None:
    """Write a context down, in place of one that has its name. Raises InvalidInput."""

    def added(content: dict[str, Any]) -> None:
        content["contexts"] = {**table_of(content, "contexts", path), context.name: written(context)}

    _change(path, added)


def remove_context(path: Path, name: str) -> None:
    """Delete a context; if it was the current one, there is none afterwards. Raises InvalidInput."""

    def removed(content: dict[str, Any]) -> None:
        table_of(content, "contexts", path).pop(name, None)
        if content.get("current") == name:
            del content["current"]

    _change(path, removed)


def use_context(path: Path, name: str) -> None:
    """Make a context the current one; "" for none, whatever `config.toml` says. Raises InvalidInput."""
    _change(path, lambda content: content.update(current=name))


def read_toml(path: Path) -> dict[str, Any] | None:
    """What a configuration file says; None if there is no such file. Raises InvalidInput."""
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidInput(f"the configuration {path} cannot be read: {error.strerror}") from None
    # Most runs have no file, and then this costs nothing.
    import tomllib

    try:
        return tomllib.loads(text.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The decoder's message ends with the line and column.
        raise InvalidInput(f"the configuration {path} is not valid TOML: {error}") from None


def write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by its owner alone. Raises OSError."""
    import tempfile

    file = path.resolve()  # where a link leads to, so that the link stays
    # `mkstemp` makes files that their owner alone may read.
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _change(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    import tomli_w

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path):
            content = read_toml(path) or {}
            change(content)
            # In the order in which they are read: the tables last.
            ordered = dict(sorted(content.items(), key=lambda entry: isinstance(entry[1], dict)))
            write_private(path, HEAD.encode() + tomli_w.dumps(ordered).encode())
    except OSError as error:
        raise QwebhookError(f"{path} cannot be written: {error.strerror}") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One change at a time, so that of two commands at once neither undoes the other's. Not on Windows."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    # The folder, since the file itself is replaced, and a file for the lock alone would stay behind.
    descriptor = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
