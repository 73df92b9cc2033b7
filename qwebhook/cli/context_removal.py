"""Removing a context, with what is kept of its credentials elsewhere."""

from __future__ import annotations

from qwebhook.cli.context_access import token_file
from qwebhook.cli.context_adding import check_is_ours
from qwebhook.cli.context_views import ShownContext, shown
from qwebhook.cli.contexts import Context
from qwebhook.cli.contexts_file import remove_context as remove_from_file
from qwebhook.cli.session import Session
from qwebhook.model.errors import NotFound, Unavailable


def remove_context(session: Session, name: str) -> ShownContext:
    """Remove a context that is there; what it was. Raises Conflict for one in a file that is not ours to write."""
    check_is_ours(session, name)
    context = session.settings.contexts()[name]
    removed = shown(session, context)
    remove_from_file(context.file, name)
    session.settings.forget()
    token_file(session, name).unlink(missing_ok=True)
    _forget_key(session, context)
    return removed


def _forget_key(session: Session, context: Context) -> None:
    """The context is gone already, so that a keyring which does not answer is a warning."""
    if not context.keyring:
        return
    from qwebhook.cli.system_keyring import delete_key

    try:
        delete_key(context.keyring)
    except NotFound:
        return
    except Unavailable as error:
        session.warn(f"the key {context.keyring!r} stays in the keyring: {error}")
