"""`context add` tries the credentials before they are kept."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from qwebhook.cli.context_access import own_credentials, remote_with
from qwebhook.cli.contexts import Context
from qwebhook.cli.session import Session
from qwebhook.model.errors import NotAuthorised, NotFound, Unavailable
from qwebhook.store.location import RestLocation, parse_location
from qwebhook.store.rest.remote import Remote

PREFIXES = ("core", "v1")
ADVICE = "check what was given; --no-check keeps it untried"


def check_access(session: Session, context: Context) -> None:
    """Ask the server for its webhooks with the context's own credentials; a database is not looked at.

    Raises NotAuthorised if the credentials are refused, Unavailable if no server of the kind is there.
    """
    location = parse_location(context.store)
    if not isinstance(location, RestLocation):
        return
    credentials = own_credentials(session, location.url, context, ADVICE)
    with closing(remote_with(session, location.url, context, credentials)) as remote:
        if not _may_list(remote):
            session.warn(f"{remote.name} knows the credentials, but does not let them see webhooks")


def _may_list(remote: Remote) -> bool:
    """False for those who are known, but may not: a qwebhook server's publisher is one."""
    for prefix in PREFIXES:
        answer = remote.request("GET", f"/api/{prefix}/webhooks", query={"limit": "1"}, expected=(403, 404))
        refused = remote.refusal(answer) if answer.status in (403, 404) else None
        if isinstance(refused, NotAuthorised):
            return False
        if refused is None:
            remote.decoded(answer, dict[str, Any])
            return True
    if isinstance(refused, NotFound):
        raise Unavailable(f"{remote.name} has no webhooks API", "is it the URL of a tenant or a qwebhook server?")
    assert refused is not None
    raise refused
