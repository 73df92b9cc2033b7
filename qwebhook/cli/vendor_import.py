"""`context import`: the contexts of the vendor's command line, written down as ours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from qwebhook.cli.context_adding import check_is_ours
from qwebhook.cli.context_removal import forget_credentials, replaced_by
from qwebhook.cli.context_views import ShownContext, shown
from qwebhook.cli.contexts import Context
from qwebhook.cli.contexts_file import add_context
from qwebhook.cli.selection import Outcomes
from qwebhook.cli.session import Session
from qwebhook.cli.vendor_contexts import Unusable, VendorContext, read_vendor_contexts, vendor_file
from qwebhook.model.errors import Conflict, InvalidInput, NotFound
from qwebhook.store.home import expanded


def import_all(
    session: Session, source: Path | None, names: Sequence[str], *, replace: bool
) -> tuple[list[ShownContext], int]:
    """Take over the contexts that are named, all for none; those that were, and the exit code.

    One that cannot be used fails only if it was named. Raises NotFound for no file, InvalidInput for another's.
    """
    file = expanded(source) if source is not None else vendor_file(session.environ)
    found = {one.name: one for one in read_vendor_contexts(file)}
    if not found:
        session.note(f"{file} has no contexts")
    outcomes = Outcomes(session)
    for name in names or found:
        one = found.get(name)
        if isinstance(one, Unusable) and not names:
            session.warn(f"{name} is left out: {one.why}")
            continue
        outcomes.attempt(name, partial(_imported, session, file, name, one, replace))
    return outcomes.done, outcomes.exit_code


def _imported(
    session: Session, file: Path, name: str, one: VendorContext | Unusable | None, replace: bool
) -> ShownContext:
    if one is None:
        raise NotFound(f"{file} has no context {name!r}")
    if isinstance(one, Unusable):
        raise InvalidInput(f"{name} cannot be taken over: {one.why}")
    context = Context(name=name, store=one.url, file=session.settings.contexts_file, token=one.key)
    before = replaced_by(session, name)
    if before is not None:
        if before == context:
            return shown(session, context)
        check_is_ours(session, name)
        if not replace:
            raise Conflict(f"there is another context {name!r} already", "give --replace to replace it")
    add_context(context.file, context)
    session.settings.forget()
    if before is not None:
        forget_credentials(session, before, context)
    return shown(session, context)
