"""The life of a server: hold the store, listen, work, and stop in stages when told to.

`serve` is to be read from top to bottom. The first signal stops accepting and lets what is in flight end, up to a
deadline; the rest stays pending. A second signal leaves at once: what was accepted is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from qwebhook import __version__
from qwebhook.deliver.sender import Sender
from qwebhook.deliver.targets import Allowed, Targets
from qwebhook.deliver.worker import Worker
from qwebhook.deliver.writer import Writer
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.consent import Consenting
from qwebhook.model.delivery import Exchange, Outcome, RetryAt
from qwebhook.model.endpoint import Endpoint
from qwebhook.model.errors import InvalidInput, QwebhookError, Unavailable
from qwebhook.model.timestamps import to_rfc3339
from qwebhook.server.acceptance import Acceptance
from qwebhook.server.access import Access
from qwebhook.server.administration import ServedStore
from qwebhook.server.api.operation import Backend
from qwebhook.server.application import Application
from qwebhook.server.guard import BrowserGuard, FailedAttempts, is_loopback
from qwebhook.server.http_server import HttpServer
from qwebhook.server.inbound import InboundSignatures
from qwebhook.server.log import Format, Log, library_warnings
from qwebhook.server.metrics import OUTCOMES, Metrics
from qwebhook.server.protocol import watch
from qwebhook.server.readiness import Readiness
from qwebhook.server.shedding import Shedding
from qwebhook.server.systemd import Systemd
from qwebhook.store.contract import Claim, Journal, Written
from qwebhook.store.sqlite import SqliteStore
from qwebhook.store.sqlite.lock import ServerLock

if TYPE_CHECKING:
    from qwebhook.deliver.names import NameFinder
    from qwebhook.server.sources import Source, Sources
    from qwebhook.store.rest.directory import TenantDirectory

FLUSH_SECONDS = 5.0
SWEEP_EVERY = 3600.0
SWEEP_STEP = 200
SWEEP_PAUSE = 0.05
NOTE_EVERY = 60.0
# A source stops at once unless its tenant is slow to answer, and nothing depends on that answer.
SOURCES_SECONDS = 2.0


class ServeOptions(msgspec.Struct, kw_only=True):
    """How to serve. port: 0 takes a free one. retention, drain: seconds. tls_*: both or neither.

    allowed_origins, allowed_rate: who may deliver here, and how much (`Consenting`). public_url: how clients reach the
    server, "" for as they say. webhook_limit: how many webhooks one user may have made, 0 for any number. keep_free:
    bytes that stay free on the store's disk, and max_pending: deliveries that wait, beyond which nothing is accepted.
    sources: what is read beside what is pushed. allowed: what webhooks of other schemes may use.
    directory: where names for the ids in events are found.
    """

    store: Path
    host: str = "127.0.0.1"
    port: int = 8787
    allowed_networks: list[str] = []
    allowed_origins: list[str] = []
    allowed_rate: int | None = None
    retention: float = 7 * 86400.0
    drain: float = 20.0
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    public_url: str = ""
    webhook_limit: int = 0
    keep_free: int = 256 << 20
    max_pending: int = 5_000_000
    sources: list[Source] = []
    allowed: Allowed = Allowed()
    directory: TenantDirectory | None = None
    log_format: Format | None = None

    @property
    def tls(self) -> bool:
        return self.tls_certificate is not None


def clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def run(options: ServeOptions) -> int:
    """Serve until a signal comes; the exit code.

    Raises Unavailable if the store or the port cannot be had, InvalidInput for options that cannot be used.
    """
    try:
        import uvloop
    except ImportError:  # Windows, PyPy
        return asyncio.run(serve(options))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(options))


async def serve(options: ServeOptions) -> int:
    """See `run`; needs an event loop."""
    policy = AddressPolicy(options.allowed_networks)
    _check_tls(options)
    log = Log(form=options.log_format)
    with contextlib.ExitStack() as stack:
        stack.callback(log.flush)
        stack.enter_context(library_warnings(log))
        lock = ServerLock(options.store)
        stack.callback(lock.release)
        # Before the store, so that a server that cannot listen leaves no new one behind.
        listening = _listen(options.host, options.port)
        stack.callback(listening.close)
        store = SqliteStore.open(options.store, create=True)
        stack.callback(store.close)
        journal, observed = store.open_journal(), store.open_journal()
        stack.callback(journal.close)
        stack.callback(observed.close)
        changing, reading = SqliteStore.open(options.store), SqliteStore.open(options.store)
        stack.callback(changing.close)
        stack.callback(reading.close)
        _raise_file_limit()

        metrics = Metrics()
        targets = Targets(Sender(policy), options.allowed, _names(options, stack))
        worker = Worker(targets, _Observer(log, metrics, journal), clock, random.random)

        def written(result: Written) -> None:
            for webhook in result.disabled:
                log.warning("webhook disabled", webhook=webhook.name, id=webhook.id, reason=webhook.disabled_reason)
            worker.written(result)

        def store_failed(error: QwebhookError) -> None:
            metrics.store_failures.inc()
            log.error("store failed", reason=error.message, hint=error.hint)

        writer = Writer(journal, clock, written, store_failed)
        await worker.start(writer)
        access = Access(store, clock)
        consenting = Consenting(options.allowed_origins, options.allowed_rate)
        failed = FailedAttempts(log)
        served = ServedStore(writer, worker, changing, reading, observed)

        async def count_pending() -> int:
            return (await served.observe(lambda journal: journal.pending()))[0]

        shedding = Shedding(options.store.parent, options.keep_free, options.max_pending, count_pending, log)
        sources = _sources(options, writer, shedding, metrics, log)
        readiness = Readiness(writer, worker, shedding, sources)
        inbound = InboundSignatures(store, clock)
        acceptance = Acceptance(writer, access, inbound, failed, shedding, metrics, consenting)
        backend = Backend(
            store=served,
            writer=writer,
            worker=worker,
            targets=targets,
            access=access,
            readiness=readiness,
            metrics=metrics,
            log=log,
            clock=clock,
            public_url=options.public_url,
            webhook_limit=options.webhook_limit or None,
        )
        guard = BrowserGuard(options.host, options.public_url, behind_proxy=options.behind_proxy)
        application = Application(acceptance, backend, guard, failed)
        url = _url(options, listening)
        _warn_if_exposed(options, log)
        server = HttpServer(
            application,
            certificate=options.tls_certificate,
            key=options.tls_key,
            behind_proxy=options.behind_proxy,
            drain=options.drain,
        )
        stopping = _Stopping(log, server)
        with stopping.signals():
            sweeping = asyncio.create_task(_sweep(writer, options.retention, log), name="qwebhook-sweep")
            noting = asyncio.create_task(_note_uses(access, served, log), name="qwebhook-token-uses")
            shedding_watch = asyncio.create_task(shedding.watch(), name="qwebhook-shedding")
            watching = asyncio.create_task(watch(server.server_state.connections), name="qwebhook-connections")
            serving = asyncio.create_task(server.serve([listening]), name="qwebhook-http")
            await _first(server.listening.wait(), stopping.begun.wait(), serving)
            if serving.done():
                serving.result()
                raise Unavailable("the HTTP server ended before it listened")
            tune_interpreter()
            lock.describe(url)
            _warn_of_lacks(options.allowed, worker.endpoints(), log)
            log.info("listening", url=url, store=str(options.store), pid=os.getpid(), version=__version__)
            if sources is not None:
                sources.start()
            systemd = Systemd()
            systemd.tell("READY=1")
            telling = asyncio.create_task(systemd.keep_telling(readiness.trouble), name="qwebhook-systemd")
            await stopping.begun.wait()

            systemd.tell("STOPPING=1")
            worker.stop_starting()
            sweeping.cancel()
            noting.cancel()
            watching.cancel()
            shedding_watch.cancel()
            telling.cancel()
            if sources is not None:
                await sources.stop(SOURCES_SECONDS)
            _, broken_off = await asyncio.gather(serving, worker.drain(options.drain))
            await _write_uses(access, served, log)
            flushed = await writer.close(FLUSH_SECONDS)
            served.close()
            await targets.close()
            pending = journal.pending()[0] if flushed else None
            log.info("stopped", pending=pending, broken_off=broken_off)
        return 130 if stopping.signal == signal.SIGINT else 0


class _Observer:
    """Tells the log and the metrics of each attempt."""

    def __init__(self, log: Log, metrics: Metrics, journal: Journal) -> None:
        self._log = log
        self._metrics = metrics
        self._journal = journal

    def attempted(self, endpoint: Endpoint, claim: Claim, exchange: Exchange, outcome: Outcome, reason: str) -> None:
        age = (clock() - claim.triggered_at) / 1000
        self._metrics.attempted(outcome, exchange.duration / 1000, age)
        self._log.info(
            "attempt",
            webhook=endpoint.webhook.name,
            delivery=self._journal.delivery_id(claim),
            type=claim.type,
            attempt=claim.attempt,
            outcome=OUTCOMES[type(outcome)],
            reason=reason,
            ms=round(exchange.duration, 1),
            **({"next": to_rfc3339(outcome.due)} if isinstance(outcome, RetryAt) else {}),
        )

    def broken(self, endpoint: Endpoint, open_until: int | None) -> None:
        webhook = endpoint.webhook
        if open_until is None:
            self._log.info("receiver is back", webhook=webhook.name, id=webhook.id)
        else:
            until = to_rfc3339(open_until)
            self._log.warning("receiver is down", webhook=webhook.name, id=webhook.id, until=until)


class _Stopping:
    """What signals do: the first begins the stop, the second ends the process."""

    def __init__(self, log: Log, server: HttpServer) -> None:
        self._log = log
        self._server = server
        self.begun = asyncio.Event()
        self.signal = signal.SIGTERM

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Listen to signals within the block."""
        loop = asyncio.get_running_loop()
        if sys.platform == "win32":
            wanted = (signal.SIGINT, signal.SIGBREAK)
            for number in wanted:
                signal.signal(number, lambda got, _: loop.call_soon_threadsafe(self._got, signal.Signals(got)))
            yield
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._got, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _got(self, number: signal.Signals) -> None:
        if self.begun.is_set():
            self._log.warning("leaving at once", signal=number.name)
            self._log.flush()
            os._exit(130 if number == signal.SIGINT else 1)
        self._log.info("stopping", signal=number.name)
        self.signal = number
        self._server.should_exit = True
        self.begun.set()


async def _first(*waited: Awaitable[object]) -> None:
    """Wait for whichever comes first."""
    tasks = [asyncio.ensure_future(one) for one in waited]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks[:-1]:
        task.cancel()


def _sources(options: ServeOptions, writer: Writer, shedding: Shedding, metrics: Metrics, log: Log) -> Sources | None:
    if not options.sources:
        return None
    # The client for them is a third of what a server imports.
    from qwebhook.server.sources import Sources

    return Sources(options.sources, writer, shedding, metrics, log, clock, options.public_url)


def _names(options: ServeOptions, stack: contextlib.ExitStack) -> NameFinder | None:
    if options.directory is None:
        return None
    from qwebhook.deliver.names import NameFinder

    stack.callback(options.directory.close)
    return NameFinder(options.directory.look_up)


def _check_tls(options: ServeOptions) -> None:
    if options.tls_certificate is None:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Without one, OpenSSL would ask for it, and wait.
        context.load_cert_chain(options.tls_certificate, options.tls_key, password="")
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(
            f"the certificate {options.tls_certificate} and key {options.tls_key} cannot be used: {error}",
            "give a PEM certificate chain and its own key without a password",
        ) from None


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except UnicodeError:
        raise InvalidInput(f"{host!r} is no name of a host", "give another --host") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unavailable(
            f"cannot listen on {host} port {port}: {reason.lower()}", "give another --host or --port, or --port 0"
        ) from None
    listening.setblocking(False)
    return listening


def _url(options: ServeOptions, listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"{'https' if options.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def _warn_if_exposed(options: ServeOptions, log: Log) -> None:
    local = options.host == "localhost" or is_loopback(options.host)
    if not local and not options.tls and not options.behind_proxy:
        log.warning(
            "listening beyond this machine without TLS",
            host=options.host,
            hint="tokens and events travel in clear: give --tls-cert and --tls-key, or --behind-proxy",
        )


def _warn_of_lacks(allowed: Allowed, endpoints: Iterable[Endpoint], log: Log) -> None:
    """Tell of webhooks whose deliveries will be tried again and again until the server is started otherwise."""
    lacking: dict[str, list[str]] = {}
    for endpoint in endpoints:
        lack = allowed.lack(endpoint.scheme) if endpoint.webhook.enabled else ""
        if lack:
            lacking.setdefault(lack, []).append(endpoint.webhook.name)
    for lack, names in lacking.items():
        log.warning("webhooks cannot be delivered to", count=len(names), first=names[0], reason=lack)


def _raise_file_limit() -> None:
    """Take as many open files as we may have: each attempt in flight is a connection."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def tune_interpreter() -> None:
    """Suit the interpreter to one busy loop and one writer thread.

    Cycles are looked for less often: a request makes hundreds of objects and hardly a cycle. And the loop lends the
    interpreter's lock sooner: every statement of the writer ends in waiting for it, 5 ms at a time by default.
    """
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


async def _sweep(writer: Writer, retention: float, log: Log) -> None:
    """Delete old history now and every hour, in steps small enough not to be noticed."""
    while True:
        now = clock()
        before = now - round(retention * 1000)
        try:
            while await writer.run(lambda journal: journal.sweep(before, SWEEP_STEP, now)):  # noqa: B023, ASYNC110
                await asyncio.sleep(SWEEP_PAUSE)
        except Exception as error:
            log.warning("sweep failed", reason=error.message if isinstance(error, QwebhookError) else repr(error))
        await asyncio.sleep(SWEEP_EVERY)


async def _note_uses(access: Access, served: ServedStore, log: Log) -> None:
    """Write down now and then which tokens are in use."""
    while True:
        await asyncio.sleep(NOTE_EVERY)
        await _write_uses(access, served, log)


async def _write_uses(access: Access, served: ServedStore, log: Log) -> None:
    uses = access.take_uses()
    if not uses:
        return
    try:
        await served.note(lambda store: store.note_token_use(uses))
    except QwebhookError as error:
        log.warning("use of tokens not written down", reason=error.message)
