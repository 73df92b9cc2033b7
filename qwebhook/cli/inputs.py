"""What is read from files, stdin and the environment because an argument says so.

Errors name the option and the file, and never show what was read: it may be a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from typer import Abort

from qwebhook.cli.session import Session
from qwebhook.model.errors import InvalidInput
from qwebhook.store.home import expanded

T = TypeVar("T")

GENERATE = "generate"
STDIN = "-"


def read_bytes(session: Session, source: str, purpose: str) -> bytes:
    """The content of a file, or of stdin for `-`. purpose: what it is for, in errors. Raises InvalidInput."""
    if source == STDIN:
        return session.read_stdin(purpose)
    try:
        return expanded(source).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{purpose}: {source} cannot be read: {error.strerror}") from None


def read_text(session: Session, source: str, purpose: str) -> str:
    """The text of a file, or of stdin for `-`, without a byte order mark. Raises InvalidInput."""
    try:
        return read_bytes(session, source, purpose).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{purpose}: the content is not UTF-8 text") from None


def read_value(session: Session, text: str, purpose: str, *, stdin: bool = False) -> str:
    """The text itself, the content of @FILE, or the variable of env:NAME; with `stdin`, that for `-`.

    A newline at the end of what a file or stdin holds, and a byte order mark, are an editor's, and not part of the
    value.
    Raises InvalidInput.
    """
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        value = session.environ.get(name)
        if value is None:
            raise InvalidInput(f"{purpose}: the variable {name} is not set")
        return value
    if stdin and text == STDIN:
        # Also where stderr goes elsewhere: what is typed must not be seen.
        if session.stdin_is_terminal and not session.options.no_input:
            return _ask_hidden(session, purpose)
        content = session.read_stdin(purpose)
    elif text.startswith("@"):
        content = read_bytes(session, text[1:], purpose)
    else:
        return text
    try:
        return content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise InvalidInput(f"{purpose}: the content is not UTF-8 text") from None


def read_secret(session: Session, text: str) -> str:
    """A secret as --secret gives it: VALUE, @FILE, env:NAME, `-`, or `generate` for a new one."""
    if text == GENERATE:
        from qwebhook.model.signature import GENERATED_BYTES, generated_secret

        return generated_secret(session.random(GENERATED_BYTES))
    return read_value(session, text, "--secret", stdin=True)


def read_pairs(
    session: Session, texts: Sequence[str], option: str, form: str = "NAME=VALUE", *, indirect: bool = False
) -> dict[str, str]:
    """NAME=VALUE options as a dict. form: as the help has it. indirect: VALUE may be @FILE or env:NAME.

    Raises InvalidInput, also for a name that is given twice, whatever its case.
    """
    pairs: dict[str, str] = {}
    for number, text in enumerate(texts, start=1):
        name, separator, value = text.partition("=")
        if not separator or not name.strip():
            # Counted rather than shown, since it may hold a secret.
            raise InvalidInput(f"{option} number {number} is not {form}")
        name = name.strip()
        if name.lower() in (present.lower() for present in pairs):
            raise InvalidInput(f"{option} {name} is given twice")
        pairs[name] = read_value(session, value, f"{option} {name}") if indirect else value
    return pairs


def meant(option: str, read: Callable[[str], T], text: str) -> T:
    """What the text of an option means, such as a duration. Raises InvalidInput as `read` does, naming the option."""
    try:
        return read(text)
    except InvalidInput as error:
        raise InvalidInput(f"{option} {error.message}", error.hint) from None


def split_list(texts: Sequence[str] | None) -> list[str]:
    """The words of options that may be repeated and may hold comma lists."""
    return [word.strip() for text in texts or () for word in text.split(",") if word.strip()]


def _ask_hidden(session: Session, purpose: str) -> str:
    import getpass

    try:
        # Without a stream, the question goes to the terminal itself.
        return getpass.getpass(f"{purpose}: ", session.stderr if session.stderr_is_terminal else None)
    except EOFError:  # Ctrl-D
        raise Abort from None
