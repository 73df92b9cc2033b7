"""`mailto:ADDRESS`: a mail for each event, handed to the server that the operator has configured."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Any

from qwebhook.deliver.request import PreparedRequest, message_id
from qwebhook.deliver.targets import settled
from qwebhook.model.delivery import Exchange, Failure, Settled
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import RenderFailed
from qwebhook.model.mail import MailServer, is_address, read_mailto
from qwebhook.model.sheet import is_template
from qwebhook.model.webhook import Settings
from qwebhook.render.body import beginning_of, body_of
from qwebhook.render.budget import Budget
from qwebhook.render.message import NO_NAMES, Message, Names, message_of
from qwebhook.render.presets import PRESETS
from qwebhook.render.template import cached_template

TOTAL_SECONDS = 15.0
CONNECTIONS = 4
SUBJECT_LIMIT = 200
PORTS = {"starttls": 587, "tls": 465, "none": 25}
INSTALL = "pip install 'qwebhook[mail]'"
# What is said of the login (RFC 4954, section 6), whatever it is the answer to: the operator can mend it.
LOGIN_CODES = frozenset([530, 534, 535, 538])


def prepare(
    endpoint: Endpoint, key: bytes, event_type: str, body: bytes, now: int, test: bool, names: Names = NO_NAMES
) -> PreparedRequest:
    """The mail as `body`, and its header as headers; `Bcc` says whom it goes to beside. Raises RenderFailed."""
    webhook = endpoint.webhook
    target = read_mailto(webhook.url)
    told = message_of(body, event_type, webhook, names)
    given = told.variables()
    mail = EmailMessage(policy=SMTP_POLICY)
    budget = Budget()  # of all that the URL holds: there may be many addresses
    to, cc, bcc = (_addresses(part, given, budget) for part in (target.to, target.cc, target.bcc))
    mail["To"] = ", ".join(to)
    if cc:
        mail["Cc"] = ", ".join(cc)
    subject = cached_template(target.subject or "{{ title }}: {{ what }}", "none").render(given, budget)
    mail["Subject"] = _one_line(subject)[:SUBJECT_LIMIT] or event_type
    mail["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
    mail["Message-ID"] = f"<{message_id(key, webhook.id)}@qwebhook>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is answered to it
    if test:
        mail["X-Qwebhook-Test"] = "true"
    _set_content(mail, told, webhook.qwebhook)
    headers = {name: str(value) for name, value in mail.items()}
    if bcc:
        headers["Bcc"] = ", ".join(bcc)
    return PreparedRequest(webhook.url, headers, headers, mail.as_bytes(), method="MAIL")


def _one_line(text: str) -> str:
    """The text as one line, whatever the event says: a header ends where a line does. What looks like an encoded word
    (RFC 2047) would be decoded by `email`, and its line ends written as they are.
    """
    shown = "".join([character if character.isprintable() else " " for character in text])
    return " ".join(shown.split()).replace("=?", "= ?")


def _addresses(templates: list[str], given: dict[str, Any], budget: Budget) -> list[str]:
    """Each template gives one address. Raises RenderFailed."""
    addresses = []
    for template in templates:
        made = cached_template(template, "none").render(given, budget) if is_template(template) else template
        address = made.strip()
        if not is_address(address):
            raise RenderFailed(f"{address[:80]!r} is no mail address")
        addresses.append(address)
    return addresses


def _set_content(mail: EmailMessage, message: Message, settings: Settings) -> None:
    """By a preset or template of the webhook's own; otherwise text, and HTML beside it."""
    # Whether it is HTML is for the template to say, and not for what an event puts at its beginning.
    if settings.template is not None and beginning_of(settings.template) == "<":
        page = cached_template(settings.template, "html").render(message.variables())
        mail.set_content(page, subtype="html")
        return
    if settings.template is not None or settings.preset not in (None, "html-mail"):
        mail.set_content(body_of(message, settings)[0].decode())
        return
    mail.set_content(PRESETS["text"].body(message).decode())
    mail.add_alternative(PRESETS["html-mail"].body(message).decode(), subtype="html")


class _Turned(Exception):
    """The server refused us, before it was told of any mail."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(code)
        self.code, self.words = code, words


class Mailer:
    """A few connections to one mail server, which are kept and used again. For one event loop."""

    def __init__(self, server: MailServer, total: float = TOTAL_SECONDS) -> None:
        self._server = server
        self._total = total
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[Any] = []
        self._secrets = _secrets(server)

    async def send(self, prepared: PreparedRequest) -> Exchange:
        """Hand a mail in, and say what the server said."""
        started_at, start = time.time_ns() // 1_000_000, time.perf_counter()
        try:
            import aiosmtplib
        except ImportError:
            return settled(prepared, Settled("never", f"mail needs a library: {INSTALL}"))
        result: Settled | Failure
        try:
            # The wait for a connection is ours, and not the server's.
            async with self._slots, asyncio.timeout(self._total):
                result = await self._hand_in(prepared)
        except TimeoutError:
            result = Failure("timeout", f"no answer within {self._total:g} s")
        except _Turned as turned:
            result = _said(turned.code, self._clean(turned.words), always_again=True)
        except aiosmtplib.SMTPResponseException as error:
            result = _said(error.code, self._clean(error.message))
        except aiosmtplib.SMTPRecipientsRefused as error:
            result = _refused([(one.code, self._clean(one.message)) for one in error.recipients])
        except ssl.SSLError as error:
            result = Failure("tls", (error.reason or str(error)).replace("_", " ").lower())
        except (aiosmtplib.SMTPException, OSError) as error:
            result = Failure("connect", str(error).partition("\n")[0] or type(error).__name__)
        return settled(prepared, result, started_at, (time.perf_counter() - start) * 1000)

    async def _hand_in(self, prepared: PreparedRequest) -> Settled:
        import aiosmtplib

        names = [prepared.headers.get(field, "") for field in ("To", "Cc", "Bcc")]
        recipients = [address.strip() for line in names for address in line.split(",") if address.strip()]
        mail = b"From: " + self._server.sender.encode() + b"\r\n" + prepared.body
        while True:
            connection, used = await self._connection()
            try:
                refused, said = await connection.sendmail(self._server.sender, recipients, mail)
            except aiosmtplib.SMTPServerDisconnected:
                if used:
                    continue  # most likely closed while nobody looked; a mail that comes twice has one Message-ID
                raise
            except BaseException:
                self._drop(connection)
                raise
            self._idle.append(connection)
            break
        if not refused:
            return Settled("done", f"accepted for {', '.join(recipients)}", 250, said)
        # Those who have it must not get it again: it is done, and the record says for whom.
        taken = [address for address in recipients if address not in refused]
        missed = "; ".join(f"{address}: {answer.code} {answer.message}" for address, answer in refused.items())
        return Settled("done", f"accepted for {', '.join(taken)}; refused for {missed}"[:500], 250, said)

    async def _connection(self) -> tuple[Any, bool]:
        """A connection, and whether it has been used before."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_connected:
                return connection, True
        import aiosmtplib

        server = self._server
        context = ssl.create_default_context(cafile=server.ca_file)
        connection = aiosmtplib.SMTP(
            hostname=server.server,
            port=server.port or PORTS[server.security],
            username=server.user,
            password=server.password,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=context if server.security != "none" else None,
            timeout=self._total,
        )
        try:
            await connection.connect()
        except aiosmtplib.SMTPResponseException as error:
            self._drop(connection)
            raise _Turned(error.code, error.message) from None
        except BaseException:
            self._drop(connection)
            raise
        return connection, False

    def _clean(self, words: str) -> str:
        """Without the password: some servers repeat what they did not take."""
        for secret in self._secrets:
            words = words.replace(secret, "…")
        return words

    def _drop(self, connection: Any) -> None:
        with contextlib.suppress(Exception):
            connection.close()

    async def close(self) -> None:
        """Take leave of the server."""
        while self._idle:
            connection = self._idle.pop()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(connection.quit(), 2)


def _secrets(server: MailServer) -> list[str]:
    """The password as it is and as logins send it; one so short that it is part of words is none."""
    if server.password is None or len(server.password) < 4:
        return []
    forms = (server.password, f"\0{server.user}\0{server.password}")
    return [server.password, *(base64.b64encode(form.encode()).decode() for form in forms)]


def _said(code: int, words: str, *, always_again: bool = False) -> Settled:
    """4yz may be tried again, 5yz not (RFC 5321, section 4.2.1), unless it is of the login and not of the mail."""
    line = " ".join(words.split())[:300]
    again = always_again or _may_be_again(code)
    return Settled("again" if again else "never", f"{code} {line}", code, words)


def _may_be_again(code: int) -> bool:
    return 400 <= code < 500 or code in LOGIN_CODES


def _refused(answers: list[tuple[int, str]]) -> Settled:
    """When nobody was accepted: again, if any of them may be."""
    return _said(*min(answers, key=lambda answer: (not _may_be_again(answer[0]), answer[0])))
