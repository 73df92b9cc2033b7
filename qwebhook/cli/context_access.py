"""What lets a run in at a server: of `QWEBHOOK_TOKEN`, or of the context in one of the ways that it may be kept."""

from __future__ import annotations

import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qwebhook.cli.contexts import ENVIRONMENT, Context, indirection
from qwebhook.cli.inputs import read_value
from qwebhook.cli.server_memory import FILE_NAME as MEMORY_NAME
from qwebhook.cli.server_memory import ServerMemory
from qwebhook.cli.settings import TOKEN_VARIABLE
from qwebhook.store.home import expanded
from qwebhook.store.rest import RestStore
from qwebhook.store.rest.credentials import Anonymous, BearerKey, Credentials, KeyCommand, OAuthClient
from qwebhook.store.rest.remote import LONGEST_WAIT, Remote

if TYPE_CHECKING:
    from qwebhook.cli.session import Session

TOKENS_FOLDER = "tokens"


def open_server(session: Session, url: str, context: Context | None) -> RestStore:
    """The tenant or server as a store; see `open_remote`."""
    memory = ServerMemory(session.settings.contexts_file.with_name(MEMORY_NAME), url, session.clock)
    return RestStore(open_remote(session, url, context), memory)


def open_remote(
    session: Session,
    url: str,
    context: Context | None,
    *,
    sleep: Callable[[float], None] = time.sleep,
    longest_wait: float = LONGEST_WAIT,
) -> Remote:
    """The way to a server, with QWEBHOOK_TOKEN, else with what the context has.

    context: what names the server, None for an option or a variable. Raises InvalidInput for credentials that cannot be
    read, NotAuthorised for a keyring without the key.
    """
    credentials = _credentials(session, url, context)
    return remote_with(session, url, context, credentials, sleep=sleep, longest_wait=longest_wait)


def remote_with(
    session: Session,
    url: str,
    context: Context | None,
    credentials: Credentials,
    *,
    sleep: Callable[[float], None] = time.sleep,
    longest_wait: float = LONGEST_WAIT,
) -> Remote:
    """The way to a server with these credentials. context: as for `open_remote`. sleep, longest_wait: of `Remote`."""
    return Remote(
        url,
        credentials,
        name=_server_name(url, context),
        ca_file=_ca_file(context),
        longest_wait=longest_wait,
        sleep=sleep,
        trace=session.note if session.options.verbose else None,
    )


def own_credentials(session: Session, url: str, context: Context, advice: str) -> Credentials:
    """What the context itself has. advice: how to renew it. Raises InvalidInput, NotAuthorised."""
    _warn_of_readers(session, context)
    if context.token:
        value = read_value(session, context.token, f"the key of context {context.name}")
        return BearerKey(value.strip(), advice)
    if context.client_id:
        return OAuthClient(
            url,
            context.client_id,
            read_value(session, context.client_secret, f"the client secret of context {context.name}"),
            token_file(session, context.name),
            advice=advice,
            name=_server_name(url, context),
            ca_file=_ca_file(context),
            clock=session.clock,
        )
    if context.key_command:
        return KeyCommand(context.key_command, advice)
    if context.keyring:
        from qwebhook.cli.system_keyring import stored_key

        return BearerKey(stored_key(context.keyring, advice), advice)
    return Anonymous(advice)


def renewal(session: Session, context: Context) -> str:
    """How the credentials of a context are renewed, for a person whose credentials were refused."""
    if context.token and (place := indirection(context.token)):
        return f"put a valid key into {place}" if context.token.startswith(ENVIRONMENT) else f"put one into {place}"
    if context.key_command:
        return f"renew the key that `{context.key_command[0]}` prints"
    again = f"`qwebhook context add {context.name} --replace"
    if context.file != session.settings.contexts_file:
        return f"put valid ones into {context.file}"
    if context.client_id:
        return f"check the OAuth client there, and give its secret with {again} --client-id {context.client_id}`"
    return f"make a new key there, and give it with {again}{' --keyring' if context.keyring else ''}`"


def token_file(session: Session, name: str) -> Path:
    """Where the OAuth token of a context is kept for later runs."""
    return session.settings.contexts_file.with_name(TOKENS_FOLDER) / f"{name}.json"


def _credentials(session: Session, url: str, context: Context | None) -> Credentials:
    token = session.environ.get(TOKEN_VARIABLE)
    if token:
        advice = f"put a valid key into {TOKEN_VARIABLE}, or unset it"
        if context is not None and context.credentials:
            # A variable that was forgotten must not show one server's key to another unnoticed.
            session.note(f"{TOKEN_VARIABLE} is used, and not the credentials of context {context.name}")
            advice += f", so that the credentials of context {context.name} are used"
        _tell_origin(session, url, "a key", TOKEN_VARIABLE)
        return BearerKey(token.strip(), advice)
    if context is not None:
        _tell_origin(session, url, context.credentials or "none", str(context.file))
        return own_credentials(session, url, context, renewal(session, context))
    return Anonymous(f"put a key into {TOKEN_VARIABLE}, or make a context with `qwebhook context add NAME {url}`")


def _warn_of_readers(session: Session, context: Context) -> None:
    """Warn of a key that everyone on the machine can read, in a file that was written by hand."""
    kept = [text for text in (context.token, context.client_secret, context.webhook_secret) if text]
    if sys.platform == "win32" or all(map(indirection, kept)):
        return
    try:
        mode = context.file.stat().st_mode
    except OSError:
        return
    if mode & stat.S_IROTH:
        session.warn(f"{context.file} holds a key, and everyone on this machine can read it: chmod o-r {context.file}")


def _tell_origin(session: Session, url: str, credentials: str, origin: str) -> None:
    """With --verbose, say what is shown to the server, and where that comes from. credentials: in words."""
    if session.options.verbose:
        session.note(f"credentials for {url}: {credentials}, from {origin}")


def _server_name(url: str, context: Context | None) -> str:
    """How messages name the server."""
    return url if context is None else f"{url} (context {context.name})"


def _ca_file(context: Context | None) -> Path | None:
    return expanded(context.ca_file) if context is not None and context.ca_file else None
