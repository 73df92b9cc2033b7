"""Sources as the command line names them: `audits:CONTEXT`, the audit log of a context's tenant."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qwebhook.cli.context_access import open_remote, own_credentials, remote_with, renewal
from qwebhook.cli.session import Session
from qwebhook.cli.settings import TOKEN_VARIABLE
from qwebhook.model.errors import InvalidInput
from qwebhook.source.pace import Stopping
from qwebhook.store.location import RestLocation, parse_location
from qwebhook.store.rest.credentials import BearerKey, Credentials, Replaceable
from qwebhook.store.rest.directory import TenantDirectory
from qwebhook.store.rest.remote import Remote

if TYPE_CHECKING:
    from qwebhook.server.sources import Source

KIND = "audits:"
# A tenant whose limit is used up asks for minutes: it counts over five.
LONGEST_WAIT = 600.0
LONGEST_WAIT_FOR_NAMES = 1.0


def open_source(session: Session, text: str, sleep: Callable[[float], None]) -> Remote:
    """The way to the tenant of a source. sleep: waits a number of seconds.

    Raises InvalidInput for what is no source, NotFound for an unknown context, NotAuthorised for credentials that
    cannot be had.
    """
    name = text.removeprefix(KIND)
    if not text.startswith(KIND) or not name:
        raise InvalidInput(f"--source {text!r} is not a source", "write audits:CONTEXT")
    return _open_tenant(session, name, f"--source {text}", sleep, LONGEST_WAIT)


def open_directory(session: Session, name: str) -> TenantDirectory:
    """The users, spaces and apps of a context's tenant. Raises as `open_source`."""
    return TenantDirectory(_open_tenant(session, name, f"--names-from {name}", time.sleep, LONGEST_WAIT_FOR_NAMES))


def _open_tenant(
    session: Session, name: str, option: str, sleep: Callable[[float], None], longest_wait: float
) -> Remote:
    context = session.settings.context(name)
    assert context is not None, "a name was given"
    location = parse_location(context.store)
    if not isinstance(location, RestLocation):
        raise InvalidInput(f"{option}: the context {name!r} names a file", "name one of a Qlik Cloud tenant")
    # Whoever reads for months is not to be started again for a new key.
    credentials = Replaceable(lambda: _credentials(session, name, location.url))
    return remote_with(session, location.url, context, credentials, sleep=sleep, longest_wait=longest_wait)


def _credentials(session: Session, name: str, url: str) -> Credentials:
    """The credentials of a context, as the files say now. url: of the tenant that they are for.

    Raises InvalidInput for a context that names another by now, NotFound for one that is gone, NotAuthorised.
    """
    session.settings.forget()
    context = session.settings.context(name)
    assert context is not None, "a name was given"
    if str(parse_location(context.store)) != url:
        raise InvalidInput(f"the context {name!r} names another store than {url} by now", "start again to read it")
    advice = renewal(session, context)
    token = session.environ.get(TOKEN_VARIABLE)
    # Several tenants may be read at once: a token of the environment is for one that has nothing of its own.
    if token and not context.credentials:
        return BearerKey(token.strip(), advice)
    return own_credentials(session, url, context, advice)


def open_own_source(session: Session, sleep: Callable[[float], None]) -> Remote:
    """The way to the tenant that the run's store is. Raises as `open_source`."""
    location = session.location()
    if not isinstance(location, RestLocation):
        raise InvalidInput(f"{location} is a file, and it is a tenant that has an audit log", "name one with --context")
    context = session.store_choice().context
    return open_remote(session, location.url, context, sleep=sleep, longest_wait=LONGEST_WAIT)


def open_sources(session: Session, texts: Sequence[str]) -> list[Source]:
    """The sources that a server is to read. Raises as `open_source`, and InvalidInput for a tenant named twice."""
    from qwebhook.server.sources import Source

    sources: dict[str, Source] = {}
    for text in texts:
        stopping = Stopping()
        remote = open_source(session, text, stopping.sleep)
        if remote.url in sources:
            raise InvalidInput(f"--source {text}: {remote.url} is named twice", "name each tenant once")
        sources[remote.url] = Source(text, remote, stopping)
    return list(sources.values())
