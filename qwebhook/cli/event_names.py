"""Names for the ids in trial events, asked of a context's tenant as `serve --names-from` asks for those of events."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from qwebhook.cli.session import Session
from qwebhook.model.errors import QwebhookError

if TYPE_CHECKING:
    from qwebhook.model.event import Event
    from qwebhook.render.message import Names
    from qwebhook.store.rest.directory import TenantDirectory

NamesFromOption = Annotated[
    str | None,
    typer.Option(
        "--names-from",
        metavar="CONTEXT",
        help="Ask a context's tenant for the names of users, spaces and apps, as `serve --names-from` does.",
    ),
]


class EventNames:
    """What the tenant knows of what events mention; nothing without a context.

    Raises InvalidInput for a context that is no tenant's, NotFound for one that is not there, NotAuthorised.
    """

    def __init__(self, session: Session, context: str | None) -> None:
        self._session = session
        self._known: dict[tuple[str, str], dict[str, str]] = {}
        self._lock = threading.Lock()
        self._directory: TenantDirectory | None = None
        self._failed = False
        if context is not None:
            from qwebhook.cli.sources import open_directory

            self._directory = open_directory(session, context)

    @property
    def asks(self) -> bool:
        """Whether there is a tenant to ask."""
        return self._directory is not None

    def of(self, event: Event) -> Names:
        """By the kind of what is mentioned. What cannot be had stays an id, as it does with a server."""
        from qwebhook.render.message import mentioned

        if self._directory is None:
            return {}
        wanted = mentioned(event.body, event.type)
        with self._lock:  # events may be made side by side
            for one in wanted.items():
                self._look_up(self._directory, one)
        return {kind: self._known[kind, name] for kind, name in wanted.items() if (kind, name) in self._known}

    def _look_up(self, directory: TenantDirectory, one: tuple[str, str]) -> None:
        if one in self._known or self._failed:
            return
        try:
            self._known[one] = directory.look_up(*one)
        except QwebhookError as error:
            self._failed = True
            self._session.warn(f"ids are shown in place of names: {error.message}")

    def close(self) -> None:
        if self._directory is not None:
            self._directory.close()
