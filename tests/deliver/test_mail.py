"""`mailto:` webhooks, against a real mail server."""

from __future__ import annotations

import asyncio
import base64
import email
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from hypothesis import given, settings
from hypothesis import strategies as st

from qwebhook.deliver.sender import Sender
from qwebhook.deliver.targets import Allowed, Targets, prepare
from qwebhook.deliver.targets.mail import _refused
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Dead, Exchange, Failure, RetryAt, Settled, judge
from qwebhook.model.errors import InvalidWebhook, RenderFailed
from qwebhook.model.mail import MailServer, is_address, read_mailto
from qwebhook.model.webhook import Settings
from tests.acceptance.test_failing import certificate
from tests.builders import cloud_event_body, endpoint, webhook

TYPE = "com.qlik.v1.user.created"
NOW = 1_795_536_000_000


def body(**data: Any) -> bytes:
    return cloud_event_body(id="e1", type=TYPE, data={"name": "Robin Example", "email": "robin@example.com"} | data)


class Keeping:
    """Keeps what is handed in. answers: by recipient, what is said instead of accepting."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.answers: dict[str, str] = {}
        self.said = "250 queued as 17"
        self.connections = 0
        self.logins: list[tuple[str, str]] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.said.startswith("250"):
            message = email.message_from_bytes(envelope.content or b"", policy=default)
            assert isinstance(message, EmailMessage)
            self.mails.append((list(envelope.rcpt_tos), message))
        return self.said

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        if session.host_name is None:
            self.connections += 1
        session.host_name = hostname
        return responses

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"secret", handled=False)


Serve = Callable[..., MailServer]


@pytest.fixture
def keeping() -> Keeping:
    return Keeping()


@pytest.fixture
def serve(keeping: Keeping) -> Iterator[Serve]:
    """Starts mail servers on free ports; what is needed to hand mail in there."""
    running: list[Controller] = []

    def start(**options: Any) -> MailServer:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        controller = Controller(keeping, hostname="127.0.0.1", port=port, **options)
        controller.start()
        running.append(controller)
        return MailServer(server="127.0.0.1", sender="qwebhook@example.com", port=port, security="none")

    yield start
    for controller in running:
        controller.stop()


def send(
    server: MailServer | None, url: str, given: bytes | None = None, times: int = 1, **fields: Any
) -> list[Exchange]:
    async def sent() -> list[Exchange]:
        targets = Targets(Sender(AddressPolicy([])), Allowed(mail=server))
        target = endpoint(webhook(url=url, event_types=[TYPE], **fields))
        try:
            prepared = [prepare(target, number.to_bytes(16), TYPE, given or body(), NOW) for number in range(times)]
            return list(await asyncio.gather(*(targets.send(target, one) for one in prepared)))
        finally:
            await targets.close()

    return asyncio.run(asyncio.wait_for(sent(), 60))


def test_a_welcome_mail(serve: Serve, keeping: Keeping) -> None:
    url = "mailto:{{ data.email }}?subject=Welcome,%20{{ data.name }}&bcc=audit@example.com"
    (exchange,) = send(serve(), url)
    assert exchange.result == Settled("done", "accepted for robin@example.com, audit@example.com", 250, "queued as 17")
    ((recipients, mail),) = keeping.mails
    assert recipients == ["robin@example.com", "audit@example.com"]
    assert mail["To"] == "robin@example.com"
    assert mail["Bcc"] is None
    assert mail["From"] == "qwebhook@example.com"
    assert mail["Subject"] == "Welcome, Robin Example"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@qwebhook>")
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert "Robin Example is a new member of the tenant" in text.get_content()
    assert "<table" in page.get_content()


def test_the_same_event_has_the_same_message_id(serve: Serve, keeping: Keeping) -> None:
    server = serve()
    for _ in range(2):
        send(server, "mailto:a@example.com")
    assert keeping.mails[0][1]["Message-ID"] == keeping.mails[1][1]["Message-ID"]


def test_a_template_is_the_text(serve: Serve, keeping: Keeping) -> None:
    send(serve(), "mailto:a@example.com", qwebhook=Settings(template="Hello {{ data.name }} & all"))
    (part,) = [keeping.mails[0][1]]
    assert part.get_content_type() == "text/plain"
    assert part.get_content().strip() == "Hello Robin Example & all"


@pytest.mark.parametrize("made", [Settings(template="{{ data.name }} is here"), Settings(preset="text")])
def test_no_event_makes_a_page_of_a_text(serve: Serve, keeping: Keeping, made: Settings) -> None:
    send(serve(), "mailto:a@example.com", body(name="<b>Robin</b>"), qwebhook=made)
    assert keeping.mails[0][1].get_content_type() == "text/plain"


@pytest.mark.parametrize(
    ("template", "kind", "made"),
    [
        ("<p>Hello {{ data.name }}</p>", "html", "<p>Hello &lt;a href=&#34;//e.example&#34;&gt;</p>"),
        ("{# ours #}\n{% set a = '<' %}<p>{{ a }}{{ data.name | e }}", "html", "<p>&lt;&lt;a href"),
        ("{{ data.name }} is here", "plain", '<a href="//e.example"> is here'),
        ("Hello {{ data.name }}", "plain", 'Hello <a href="//e.example">'),
    ],
)
def test_no_event_makes_markup_in_a_mail(serve: Serve, keeping: Keeping, template: str, kind: str, made: str) -> None:
    given = body(name='<a href="//e.example">')
    send(serve(), "mailto:a@example.com", given, qwebhook=Settings(template=template))
    mail = keeping.mails[0][1]
    assert mail.get_content_subtype() == kind
    assert mail.get_content().strip().startswith(made)


@pytest.mark.parametrize(
    ("said", "verdict"), [("451 try later", "again"), ("550 no such user", "never"), ("554 5.7.1 spam", "never")]
)
def test_the_server_s_words_decide(serve: Serve, keeping: Keeping, said: str, verdict: str) -> None:
    keeping.said = said
    (exchange,) = send(serve(), "mailto:a@example.com")
    assert isinstance(exchange.result, Settled)
    assert (exchange.result.verdict, exchange.result.words) == (verdict, said)
    assert isinstance(judge(exchange.result, 1, 0, 0.5), RetryAt if verdict == "again" else Dead)


@pytest.mark.parametrize(("said", "verdict"), [("450 busy", "again"), ("550 nobody here", "never")])
def test_a_recipient_that_is_refused(serve: Serve, keeping: Keeping, said: str, verdict: str) -> None:
    keeping.answers["a@example.com"] = said
    (exchange,) = send(serve(), "mailto:a@example.com")
    assert isinstance(exchange.result, Settled)
    assert (exchange.result.verdict, exchange.result.words) == (verdict, said)


def test_one_of_several_that_is_refused_does_not_make_the_others_get_it_twice(serve: Serve, keeping: Keeping) -> None:
    keeping.answers["b@example.com"] = "550 nobody here"
    (exchange,) = send(serve(), "mailto:a@example.com,b@example.com")
    assert isinstance(exchange.result, Settled)
    assert exchange.result.verdict == "done"
    assert exchange.result.words == "accepted for a@example.com; refused for b@example.com: 550 nobody here"
    assert [recipients for recipients, _ in keeping.mails] == [["a@example.com"]]


def test_a_thousand_mails_share_a_few_connections(serve: Serve, keeping: Keeping) -> None:
    exchanges = send(serve(), "mailto:a@example.com", times=1000)
    assert all(isinstance(one.result, Settled) and one.result.verdict == "done" for one in exchanges)
    assert len(keeping.mails) == 1000
    assert keeping.connections <= 4


def contexts(folder: Path) -> tuple[ssl.SSLContext, str]:
    """What a server has, and the file of the authority that vouches for it."""
    file = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, str(file)


def secured(server: MailServer, **fields: Any) -> MailServer:
    given = {name: getattr(server, name) for name in server.__struct_fields__}
    return MailServer(**(given | fields))


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_and_a_password(serve: Serve, keeping: Keeping, tmp_path: Path, security: str) -> None:
    context, authority = contexts(tmp_path)
    options: dict[str, Any] = {"authenticator": keeping.authenticate, "auth_required": True}
    if security == "tls":
        options |= {"ssl_context": context, "auth_require_tls": False}
    else:
        options |= {"tls_context": context, "require_starttls": True}
    server = secured(serve(**options), security=security, user="me", password="secret", ca_file=authority)
    (exchange,) = send(server, "mailto:a@example.com")
    assert isinstance(exchange.result, Settled)
    assert exchange.result.verdict == "done"
    assert keeping.logins == [("me", "secret")]
    (exchange,) = send(secured(server, password="wrong"), "mailto:a@example.com")
    assert isinstance(exchange.result, Settled)
    assert (exchange.result.verdict, exchange.result.code) == ("again", 535)
    assert exchange.result.words.startswith("535 5.7.8")
    assert "wrong" not in repr(exchange)


@contextmanager
def saying(answers: dict[str, str]) -> Iterator[MailServer]:
    """A server that accepts all but what `answers` has other words for, by the command; "" is its greeting."""
    usual = {"": "220 here", "EHLO": "250-here\r\n250 AUTH PLAIN", "AUTH": "235 welcome", "DATA": "354 go on"} | answers

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("")
            while line := self.rfile.readline().decode():
                verb = line.split()[0].upper()
                self.say(verb)
                if verb == "DATA" and usual[verb].startswith("354"):
                    while self.rfile.readline() != b".\r\n":
                        pass
                    self.say("the mail")

        def say(self, verb: str) -> None:
            self.wfile.write(usual.get(verb, "250 ok").encode() + b"\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield MailServer(
            server="127.0.0.1",
            port=server.server_address[1],
            sender="q@example.com",
            security="none",
            user="me",
            password=PASSWORD,
        )
        server.shutdown()


PASSWORD = "correct horse"
LOGIN = base64.b64encode(f"\0me\0{PASSWORD}".encode()).decode()


@pytest.mark.parametrize(
    ("command", "said", "verdict"),
    [
        ("AUTH", "535 5.7.8 Username and Password not accepted", "again"),
        ("AUTH", "534 5.7.9 Please log in with your web browser", "again"),
        ("AUTH", "538 5.7.11 Encryption required for requested authentication mechanism", "again"),
        ("AUTH", "530 5.7.0 Must issue a STARTTLS command first", "again"),
        ("AUTH", "454 4.7.0 Temporary authentication failure", "again"),
        ("AUTH", "550 too many logins", "again"),
        ("MAIL", "530 5.7.0 Authentication required", "again"),
        ("RCPT", "530 5.7.1 Client was not authenticated", "again"),
        ("RCPT", "535 5.7.3 Authentication unsuccessful", "again"),
        ("DATA", "530 5.7.57 Client not authenticated to send mail", "again"),
        ("", "554 5.7.1 no service for you", "again"),
        ("EHLO", "550 5.7.1 who are you", "again"),
        ("MAIL", "553 5.1.8 not a sender of ours", "never"),
        ("MAIL", "550 5.7.1 may not send as that", "never"),
        ("RCPT", "550 5.1.1 nobody here", "never"),
        ("RCPT", "554 5.7.1 relaying denied", "never"),
        ("DATA", "554 5.5.1 no", "never"),
        ("the mail", "554 5.7.1 spam", "never"),
        ("the mail", "452 4.3.1 full", "again"),
    ],
)
def test_what_the_operator_can_mend_is_tried_again(command: str, said: str, verdict: str) -> None:
    answers = {command: said}
    if command == "EHLO":
        answers["HELO"] = said
    with saying(answers) as server:
        (exchange,) = send(server, "mailto:a@example.com")
    assert isinstance(exchange.result, Settled)
    assert (exchange.result.verdict, exchange.result.words) == (verdict, said)
    assert isinstance(judge(exchange.result, 1, 0, 0.5), RetryAt if verdict == "again" else Dead)


def test_of_several_who_are_refused_one_that_may_be_tried_again_decides() -> None:
    assert _refused([(521, "no mail"), (550, "nobody"), (530, "log in")]).verdict == "again"
    assert _refused([(550, "nobody"), (450, "busy"), (530, "log in")]).words == "450 busy"
    assert _refused([(550, "nobody"), (521, "no mail")]).verdict == "never"


@pytest.mark.parametrize("shown", [PASSWORD, LOGIN, base64.b64encode(PASSWORD.encode()).decode()])
def test_a_password_that_the_server_repeats_is_not_shown(shown: str) -> None:
    with saying({"AUTH": f"535 5.7.8 {shown} is not accepted"}) as server:
        (exchange,) = send(server, "mailto:a@example.com")
    assert isinstance(exchange.result, Settled)
    assert exchange.result.words == "535 5.7.8 … is not accepted"
    assert shown not in repr(exchange)


def test_a_server_without_logins_is_tried_again() -> None:
    with saying({"EHLO": "250 here"}) as server:
        (exchange,) = send(server, "mailto:a@example.com")
    assert isinstance(exchange.result, Failure)
    assert isinstance(judge(exchange.result, 1, 0, 0.5), RetryAt)
    assert PASSWORD not in repr(exchange)


def test_a_certificate_that_is_not_known(serve: Serve, keeping: Keeping, tmp_path: Path) -> None:
    context, _ = contexts(tmp_path)
    (exchange,) = send(secured(serve(tls_context=context), security="starttls"), "mailto:a@example.com")
    assert isinstance(exchange.result, Failure)
    assert "certificate" in exchange.result.reason
    assert keeping.mails == []


def test_a_server_without_tls_gets_nothing(serve: Serve, keeping: Keeping) -> None:
    (exchange,) = send(secured(serve(), security="starttls"), "mailto:a@example.com")
    assert not (isinstance(exchange.result, Settled) and exchange.result.verdict == "done")
    assert keeping.mails == []


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = MailServer(server="127.0.0.1", sender="q@example.com", port=port, security="none")
    (exchange,) = send(server, "mailto:a@example.com")
    assert isinstance(exchange.result, Failure)
    assert exchange.result.kind == "connect"


def test_without_a_server_it_says_what_to_configure() -> None:
    (exchange,) = send(None, "mailto:a@example.com")
    assert exchange.result == Settled("again", "no server for mail is configured: [mail] in config.toml")


def test_a_connection_that_was_closed_meanwhile_costs_nothing(serve: Serve, keeping: Keeping) -> None:
    server = serve(timeout=0.2)

    async def twice() -> list[Exchange]:
        targets = Targets(Sender(AddressPolicy([])), Allowed(mail=server))
        target = endpoint(webhook(url="mailto:a@example.com", event_types=[TYPE]))
        made = []
        for number in range(2):
            made.append(await targets.send(target, prepare(target, bytes([number] * 16), TYPE, body(), NOW)))
            await asyncio.sleep(0.5)  # longer than the server waits
        await targets.close()
        return made

    results = [one.result for one in asyncio.run(twice())]
    assert [isinstance(one, Settled) and one.verdict for one in results] == ["done", "done"]
    assert len(keeping.mails) == 2


@pytest.mark.parametrize(
    "address",
    [
        "robin@example.com\r\nBcc: evil@example.com",
        "robin@example.com, evil@example.com",
        "Robin <robin@example.com>",
        "robin@example.com evil@example.com",
        '"robin\\r\\n"@example.com',
        "robin@[127.0.0.1]",
        "robin",
        "",
        "@example.com",
        "a@b",
    ],
)
def test_an_address_from_an_event_is_one_address_or_the_delivery_is_dead(address: str) -> None:
    target = endpoint(webhook(url="mailto:{{ data.email }}", event_types=[TYPE]))
    with pytest.raises(RenderFailed, match="is no mail address"):
        prepare(target, bytes(16), TYPE, body(email=address), NOW)


def test_the_templates_of_a_url_share_one_budget() -> None:
    work = "{{ data.email }}{% for one in range(150) %}{% for two in range(100) %}{% endfor %}{% endfor %}"
    target = endpoint(webhook(url=f"mailto:{work}", event_types=[TYPE]))
    prepare(target, bytes(16), TYPE, body(), NOW)
    target = endpoint(webhook(url="mailto:" + ",".join([work] * 4), event_types=[TYPE]))
    with pytest.raises(RenderFailed, match="too much work"):
        prepare(target, bytes(16), TYPE, body(), NOW)


@settings(max_examples=200)
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_event_adds_a_header(name: str, mail: str) -> None:
    target = endpoint(webhook(url="mailto:a@example.com?subject={{ data.name }}", event_types=[TYPE]))
    prepared = prepare(target, bytes(16), TYPE, body(name=name, email=mail), NOW)
    message = email.message_from_bytes(prepared.body, policy=default)
    assert set(message.keys()) == {
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    }
    assert message["To"] == "a@example.com"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mailto:", "names nobody"),
        ("mailto:?cc=a@example.com", "names nobody"),
        ("mailto:a", "is no mail address"),
        ("mailto:a@example.com?x=1", "'x', which is not taken"),
        ("mailto:a@example.com?cc=b", "'b' is no mail address"),
        ("mailto:a@example.com?cc=b@example.com&CC=c@example.com", "has cc twice"),
        ("mailto:" + ",".join(f"a{number}@example.com" for number in range(51)), "names 51 addresses"),
    ],
)
def test_urls_that_are_refused(url: str, words: str) -> None:
    with pytest.raises(InvalidWebhook, match=words):
        read_mailto(url)


def test_a_plus_is_a_plus() -> None:
    target = read_mailto("mailto:a+1@example.com?cc=b+2@example.com&subject=1+1%20is%202%2B0")
    assert (target.to, target.cc, target.subject) == (["a+1@example.com"], ["b+2@example.com"], "1+1 is 2+0")


@pytest.mark.parametrize(
    ("url", "to", "subject"),
    [
        ("mailto:{{ data.email | default('a@b.example', true) }},c@d.example", 2, ""),
        (
            "mailto:{% if a or b %}a@b.example{% endif %}?subject={{ what | replace('&', '?') }}",
            1,
            "{{ what | replace('&', '?') }}",
        ),
        (
            "mailto:a@b.example?subject={{ what | replace('&', '?') }}?&cc=c@d.example",
            1,
            "{{ what | replace('&', '?') }}?",
        ),
        ("mailto:a@b.example?subject={{ what %26 x", 1, "{{ what & x"),
    ],
)
def test_what_separates_is_the_template_s_own_within_it(url: str, to: int, subject: str) -> None:
    target = read_mailto(url)
    assert (len(target.to), target.subject) == (to, subject)


def test_addresses() -> None:
    assert all(map(is_address, ["a@example.com", "a.b+c@x-y.example.co", "o'neil@example.org"]))
    assert not any(
        map(is_address, ["a..b@example.com", ".a@example.com", "a@-x.com", "a@example.com.", "ä@example.com"])
    )


@pytest.mark.parametrize(
    "name",
    [
        "=?utf-8?q?=0d=0aBcc:_evil@example.com?=",
        "=?utf-8?b?DQpCY2M6IGV2aWxAZXhhbXBsZS5jb20=?=",
        "a =?us-ascii?q?=0a=0aBody?= b",
        "==??utf-8?q?=0dBcc:x?=",
        "a\x00\x1b[31m\u202eb\x85\u2028Bcc: c",
    ],
)
def test_a_subject_is_one_line_whatever_is_encoded_in_it(name: str) -> None:
    target = endpoint(webhook(url="mailto:a@example.com?subject={{ data.name }}", event_types=[TYPE]))
    mail = prepare(target, bytes(16), TYPE, body(name=name), NOW).body
    head = mail.partition(b"\r\n\r\n")[0]
    assert b"\n" not in head.replace(b"\r\n", b"")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    assert sorted(names) == [
        b"Auto-Submitted",
        b"Content-Type",
        b"Date",
        b"MIME-Version",
        b"Message-ID",
        b"Subject",
        b"To",
    ]
    assert email.message_from_bytes(mail, policy=default)["Subject"].isprintable()


def test_an_address_holds_no_encoded_word() -> None:
    hostile = "=?utf-8?q?=0d=0aBcc=3aevil=40example.com?=@example.com"
    assert not is_address(hostile)
    target = endpoint(webhook(url="mailto:{{ data.email }}", event_types=[TYPE]))
    with pytest.raises(RenderFailed, match="is no mail address"):
        prepare(target, bytes(16), TYPE, body(email=hostile), NOW)
