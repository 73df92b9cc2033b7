"""Webhooks that ask for it send nothing to a receiver whose certificate was revoked, or may have been.

Real TLS on loopback, and real HTTP to where the certificates say that they are asked about.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from qwebhook.deliver.handshake import NoConsent, ask_consent
from qwebhook.deliver.request import PreparedRequest, prepare
from qwebhook.deliver.revocation import check as checking
from qwebhook.deliver.revocation.check import RevocationCheck, verified_chain
from qwebhook.deliver.revocation.once import Found, Once
from qwebhook.deliver.revocation.verdict import NotVouchedFor
from qwebhook.deliver.sender import Sender
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Exchange, Reply, reason
from tests.acceptance.receiver import Answer, Receiver
from tests.builders import endpoint, webhook
from tests.deliver.faults import PATIENCE, FaultServer, Peer, hang, says
from tests.deliver.revocations import DAY, Authorities, Holder, holder, scope

EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LONG = 10.0
SHORT = 1.0
REVOKED = ocsp.OCSPCertStatus.REVOKED
UNKNOWN = ocsp.OCSPCertStatus.UNKNOWN
BY_OCSP = "tls: the certificate was revoked on 2026-01-02 (key compromise)"
BY_CRL = "tls: the certificate was revoked on 2026-01-02 (cessation of operation)"
UNTOLD = "tls: it cannot be told whether the certificate was revoked: "


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Answers for the authorities."""
    with Receiver() as receiver:
        yield receiver


class World:
    """The authorities, trusted; what they answer; and a server that has their certificate."""

    def __init__(self, folder: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.receiver = receiver
        self._monkeypatch = monkeypatch

    def authorities(self, *ways: str) -> Authorities:
        """All is well: nothing is revoked, and everybody who is named tells so. ways: of the server's certificate."""
        made = Authorities(self.folder, self.receiver.url(""), ways)
        self._monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
        self.says("/ocsp", made.ocsp())
        self.says("/crl", made.crl())
        self.says("/crl-authority", made.crl(issuer=made.root))
        return made

    def says(self, path: str, body: bytes) -> None:
        self.receiver.answers(path, Answer(body=body))

    def asked(self) -> list[str]:
        """Where somebody was asked, in order."""
        return [one.path for one in self.receiver.received]


@pytest.fixture
def world(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, receiver, monkeypatch)


@pytest.fixture(params=("asyncio", "uvloop"))
def runner(request: pytest.FixtureRequest) -> asyncio.Runner:
    """The loop of commands, and that of `serve`."""
    if request.param == "asyncio":
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=pytest.importorskip("uvloop").new_event_loop)


def run(runner: asyncio.Runner, main: Coroutine[Any, Any, Any]) -> Any:
    with runner:
        return runner.run(main)


@asynccontextmanager
async def sender(total: float = LONG, allowed: tuple[str, ...] = ("loopback",)) -> AsyncIterator[Sender]:
    one = Sender(AddressPolicy(allowed), total)
    try:
        yield one
    finally:
        await one.close()


async def sent(by: Sender, port: int, checked: bool = True, scheme: str = "https") -> Exchange:
    request = PreparedRequest(f"{scheme}://127.0.0.1:{port}/hook", {}, {}, b"{}", check_revocation=checked)
    return await asyncio.wait_for(by.send(request), PATIENCE)


async def serves(peer: Peer) -> None:
    """Answers every request."""
    while True:
        await peer.request()
        await peer.send(EMPTY)


async def outcome(authorities: Authorities, total: float = LONG) -> str:
    """What comes of a request. If it fails for the certificate, not a byte has been sent."""
    async with FaultServer(says(EMPTY), authorities.serving()) as server, sender(total) as one:
        said = reason((await sent(one, server.port)).result)
    if said != "status 200":
        async with FaultServer(hang, authorities.serving()) as server, sender(total) as one:
            assert reason((await sent(one, server.port)).result) == said
            await server.emptied()
            assert (server.connections, server.received) == (1, 0)
    return said


@pytest.mark.parametrize("ways", [("ocsp",), ("crl",), ("ocsp", "crl")], ids=" and ".join)
def test_a_certificate_that_is_good(world: World, ways: tuple[str, ...], runner: asyncio.Runner) -> None:
    authorities = world.authorities(*ways)
    assert run(runner, outcome(authorities)) == "status 200"
    assert sorted(world.asked()) == sorted([f"/{ways[0]}", "/crl-authority"])


def test_revoked_as_a_responder_says(world: World, runner: asyncio.Runner) -> None:
    authorities = world.authorities("ocsp", "crl")
    world.says("/ocsp", authorities.ocsp(REVOKED))
    assert run(runner, outcome(authorities)) == BY_OCSP


def test_revoked_as_a_list_says(world: World, runner: asyncio.Runner) -> None:
    authorities = world.authorities("crl")
    world.says("/crl", authorities.crl(holder("Another", authorities.authority), authorities.server))
    assert run(runner, outcome(authorities)) == BY_CRL


def test_revoked_for_no_reason(world: World) -> None:
    authorities = world.authorities("crl")
    world.says("/crl", authorities.crl(authorities.server, reason=None))
    assert asyncio.run(outcome(authorities)) == "tls: the certificate was revoked on 2026-01-02"


def test_an_authority_that_was_revoked(world: World) -> None:
    authorities = world.authorities("ocsp")
    world.says("/crl-authority", authorities.crl(authorities.authority, issuer=authorities.root))
    said = asyncio.run(outcome(authorities))
    words = "the certificate of the authority 'Authority' was revoked on 2026-01-02 (cessation of operation)"
    assert said == f"tls: {words}"


def test_an_authority_of_which_nobody_tells(world: World) -> None:
    authorities = world.authorities("ocsp")
    world.receiver.answers("/crl-authority", Answer(404))
    said = asyncio.run(outcome(authorities))
    words = "it cannot be told whether the certificate of the authority 'Authority' was revoked: 127.0.0.1: status 404"
    assert said == f"tls: {words}"


def test_that_one_is_revoked_is_said_before_that_another_is_unknown(world: World) -> None:
    authorities = world.authorities("ocsp")
    world.receiver.answers("/ocsp", Answer(500))
    world.says("/crl-authority", authorities.crl(authorities.authority, issuer=authorities.root))
    assert "'Authority' was revoked on" in asyncio.run(outcome(authorities))


Answering = Callable[[Authorities], bytes]


def by_other_authority(authorities: Authorities) -> bytes:
    """The same name, and another key."""
    return authorities.ocsp(issuer=authorities.other)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda a: a.ocsp(about=holder("Another", a.authority)), "the answer is for another certificate"),
        (by_other_authority, "the answer is signed neither by the authority nor by one"),
        (lambda a: a.ocsp(issuer=a.other, signer=a.responder()), "the answer is for another certificate"),
        (lambda a: a.ocsp(signer=a.server), "the answer is signed neither by the authority nor by one"),
        (lambda a: a.ocsp(signer=a.responder(authorised=False)), "the answer is signed neither by"),
        (lambda a: a.ocsp(signer=a.responder(expired=True)), "the answer is signed neither by"),
        (lambda a: a.ocsp(signer=a.responder(issuer=a.other)), "the answer is signed neither by"),
        (lambda a: a.ocsp(signer=a.responder(issuer=a.root)), "the answer is signed neither by"),
        (lambda a: a.ocsp(made=datetime.now(UTC) - 3 * DAY), "and out of date"),
        (lambda a: a.ocsp(made=datetime.now(UTC) + DAY), "the answer is from the future"),
        (lambda a: a.ocsp(UNKNOWN), "the responder does not know the certificate"),
        (lambda a: ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(
            checking.Encoding.DER), "the responder says try later"),
        (lambda a: b"", "the answer cannot be read (ValueError)"),
        (lambda a: b"<html>", "the answer cannot be read (ValueError)"),
        (lambda a: bytes(100_000), "the answer is larger than 64 KiB"),
    ],
    ids=[
        "another certificate", "another authority of the name", "a delegate for another authority",
        "the certificate itself", "a delegate that is none", "a delegate that is over", "a delegate of another",
        "a delegate of the root", "stale", "future", "unknown", "try later", "empty", "HTML", "large",
    ],
)  # fmt: skip
def test_an_answer_that_does_not_count(answer: Answering, words: str, world: World) -> None:
    authorities = world.authorities("ocsp")
    world.says("/ocsp", answer(authorities))
    said = asyncio.run(outcome(authorities))
    assert said.startswith(f"{UNTOLD}127.0.0.1: ")
    assert words in said


def test_a_delegate_answers_for_the_authority(world: World) -> None:
    authorities = world.authorities("ocsp")
    world.says("/ocsp", authorities.ocsp(signer=authorities.responder()))
    assert asyncio.run(outcome(authorities)) == "status 200"
    world.says("/ocsp", authorities.ocsp(REVOKED, signer=authorities.responder()))
    assert asyncio.run(outcome(authorities)) == BY_OCSP


def test_an_answer_that_names_the_certificate_by_another_digest(world: World) -> None:
    authorities = world.authorities("ocsp")
    world.says("/ocsp", authorities.ocsp(algorithm=hashes.SHA256()))
    assert asyncio.run(outcome(authorities)) == "status 200"


HERE = "http://here/crl"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda a: a.crl(signer=a.other), "the list is not signed by the authority"),
        (lambda a: a.crl(issuer=a.root), "the list is of another authority"),
        (lambda a: a.crl(made=datetime.now(UTC) - 3 * DAY), "and out of date"),
        (lambda a: a.crl(made=datetime.now(UTC) + DAY), "the answer is from the future"),
        (lambda a: a.crl(scope=scope(HERE)), "the list is for certificates that name another one"),
        (lambda a: a.crl(scope=scope(only_contains_ca_certs=True)), "the list is for certificates of another kind"),
        (lambda a: a.crl(scope=scope(indirect_crl=True)), "the list is not a whole one"),
        (lambda a: a.crl(scope=scope(only_contains_attribute_certs=True)), "the list is not a whole one"),
        (lambda a: a.crl(scope=x509.DeltaCRLIndicator(1)), "the list has a critical extension that is not known"),
        (lambda a: b"-----BEGIN X509 CRL-----", "the list cannot be read (ValueError)"),
    ],
    ids=[
        "another signer", "another issuer", "stale", "future", "elsewhere", "authorities only", "indirect",
        "attributes only", "delta", "PEM",
    ],
)  # fmt: skip
def test_a_list_that_does_not_count(answer: Answering, words: str, world: World) -> None:
    authorities = world.authorities("crl")
    world.says("/crl", answer(authorities))
    said = asyncio.run(outcome(authorities))
    assert said.startswith(f"{UNTOLD}127.0.0.1: ")
    assert words in said


def test_a_list_that_is_split_as_lets_encrypt_does(world: World) -> None:
    authorities = world.authorities("crl")
    own = scope(world.receiver.url("/crl"), HERE, only_contains_user_certs=True)
    world.says("/crl", authorities.crl(scope=own))
    assert asyncio.run(outcome(authorities)) == "status 200"
    world.says("/crl", authorities.crl(authorities.server, scope=own))
    assert asyncio.run(outcome(authorities)) == BY_CRL


def test_a_list_that_is_too_large(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    authorities = world.authorities("crl")
    monkeypatch.setattr(checking, "LIST_LIMIT", 200 << 10)
    world.says("/crl", bytes(200 << 10) + b"x")
    assert asyncio.run(outcome(authorities)) == f"{UNTOLD}127.0.0.1: the answer is larger than 200 KiB"


def test_a_list_of_some_size(world: World) -> None:
    authorities = world.authorities("crl")
    others = [Holder(_Numbered(number), authorities.root.key) for number in range(1, 5000)]  # type: ignore[arg-type]
    made = authorities.crl(*others, authorities.server)
    assert len(made) > 2 * (64 << 10)
    world.says("/crl", made)
    assert asyncio.run(outcome(authorities)) == BY_CRL


class _Numbered:
    """What of a certificate is in a list."""

    def __init__(self, number: int) -> None:
        self.serial_number = number


def test_a_certificate_that_names_nobody(world: World) -> None:
    said = asyncio.run(outcome(world.authorities()))
    assert said == f"{UNTOLD}it names nobody who could be asked (OCSP or CRL over http)"


def test_a_certificate_that_names_others_than_http(world: World) -> None:
    ways = ("https://127.0.0.1/", "ldap://127.0.0.1/", "file:///etc/passwd")
    said = asyncio.run(outcome(world.authorities(*ways)))
    assert said == f"{UNTOLD}it names nobody who could be asked (OCSP or CRL over http)"


def test_a_certificate_that_is_trusted_by_itself() -> None:
    async def main() -> None:
        async def send(*_: object) -> Exchange:
            raise AssertionError("there is nobody to ask")

        with pytest.raises(NotVouchedFor, match="no authority vouches for it"):
            await RevocationCheck(send, LONG).check([b"its own"])
        with pytest.raises(NotVouchedFor, match="no authority vouches for it"):
            await RevocationCheck(send, LONG).check([])

    asyncio.run(main())


def test_a_list_is_read_where_the_responder_fails(world: World) -> None:
    authorities = world.authorities("ocsp", "crl")
    world.receiver.answers("/ocsp", Answer(500))
    assert asyncio.run(outcome(authorities)) == "status 200"
    assert set(world.asked()) == {"/ocsp", "/crl", "/crl-authority"}


def test_both_ways_fail(world: World) -> None:
    authorities = world.authorities("ocsp", "crl")
    world.receiver.answers("/ocsp", Answer(500))
    world.receiver.answers("/crl", Answer(302, headers={"Location": world.receiver.url("/crl-authority")}))
    words = "127.0.0.1: status 500; 127.0.0.1: status 302: redirects are not followed"
    assert asyncio.run(outcome(authorities)) == UNTOLD + words


def test_a_responder_that_hangs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    authorities = world.authorities("ocsp")
    monkeypatch.setattr(checking, "OCSP_SECONDS", 0.3)
    world.receiver.answers("/ocsp", Answer(hang=True))
    assert asyncio.run(outcome(authorities)) == f"{UNTOLD}127.0.0.1: no answer within 0.3 s"


def test_what_takes_longer_than_an_attempt_waits_is_there_for_the_next(world: World) -> None:
    authorities = world.authorities("crl")
    there = threading.Event()
    world.receiver.answers("/crl", Answer(body=authorities.crl(), after=there))

    async def main() -> None:
        async with FaultServer(says(EMPTY), authorities.serving()) as server, sender(SHORT) as one:
            first = await sent(one, server.port)
            assert reason(first.result) == f"{UNTOLD}no answer within 0.5 s"
            assert first.duration < LONG * 1000
            there.set()
            assert reason((await sent(one, server.port)).result) == "status 200"
            assert world.asked().count("/crl") == 1

    try:
        asyncio.run(main())
    finally:
        there.set()


def test_a_responder_that_hangs_delays_no_other_webhook(world: World) -> None:
    authorities = world.authorities("ocsp")
    over = threading.Event()
    world.receiver.answers("/ocsp", Answer(body=authorities.ocsp(), after=over))

    async def main() -> None:
        async with FaultServer(says(EMPTY), authorities.serving()) as server, sender() as one:
            waiting = asyncio.create_task(sent(one, server.port))
            await asyncio.to_thread(world.receiver.wait_for, 1, "/ocsp")
            assert reason((await sent(one, server.port, checked=False)).result) == "status 200"
            assert not waiting.done()
            over.set()
            assert reason((await waiting).result) == "status 200"

    try:
        asyncio.run(main())
    finally:
        over.set()


def test_a_responder_at_a_refused_address(world: World) -> None:
    """The receiver's own address is allowed, and that of another kind in its certificate is not."""
    authorities = world.authorities("http://10.0.0.1/ocsp", "http://localhost:1/ocsp", "http://[::ffff:a00:1]/ocsp")

    async def main() -> str:
        async with (
            FaultServer(says(EMPTY), authorities.serving()) as server,
            sender(allowed=("127.0.0.1",)) as one,
        ):
            return reason((await sent(one, server.port)).result)

    said = asyncio.run(main())
    assert said.startswith(f"{UNTOLD}10.0.0.1: address refused: 10.0.0.1 is a private address (allow it with ")
    assert "::ffff:a00:1: address refused: " in said


def test_answers_are_kept(world: World, runner: asyncio.Runner) -> None:
    """For each certificate one question, however many webhooks, connections and attempts there are."""
    authorities = world.authorities("ocsp", "crl")

    async def main() -> None:
        async with FaultServer(serves, authorities.serving()) as server, sender() as one:
            several = await asyncio.gather(*(sent(one, server.port) for _ in range(20)))
            several.append(await sent(one, server.port))
            assert {reason(exchange.result) for exchange in several} == {"status 200"}

    run(runner, main())
    assert sorted(world.asked()) == ["/crl-authority", "/ocsp"]


def test_a_list_is_read_once_for_the_certificates_in_it(world: World, tmp_path: Path) -> None:
    authorities = world.authorities("crl")
    first = authorities.serving()
    authorities.server = authorities.issued(["crl"])
    second = authorities.serving()

    async def main() -> None:
        async with FaultServer(says(EMPTY), first) as one, FaultServer(says(EMPTY), second) as other, sender() as by:
            several = await asyncio.gather(sent(by, one.port), sent(by, other.port))
            assert {reason(exchange.result) for exchange in several} == {"status 200"}

    asyncio.run(main())
    assert sorted(world.asked()) == ["/crl", "/crl-authority"]


def test_without_the_flag_nobody_is_asked(world: World, runner: asyncio.Runner) -> None:
    authorities = world.authorities("ocsp")
    world.says("/ocsp", authorities.ocsp(REVOKED))

    async def main() -> None:
        async with FaultServer(says(EMPTY), authorities.serving()) as server, sender() as one:
            assert reason((await sent(one, server.port, checked=False)).result) == "status 200"

    run(runner, main())
    assert world.asked() == []


def test_http_has_no_certificate() -> None:
    async def main() -> None:
        async with FaultServer(says(EMPTY)) as server, sender() as one:
            assert reason((await sent(one, server.port, scheme="http")).result) == "status 200"

    asyncio.run(main())


def test_a_connection_that_was_made_without_a_check_is_checked(world: World, runner: asyncio.Runner) -> None:
    authorities = world.authorities("ocsp")
    world.says("/ocsp", authorities.ocsp(REVOKED))

    async def main() -> None:
        async with FaultServer(serves, authorities.serving()) as server, sender() as one:
            assert reason((await sent(one, server.port, checked=False)).result) == "status 200"
            assert reason((await sent(one, server.port)).result) == BY_OCSP
            # It was that connection, and nobody uses it any longer.
            await server.emptied()
            assert server.connections == 1
            assert reason((await sent(one, server.port, checked=False)).result) == "status 200"
            assert server.connections == 2

    run(runner, main())


def test_a_connection_that_ends_while_it_is_checked(world: World) -> None:
    """One that was kept open may be closed at any time: another is made, and the attempt is not lost."""
    authorities = world.authorities("ocsp")
    there = threading.Event()
    world.receiver.answers("/ocsp", Answer(body=authorities.ocsp(), after=there))
    first = asyncio.Event()

    async def main() -> None:
        async def closes_the_first(peer: Peer) -> None:
            await peer.request()
            await peer.send(EMPTY)
            if not first.is_set():
                await first.wait()
                return
            await hang(peer)

        async with FaultServer(closes_the_first, authorities.serving()) as server, sender() as one:
            assert reason((await sent(one, server.port, checked=False)).result) == "status 200"
            again = asyncio.create_task(sent(one, server.port))
            await asyncio.to_thread(world.receiver.wait_for, 1, "/ocsp")
            first.set()
            await server.emptied()
            there.set()
            assert reason((await again).result) == "status 200"
            assert server.connections == 2

    try:
        asyncio.run(main())
    finally:
        there.set()


def test_the_chain_by_its_public_name() -> None:
    """Python has it since 3.13, and DER for each certificate."""

    class Connection:
        def get_verified_chain(self) -> list[bytes]:
            return [b"leaf", b"root"]

    assert verified_chain(Connection()) == [b"leaf", b"root"]  # type: ignore[arg-type]


class Told:
    """Sends nothing, and answers for the responder at a time that the test says."""

    def __init__(self, authorities: Authorities) -> None:
        self.authorities = authorities
        self.now = time.time()
        self.status = 200
        self.body = authorities.ocsp(made=datetime.fromtimestamp(self.now, UTC), end=self.at(12))
        self.questions = 0

    def at(self, hours: float) -> datetime:
        return datetime.fromtimestamp(self.now + hours * 3600, UTC)

    async def send(self, request: PreparedRequest, keep: int) -> Exchange:
        self.questions += 1
        return Exchange(request.url, {}, b"", 0, 0.0, Reply(self.status, [], self.body))

    async def outcomes(self, *hours: float) -> list[str]:
        """What is said at each of those times, counted from the start."""
        start, said = self.now, []
        check = RevocationCheck(self.send, LONG, lambda: self.now)
        chain = [one.certificate.public_bytes(checking.Encoding.DER) for one in self.chain()]
        for hour in hours:
            self.now = start + hour * 3600
            if hour:
                self.status = 503
            try:
                await check.check(chain)
                said.append(f"good after {self.questions}")
            except NotVouchedFor as error:
                said.append(f"{str(error).rpartition(': ')[2]} after {self.questions}")
        return said

    def chain(self) -> list[Holder]:
        return [self.authorities.server, self.authorities.authority]


def test_a_good_answer_is_kept_for_an_hour_and_stands_in_for_one_that_cannot_be_had(world: World) -> None:
    told = Told(world.authorities("ocsp"))
    assert asyncio.run(told.outcomes(0, 0.9, 1.1, 1.11, 2, 12.5, 12.501)) == [
        "good after 1",
        "good after 1",
        "good after 2",  # asked anew, in vain
        "good after 2",
        "good after 3",
        "status 503 after 4",  # it holds no longer
        "status 503 after 4",  # and nobody is asked for a minute
    ]


def test_the_least_recently_used_makes_way() -> None:
    async def main() -> None:
        found = []

        async def find(key: int) -> Found[int]:
            found.append(key)
            return Found(-key, 10.0, key)

        once: Once[int, int] = Once(find, 6, lambda: 0.0)
        assert [await once.of(key) for key in (1, 2, 3, 1, 2)] == [-1, -2, -3, -1, -2]
        assert found == [1, 2, 3]
        assert await once.of(4) == -4
        assert [once.known(key) for key in (1, 2, 3, 4)] == [None, -2, None, -4]

    asyncio.run(main())


def test_a_delivery_is_checked_as_the_webhook_says() -> None:
    for checked in (False, True):
        request = prepare(endpoint(webhook(check_certificate_revocation=checked)), b"key", "a.type", b"{}", 0)
        assert request.check_revocation is checked


def test_consent_is_asked_for_as_deliveries_are_sent(world: World) -> None:
    authorities = world.authorities("ocsp")
    world.says("/ocsp", authorities.ocsp(REVOKED))

    async def main() -> None:
        async with FaultServer(hang, authorities.serving()) as server, sender() as one:
            with pytest.raises(NoConsent, match="the certificate was revoked on 2026-01-02"):
                await ask_consent(one, f"https://127.0.0.1:{server.port}/", "events.example.com", None, True)
            await server.emptied()
            assert server.received == 0

    asyncio.run(main())
