"""Where deliveries go, by the scheme of the webhook's URL.

Every target does two things: `prepare` says what is sent for an event, and sends nothing; `send` sends it, and says
what came of it, whatever happens. HTTP is what nearly all take; the others are imported when one of them is used.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from qwebhook.deliver import request
from qwebhook.deliver.request import PreparedRequest
from qwebhook.model.delivery import Exchange, Failure, Settled
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.mail import MailServer
from qwebhook.model.sheet import FILE_SCHEMES, SHEET_SCHEMES, GoogleAccount
from qwebhook.model.trace import Trace
from qwebhook.model.webhook import HTTP_SCHEMES

if TYPE_CHECKING:
    # What is to be sent can be shown without a client for HTTP, which takes longer to import than the rest.
    from qwebhook.deliver.names import NameFinder
    from qwebhook.deliver.sender import Sender
    from qwebhook.deliver.targets.mail import Mailer
    from qwebhook.deliver.targets.notify import Notifier
    from qwebhook.deliver.targets.sheets import Sheets
    from qwebhook.render.message import Names


def prepare(
    endpoint: Endpoint,
    key: bytes,
    event_type: str,
    body: bytes,
    now: int,
    test: bool = False,
    names: Names | None = None,
    trace: Trace | None = None,
) -> PreparedRequest:
    """What brings an event to an endpoint. key, event_type, body: the event's. now: ms since the epoch. names: for ids
    in it, where they are known. trace: that of the request which brought the event.

    Raises RenderFailed, ValueError.
    """
    if endpoint.scheme == "mailto":
        from qwebhook.deliver.targets import mail

        return mail.prepare(endpoint, key, event_type, body, now, test, names or {})
    if endpoint.scheme == "exec":
        from qwebhook.deliver.targets import command

        return command.prepare(endpoint, key, event_type, body, test, names)
    if endpoint.scheme in SHEET_SCHEMES:
        from qwebhook.deliver.targets.sheets import rows

        return rows.prepare(endpoint, event_type, body, now, names or {})
    if endpoint.scheme == "notify":
        from qwebhook.deliver.targets import notify

        return notify.prepare(endpoint, event_type, body, names or {})
    return request.prepare(endpoint, key, event_type, body, now, test, names, trace)


class Allowed(msgspec.Struct, frozen=True):
    """What of the machine and of the operator's accounts webhooks may use.

    mail: the server for `mailto:`; None if there is none. commands: whether `exec:` is run. folders: beneath which
    `csv:` and `xlsx:` files may lie. google: the account that writes `gsheet:`; None if there is none. services: the
    URLs of `notify:` by name.
    """

    mail: MailServer | None = None
    commands: bool = False
    folders: Sequence[Path] = ()
    google: GoogleAccount | None = None
    services: Mapping[str, str] = {}

    def lack(self, scheme: str) -> str:
        """What webhooks of a scheme need and have not, in words; "" if there is nothing."""
        if scheme == "mailto" and self.mail is None:
            return "no server for mail is configured: [mail] in config.toml"
        if scheme == "exec" and not self.commands:
            return "commands are run with --allow-exec only"
        if scheme in FILE_SCHEMES and not self.folders:
            return "files are written with --allow-files only"
        if scheme == "gsheet" and self.google is None:
            return "no account for Google Sheets is configured: [sheets] in config.toml"
        return ""


class Targets:
    """What a process delivers to. To be made, used and closed within one event loop.

    names: finds names for the ids in events; None: they stay ids.
    """

    def __init__(
        self,
        sender: Sender,
        allowed: Allowed = Allowed(),  # noqa: B008 it is frozen
        names: NameFinder | None = None,
    ) -> None:
        self._sender = sender
        self._names = names
        self._allowed = allowed
        self._mailer: Mailer | None = None
        self._notifier: Notifier | None = None
        self._sheets: Sheets | None = None

    async def names(self, event_type: str, body: bytes) -> Names | None:
        """Names for the ids in an event, as far as they can be had within a second."""
        return await self._names.of(event_type, body) if self._names is not None else None

    async def send(self, endpoint: Endpoint, prepared: PreparedRequest) -> Exchange:
        """Send what has been prepared for the endpoint."""
        try:
            return await self._send(endpoint, prepared)
        except Exception as error:
            return settled(prepared, _unexpected(error))

    async def write(self, endpoint: Endpoint, prepared: Sequence[PreparedRequest]) -> list[Exchange]:
        """Make several changes to the endpoint's spreadsheet, in order and at once."""
        try:
            return await self._write(endpoint, prepared)
        except Exception as error:
            return [settled(one, _unexpected(error)) for one in prepared]

    async def _send(self, endpoint: Endpoint, prepared: PreparedRequest) -> Exchange:
        scheme = endpoint.scheme
        if scheme in HTTP_SCHEMES:
            return await self._sender.send(prepared)
        lack = self._allowed.lack(scheme)
        if lack:
            # Whoever runs the server can mend that, and nothing is wrong with the event.
            return settled(prepared, Settled("again", lack))
        if scheme == "mailto":
            return await self._send_mail(prepared)
        if scheme == "exec":
            return await self._run(endpoint, prepared)
        if scheme in SHEET_SCHEMES:
            return (await self._write(endpoint, [prepared]))[0]
        return await self._notify(prepared)

    async def _write(self, endpoint: Endpoint, prepared: Sequence[PreparedRequest]) -> list[Exchange]:
        lack = self._allowed.lack(endpoint.scheme)
        if lack:
            return [settled(one, Settled("again", lack)) for one in prepared]
        if self._sheets is None:
            from qwebhook.deliver.targets.sheets import Sheets

            self._sheets = Sheets(self._allowed.folders, self._allowed.google)
        return await self._sheets.write(endpoint.webhook.url, prepared)

    async def _send_mail(self, prepared: PreparedRequest) -> Exchange:
        if self._mailer is None:
            assert self._allowed.mail is not None
            from qwebhook.deliver.targets.mail import Mailer

            self._mailer = Mailer(self._allowed.mail)
        return await self._mailer.send(prepared)

    async def _notify(self, prepared: PreparedRequest) -> Exchange:
        if self._notifier is None:
            from qwebhook.deliver.targets.notify import Notifier

            self._notifier = Notifier(self._allowed.services)
        return await self._notifier.send(prepared)

    async def _run(self, endpoint: Endpoint, prepared: PreparedRequest) -> Exchange:
        from qwebhook.deliver.targets import command

        return await command.send(endpoint, prepared)

    async def close(self) -> None:
        """Close every connection."""
        await self._sender.close()
        if self._names is not None:
            await self._names.close()
        if self._mailer is not None:
            await self._mailer.close()


def _unexpected(error: Exception) -> Settled:
    """What nobody foresaw of a library, whose words may hold anything: without an outcome, the delivery would be in
    flight until the next start.
    """
    return Settled("again", f"it could not be sent: {type(error).__name__}")


def settled(
    prepared: PreparedRequest, result: Settled | Failure, started_at: int = 0, duration: float = 0.0
) -> Exchange:
    """The exchange that ended so. started_at, duration: milliseconds."""
    return Exchange(
        url=prepared.url,
        headers=prepared.shown,
        body=prepared.body,
        started_at=started_at or time.time_ns() // 1_000_000,
        duration=duration,
        result=result,
    )
