"""Making a context out of what the options of `context add` say, and of what is read from stdin or a prompt."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from qwebhook.cli.contexts import ENVIRONMENT, FILE, Context, check_name, is_key
from qwebhook.cli.inputs import STDIN, read_value
from qwebhook.cli.session import Session
from qwebhook.model.errors import Conflict, InvalidInput, NotFound
from qwebhook.model.signature import check_secret
from qwebhook.store.home import expanded
from qwebhook.store.location import RestLocation, parse_location

KEY = "API key or token"
_SCHEME = "bearer "
_PLACES = "give - for stdin or a prompt, @FILE or env:NAME"


class AddingOptions(NamedTuple):
    """The options of `context add`, as they were given."""

    name: str
    store: str | None
    key: str | None
    key_command: str | None
    client_id: str | None
    client_secret: str | None
    keyring: bool
    ca_file: Path | None
    webhook_secret: str | None
    replace: bool


class NewContext(NamedTuple):
    """A context to be written. key: what goes into the keyring, as `context.keyring` names it; "" for nothing."""

    context: Context
    key: str

    def __repr__(self) -> str:
        return f"NewContext({self.context!r})"

    @property
    def with_key(self) -> Context:
        """The context with the key itself, for trying it before it is kept anywhere."""
        return self.context._replace(keyring="", token=self.key) if self.key else self.context


def new_context(session: Session, options: AddingOptions) -> NewContext:
    """The context that the options describe. With --replace, what they do not name stays.

    The credentials do so only if another setting is named: to renew them is what a replacement is for, and with another
    store they are not to be shown to a stranger. Raises InvalidInput, Conflict for a name in use, NotFound if there is
    nothing to replace.
    """
    check_name(options.name)
    before = _present(session, options)
    store = options.store if options.store is not None else before.store if before is not None else None
    if store is None:
        raise InvalidInput("no store is named", "give its URL or path")
    location = parse_location(store)
    base = Context(
        name=options.name,
        store=str(location),
        file=session.settings.contexts_file,
        ca_file=_ca_file(options.ca_file) or (before.ca_file if before is not None else ""),
        webhook_secret=_webhook_secret(session, options.webhook_secret)
        or (before.webhook_secret if before is not None else ""),
    )
    if not isinstance(location, RestLocation):
        _refuse_for_a_database(options)
        return NewContext(base, "")
    if before is not None and _keeps_credentials(options):
        kept = ("token", "client_id", "client_secret", "key_command", "keyring")
        return NewContext(base._replace(**{field: getattr(before, field) for field in kept}), "")
    return _with_credentials(session, base, location.url, options)


def _keeps_credentials(options: AddingOptions) -> bool:
    given = (options.key, options.key_command, options.client_id, options.client_secret, options.store)
    named = options.ca_file is not None or options.webhook_secret is not None
    return named and not options.keyring and all(one is None for one in given)


def _present(session: Session, options: AddingOptions) -> Context | None:
    """The context of that name, if it is to be replaced. Raises Conflict, NotFound."""
    settings = session.settings
    names = settings.context_files()
    if options.name not in names:
        if options.replace and options.store is None:
            raise NotFound(f"there is no context {options.name!r} to replace", "`qwebhook context list` shows them")
        return None
    check_is_ours(session, options.name)
    if not options.replace:
        raise Conflict(f"there is a context {options.name!r} already", "give --replace to change it")
    return settings.context(options.name)


def check_is_ours(session: Session, name: str) -> None:
    """Raises Conflict for a context that stands in a file which is not the tool's to write."""
    file = session.settings.context_files()[name]
    if file != session.settings.contexts_file:
        raise Conflict(f"the context {name!r} is written in {file}", "change it there: that file is never written to")


def _with_credentials(session: Session, base: Context, url: str, options: AddingOptions) -> NewContext:
    """Raises InvalidInput for two kinds at once, or a part of one."""
    command, client_id, client_secret = options.key_command, options.client_id, options.client_secret
    kinds = {
        "--key": options.key is not None or options.keyring,
        "--key-command": command is not None,
        "--client-id": client_id is not None or client_secret is not None,
    }
    given = [option for option, is_given in kinds.items() if is_given]
    if len(given) > 1:
        raise InvalidInput(f"{given[0]} and {given[1]} were both given", "give the one that lets you in")
    if command is not None:
        return NewContext(base._replace(key_command=command_words(command)), "")
    if client_id is not None or client_secret is not None:
        if not client_id:
            raise InvalidInput("--client-secret goes with --client-id", "give both")
        secret = _key(session, client_secret or STDIN, "--client-secret", "client secret")
        return NewContext(base._replace(client_id=client_id, client_secret=secret), "")
    if not options.keyring:
        return NewContext(base._replace(token=_key(session, options.key or STDIN, "--key", KEY)), "")
    if options.key is not None and options.key != STDIN:
        raise InvalidInput("--keyring keeps a key that is read from stdin or a prompt", "leave out either, or --key -")
    key = _key(session, STDIN, "--key", KEY)
    return NewContext(base._replace(keyring=f"{base.name}@{url.partition('://')[2]}"), key)


def _key(session: Session, text: str, option: str, purpose: str) -> str:
    """A key as it is to be written. Raises InvalidInput for what cannot be one."""
    value = _indirect(session, text, option, purpose)
    if value.startswith((ENVIRONMENT, FILE)):
        return value
    # As it is often copied with what stands before it in a header.
    value = value[len(_SCHEME) :].strip() if value.lower().startswith(_SCHEME) else value
    if not is_key(value):
        raise InvalidInput(f"the {purpose} has characters that it cannot have", "copy it again, as one line")
    return value


def _webhook_secret(session: Session, text: str | None) -> str:
    if text is None:
        return ""
    value = _indirect(session, text, "--webhook-secret", "webhook secret")
    check_secret(read_value(session, value, "--webhook-secret"))
    return value


def _indirect(session: Session, text: str, option: str, purpose: str) -> str:
    """What stdin or the prompt gave, or where it is to be found: @FILE or env:NAME, which can be read now.

    Raises InvalidInput, also for what stands on the command line.
    """
    if text == STDIN:
        value = read_value(session, STDIN, purpose, stdin=True).strip()
        if not value:
            raise InvalidInput(f"no {purpose} came on stdin", f"pipe it in, or {_PLACES}")
        if value.startswith((ENVIRONMENT, FILE)):
            raise InvalidInput(f"the {purpose} begins with @ or env:", f"give {option} {FILE}FILE or {ENVIRONMENT}NAME")
        return value
    if text.startswith(FILE):
        text = f"{FILE}{expanded(text.removeprefix(FILE)).absolute()}"
    elif not text.startswith(ENVIRONMENT):
        # Not shown: it may be the secret itself.
        raise InvalidInput(f"{option} on the command line can be read by others on this machine", _PLACES)
    read_value(session, text, option)
    return text


def _ca_file(path: Path | None) -> str:
    return "" if path is None else str(expanded(path).absolute())


def command_words(command: str) -> tuple[str, ...]:
    """The program and the arguments of a command line, as a shell splits it. Raises InvalidInput."""
    windows = sys.platform == "win32"  # where a backslash is part of a path
    try:
        words = shlex.split(command, posix=not windows)
    except ValueError as error:
        raise InvalidInput(f"--key-command cannot be split into words: {str(error).lower()}") from None
    if not words:
        raise InvalidInput("--key-command is empty", "give a command that prints the key")
    return tuple(word.strip('"') if windows else word for word in words)


def _refuse_for_a_database(options: AddingOptions) -> None:
    given = {
        "--key": options.key,
        "--key-command": options.key_command,
        "--client-id": options.client_id,
        "--client-secret": options.client_secret,
        "--keyring": options.keyring,
        "--ca-file": options.ca_file,
        "--webhook-secret": options.webhook_secret,
    }
    names = [option for option, value in given.items() if value]
    if names:
        raise InvalidInput(f"{names[0]} is for a server or a tenant", "a database file needs no credentials")
