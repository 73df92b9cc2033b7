"""Webhooks behind a server, as what is sent by hand needs them: no server gives their secrets out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from qwebhook.cli.inputs import read_value
from qwebhook.cli.session import Session
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import InvalidFilter, InvalidInput
from qwebhook.model.signature import check_secret
from qwebhook.model.webhook import Webhook


def stored_secret(session: Session) -> str | None:
    """The webhooks' secret that the context keeps; None for none. Raises InvalidInput for one that cannot be used."""
    context = session.store_choice().context
    if context is None or not context.webhook_secret:
        return None
    secret = read_value(session, context.webhook_secret, f"the webhook secret of context {context.name}").strip()
    check_secret(secret)
    return secret


def remote_endpoint(session: Session, webhook: Webhook, secret: str | None) -> Endpoint:
    """The endpoint of a webhook behind a server, which signs with this secret."""
    try:
        return Endpoint(0, 0, webhook, [(secret, None)] if secret else [], {})
    except InvalidFilter:
        # The service may come to know more than is known here, and has the last word.
        session.note(f"the filter of {webhook.name} cannot be read here, and is not looked at")
        return remote_endpoint(session, msgspec.structs.replace(webhook, filter=""), secret)


def signing_endpoint(
    session: Session, webhook: Webhook, given: str | None, headers: Mapping[str, str], *, told: bool
) -> Endpoint:
    """The endpoint of a webhook that is fired at from here.

    given: the secret of --secret; else the context's is used where the webhook has one. headers: what is sent along
    anyway. told: whether to say what cannot be sent. Raises InvalidInput where a secret is needed, and there is none.
    """
    secret = given or (stored_secret(session) if webhook.secret_key_added else None)
    if webhook.secret_key_added and secret is None:
        raise InvalidInput(f"{webhook.name}: {_cannot_be_read(session)}", _how_to_give_it(session))
    hidden = [name for name in webhook.encrypted_headers if name.lower() not in {one.lower() for one in headers}]
    if hidden and told:
        session.note(
            f"{webhook.name}: the values of {', '.join(hidden)} cannot be read back, and are not sent; give them with "
            "--header"
        )
    return remote_endpoint(session, webhook, secret)


def previewed_endpoint(session: Session, webhook: Webhook) -> Endpoint:
    """The endpoint of a webhook that is looked at: signed with the context's secret, if it keeps one.

    Raises InvalidInput for a stored secret that cannot be used.
    """
    secret = stored_secret(session) if webhook.secret_key_added else None
    if webhook.secret_key_added and secret is None:
        session.note(f"{webhook.name} would be signed, and {_cannot_be_read(session)}")
    return remote_endpoint(session, webhook, secret)


def told_of_direct_fires(session: Session, endpoints: Sequence[Endpoint], *, given: bool) -> str:
    """What is to be known of test events that are sent from here. given: whether the secret is that of --secret."""
    told = "sent from here, and recorded nowhere"
    if given or any(endpoint.webhook.secret_key_added for endpoint in endpoints):
        secret = "--secret" if given else "the context's webhook-secret"
        told += f"; signed with {secret}, since no secret can be read back from {session.open_server().name}"
    return told


def _cannot_be_read(session: Session) -> str:
    return f"its secret cannot be read back from {session.open_server().name}"


def _how_to_give_it(session: Session) -> str:
    context = session.store_choice().context
    if context is None or context.file != session.settings.contexts_file:
        return "give it with --secret"
    return f"give it with --secret, or keep it with `qwebhook context add {context.name} --replace --webhook-secret -`"
