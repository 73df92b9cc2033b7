"""Removing or replacing a context, with what is kept of its credentials elsewhere."""

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
    forget_credentials(session, context)
    return removed


def replaced_by(session: Session, name: str) -> Context | None:
    """The context whose place one of that name takes; None if there is none."""
    return session.settings.context(name) if name in session.settings.context_files() else None


def forget_credentials(session: Session, context: Context, heir: Context | None = None) -> None:
    """Delete what is kept of a context's credentials outside its file. heir: what took its place, and may use it on.

    The context is gone already, so that a keyring which does not answer is a warning.
    """
    if heir is None or not heir.client_id:
        token_file(session, context.name).unlink(missing_ok=True)
    if not context.keyring or (heir is not None and heir.keyring == context.keyring):
        return
    from qwebhook.cli.system_keyring import delete_key

    try:
        delete_key(context.keyring)
    except NotFound:
        return
    except Unavailable as error:
        session.warn(f"the key {context.keyring!r} stays in the keyring: {error}")
