"""The event that `test-fire` and `preview` make for a webhook, and the options that shape it."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from qwebhook.cli.inputs import STDIN, read_bytes
from qwebhook.cli.session import Session
from qwebhook.cli.suggestions import event_types
from qwebhook.model.errors import InvalidInput
from qwebhook.store.home import expanded

if TYPE_CHECKING:
    from qwebhook.model.endpoint import Endpoint
    from qwebhook.model.event import Event

TypeOption = Annotated[
    str | None,
    typer.Option(
        "--event",
        metavar="TYPE",
        help="A sample of this type; of the first subscribed one, unless given.",
        autocompletion=event_types,
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option("--data", metavar="JSON", help="The event's data, or a whole event: JSON, a file, or - for stdin."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a member, such as data.name=Sales; may be repeated."),
]


class TrialEvents:
    """Makes the events that the options ask for.

    content: the JSON of --data, msgspec.UNSET without it. settings: those of --set. Raises InvalidInput.
    """

    def __init__(self, session: Session, event_type: str | None, data: str | None, settings: Sequence[str]) -> None:
        from qwebhook.model.event import is_well_formed_type

        if event_type is not None and not is_well_formed_type(event_type):
            raise InvalidInput(
                f"--event {event_type[:80]!r} is not a well-formed event type",
                "write one such as com.qlik.v1.app.created; `qwebhook event-types` lists the known ones",
            )
        self._session = session
        self.event_type = event_type
        self.content = _content(session, data)
        self.settings = settings

    def tell_unknown_type(self) -> None:
        """Warn of what is probably mistyped."""
        from qwebhook.cli.advice import unknown_type

        warning = unknown_type(self.event_type) if self.event_type is not None else ""
        if warning:
            self._session.advise(warning)

    def event(self, endpoint: Endpoint) -> Event:
        """A new event for the endpoint. Raises InvalidInput, EventRejected."""
        from qwebhook.model.identifiers import random_id
        from qwebhook.model.sample_events import settings_of_owner, trial_event
        from qwebhook.model.timestamps import to_rfc3339

        webhook = endpoint.webhook
        event_type = self.event_type or next(iter(webhook.event_types), "")
        if not event_type:
            raise InvalidInput(f"{webhook.name} subscribes to no event type", "give one with --event")
        now = self._session.now_ms
        unique = random_id(now, self._session.random(10))
        settings = [*settings_of_owner(webhook), *self.settings]
        return trial_event(event_type, unique, to_rfc3339(now), self.content, settings)


def _content(session: Session, data: str | None) -> object:
    """The JSON of --data, which is JSON itself, a file, or - for stdin."""
    import msgspec

    from qwebhook.model.decoding import NOT_JSON, decoding_reason

    if data is None:
        return msgspec.UNSET
    text: bytes | str = data
    if data == STDIN or (not data.lstrip().startswith(("{", "[", '"')) and expanded(data).exists()):
        text = read_bytes(session, data, "--data").removeprefix(BOM_UTF8)
    try:
        return msgspec.json.decode(text)
    except NOT_JSON as error:
        raise InvalidInput(f"--data is neither JSON nor a file: {decoding_reason(error)}") from None
