"""Where deliveries go, by the scheme of the webhook's URL.

Every target does two things: `prepare` says what is sent for an event, and sends nothing; `send` sends it, and says
what came of it, whatever happens. HTTP is what nearly all take; the others are imported when one of them is used.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qwebhook.deliver import request
from qwebhook.deliver.request import PreparedRequest
from qwebhook.model.delivery import Exchange, Failure, Settled
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.mail import MailServer

if TYPE_CHECKING:
    # What is to be sent can be shown without a client for HTTP, which takes longer to import than the rest.
    from qwebhook.deliver.sender import Sender
    from qwebhook.deliver.targets.mail import Mailer


def prepare(
    endpoint: Endpoint, key: bytes, event_type: str, body: bytes, now: int, test: bool = False
) -> PreparedRequest:
    """What brings an event to an endpoint. key, event_type, body: the event's. now: ms since the epoch.

    Raises RenderFailed, ValueError.
    """
    if endpoint.scheme == "mailto":
        from qwebhook.deliver.targets import mail

        return mail.prepare(endpoint, key, event_type, body, now, test)
    if endpoint.scheme == "exec":
        from qwebhook.deliver.targets import command

        return command.prepare(endpoint, key, event_type, body, test)
    return request.prepare(endpoint, key, event_type, body, now, test)


class Targets:
    """What a process delivers to. To be made, used and closed within one event loop.

    mail: the server for `mailto:`; None if there is none. allow_exec: whether commands may be run.
    """

    def __init__(self, sender: Sender, *, mail: MailServer | None = None, allow_exec: bool = False) -> None:
        self._sender = sender
        self._allow_exec = allow_exec
        self._mail_server = mail
        self._mailer: Mailer | None = None

    async def send(self, endpoint: Endpoint, prepared: PreparedRequest) -> Exchange:
        """Send what has been prepared for the endpoint."""
        if endpoint.scheme == "mailto":
            return await self._send_mail(prepared)
        if endpoint.scheme == "exec":
            from qwebhook.deliver.targets import command

            if not self._allow_exec:
                return settled(prepared, Settled("never", "commands are run with --allow-exec only"))
            return await command.send(endpoint, prepared)
        return await self._sender.send(prepared)

    async def _send_mail(self, prepared: PreparedRequest) -> Exchange:
        if self._mail_server is None:
            return settled(prepared, Settled("never", "no server for mail is configured: [mail] in config.toml"))
        if self._mailer is None:
            from qwebhook.deliver.targets.mail import Mailer

            self._mailer = Mailer(self._mail_server)
        return await self._mailer.send(prepared)

    async def close(self) -> None:
        """Close every connection."""
        await self._sender.close()
        if self._mailer is not None:
            await self._mailer.close()


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
