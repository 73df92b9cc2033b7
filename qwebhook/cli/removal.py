"""Removing what cannot be brought back: it asks on a terminal, needs --yes elsewhere, and goes on after a failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

import typer

from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.printable import printable
from qwebhook.cli.selection import Outcomes
from qwebhook.cli.session import Session
from qwebhook.model.errors import InvalidInput, NotFound

_SHOWN = 5

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class Removal(NamedTuple):
    """What is done to what, in words: `Removal("token revoke", "Revoke", "revoked", "token")`."""

    command: str
    verb: str
    done: str
    kind: str


def check_can_ask(session: Session, what: Removal, yes: bool) -> None:
    """Raises InvalidInput where nobody is there to be asked and --yes was not given."""
    if not yes and not session.can_ask:
        raise InvalidInput(f"{what.command} needs --yes where it cannot ask")


def agreed(session: Session, what: Removal, names: Sequence[str]) -> bool:
    """Ask whether to remove these; what is not agreed to is told."""
    shown = ", ".join(printable(name) for name in names[:_SHOWN])
    if len(names) == 1:
        question = f"{what.verb} the {what.kind} {shown}?"
    else:
        more = ", …" if len(names) > _SHOWN else ""
        question = f"{what.verb} {len(names)} {what.kind}s ({shown}{more})?"
    if session.confirm(question):
        return True
    session.note(f"nothing was {what.done}")
    return False


def remove_named(
    session: Session,
    what: Removal,
    references: Sequence[str],
    present: Sequence[Any],
    remove: Callable[[str], Any],
    *,
    yes: bool,
    if_exists: bool,
) -> tuple[list[Any], int]:
    """Remove what is named by id or name of what is present (each has `id` and `name`).

    remove: takes an id. Returns what it returned, and the exit code.
    """
    check_can_ask(session, what, yes)
    found = Outcomes(session)
    for reference in references:
        found.attempt(reference, partial(_named, what, reference, present), missing_is_fine=if_exists)
    doomed = {one.id: one.name for one in found.done}
    if doomed and not yes and not agreed(session, what, list(doomed.values())):
        return [], ExitCode.FAILED
    outcomes = Outcomes(session, found.exit_code)
    for identifier, name in doomed.items():
        outcomes.attempt(name, partial(remove, identifier), missing_is_fine=if_exists)
    return outcomes.done, outcomes.exit_code


def _named(what: Removal, reference: str, present: Sequence[Any]) -> Any:
    for one in present:
        if reference in (one.id, one.name):
            return one
    group = what.command.partition(" ")[0]
    raise NotFound(
        f"there is no {what.kind} with the id or name {reference!r}",
        f"the list has those there are (`qwebhook {group} list`)",
    )
