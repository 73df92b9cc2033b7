"""`inbound add --public-url`: a webhook of a tenant that pushes to a server of one's own, and what lets it in there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from qwebhook.cli.context_access import open_server
from qwebhook.cli.inputs import read_secret
from qwebhook.cli.results import Single
from qwebhook.cli.selection import read_pages
from qwebhook.cli.session import Session
from qwebhook.cli.views import INBOUNDS
from qwebhook.model.errors import Conflict, InvalidInput, QwebhookError, Unavailable
from qwebhook.model.webhook import WebhookDraft, check_draft
from qwebhook.store.contract import Inbound, WebhookQuery
from qwebhook.store.location import RestLocation, parse_location
from qwebhook.store.rest import RestStore

EVENTS = "/events"


def push_here(
    session: Session, name: str, public_url: str, event_types: Sequence[str], secrets: Sequence[str]
) -> Single:
    """Let the tenant in by a secret, and make its webhook, which signs with it.

    public_url: where the server is reached. event_types: what is pushed; none for all that the tenant offers. secrets:
    those of --secret, of which a tenant's webhook has one. Raises Conflict if one pushes to the URL already,
    InvalidInput for a context of no tenant.
    """
    if len(secrets) > 1:
        raise InvalidInput("--public-url goes with one --secret", "a webhook of a tenant signs with one")
    context = session.options.context
    tenant = _open_tenant(session)
    with closing(tenant):
        draft = WebhookDraft(
            name=name,
            url=public_url.rstrip("/").removesuffix(EVENTS) + EVENTS,
            description="Pushes to qwebhook.",
            event_types=list(event_types) or [one.name for one in tenant.event_types()],
            secret=read_secret(session, secrets[0]),
            enabled=True,
        )
        check_draft(draft)
        _check_new(tenant, draft.url)
        inbound, webhook_id = _made(session, tenant, draft)
    session.note(f"{tenant.name} pushes {len(draft.event_types)} event types to {draft.url} by its webhook {name}")
    here = draft.url.removesuffix(EVENTS)
    session.note(
        f"`serve --source audits:{context} --public-url {here}` reads afterwards what is pushed while it is down, and "
        "says when the tenant disables the webhook"
    )
    return Single(inbound, INBOUNDS, extra={"webhookId": webhook_id})


def _made(session: Session, tenant: RestStore, draft: WebhookDraft) -> tuple[Inbound, str]:
    """The inbound, and the id of the tenant's webhook; if that cannot be made, neither is."""
    store = session.open_store(create=True)
    # First, so that the very first event is let in.
    inbound = store.create_inbound(draft.name, [draft.secret or ""], session.user)
    try:
        return inbound, tenant.create_webhook(draft, session.user).id
    except Unavailable as error:
        # It may have been made all the same, and would then be kept out.
        raise Unavailable(
            error.message,
            f"look whether {tenant.name} has the webhook {draft.name}; if not, remove the inbound {draft.name}",
        ) from None
    except QwebhookError:
        store.remove_inbound(inbound.id)
        raise


def _open_tenant(session: Session) -> RestStore:
    """The tenant that --context names. The store is then the one that is chosen without that option."""
    name = session.options.context
    if not name:
        raise InvalidInput("--public-url goes with --context", "name the context of the tenant")
    session.options.context = None
    context = session.settings.context(name)
    assert context is not None, "a name was given"
    if session.store_choice().context == context:
        raise InvalidInput(f"the context {name} is the store, too", "name that of the server with --store")
    location = parse_location(context.store)
    if not isinstance(location, RestLocation):
        raise InvalidInput(f"the context {name} names the file {location}", "name one of a Qlik Cloud tenant")
    tenant = open_server(session, location.url, context)
    if tenant.is_qwebhook:
        tenant.close()
        raise InvalidInput(f"{tenant.name} is no tenant", "name a context of a Qlik Cloud tenant")
    return tenant


def _check_new(tenant: RestStore, url: str) -> None:
    for webhook in read_pages(tenant.list_webhooks, WebhookQuery(url=url), None):
        if webhook.url == url:
            raise Conflict(
                f"{tenant.name} has the webhook {webhook.name}, which pushes to {url} already",
                f"delete {webhook.id} there; or give its secret with --secret, and leave out --public-url",
            )
