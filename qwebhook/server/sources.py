"""What the server reads by itself: audit logs, each on a thread of its own, into the same writer as what is pushed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

from qwebhook.deliver.writer import Overloaded, Writer
from qwebhook.model.errors import QwebhookError
from qwebhook.model.event import Event
from qwebhook.model.timestamps import humanised, to_rfc3339
from qwebhook.model.webhook import Webhook
from qwebhook.server.log import Log
from qwebhook.server.metrics import Metrics
from qwebhook.server.shedding import Shedding
from qwebhook.server.tenant_watch import TenantWatch
from qwebhook.source.audit_log import AuditLog
from qwebhook.source.following import follow
from qwebhook.source.pace import ReadingPace, RequestRate, Stopped, Stopping
from qwebhook.source.tail import Step, Tail
from qwebhook.store.contract import Accepted, Journal, SourcePlace
from qwebhook.store.rest.remote import Remote

T = TypeVar("T")

# A place is written down so often at most while much comes: after a crash, what came since is read again.
KEEP_EVERY = 1.0
OVERLOADED_WAIT = 1.0
AFTER_A_MISTAKE = 60.0
# After so long without a reading the server is not ready: a tenant's moment of weakness is shorter.
DEAF_SECONDS = 300.0


class Source(NamedTuple):
    """An audit log to be read.

    name: as it was given, `audits:CONTEXT`. remote: the way to the tenant, whose waits end with `stopping`.
    """

    name: str
    remote: Remote
    stopping: Stopping


class Sources:
    """The sources of a server. To be started and stopped within its event loop.

    shedding: says when nothing may be accepted. public_url: where tenants push to, "" if that is not known: it is
    looked whether they still do.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        writer: Writer,
        shedding: Shedding,
        metrics: Metrics,
        log: Log,
        clock: Callable[[], int],
        public_url: str,
    ) -> None:
        self._readers = [_Reader(source, writer, shedding, metrics, log, clock, public_url) for source in sources]

    def start(self) -> None:
        for reader in self._readers:
            reader.start()

    def deaf(self) -> list[str]:
        """The names of those that have been failing for so long that events are late."""
        return [reader.name for reader in self._readers if reader.deaf]

    async def stop(self, seconds: float) -> None:
        """Stop reading. What a request that is under way would have brought is read after the next start."""
        for reader in self._readers:
            reader.stop()
        deadline = time.monotonic() + seconds
        for reader in self._readers:
            await asyncio.to_thread(reader.join, max(deadline - time.monotonic(), 0))


class _Reader:
    """`Follower` of one source, with its thread."""

    def __init__(
        self,
        source: Source,
        writer: Writer,
        shedding: Shedding,
        metrics: Metrics,
        log: Log,
        clock: Callable[[], int],
        public_url: str,
    ) -> None:
        self._source = source
        self._stopping = source.stopping
        self._writer = writer
        self._shedding = shedding
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        rate = RequestRate(self._stopping.sleep)
        self._audits = AuditLog(source.remote, rate.wait)
        self._watch = TenantWatch(source.remote, public_url) if public_url else None
        self._unkept: SourcePlace | None = None
        self._kept_at = float("-inf")
        self._in_trouble = True
        self._failing = False
        # All up to then (monotonic seconds) has been read.
        self._up_to = time.monotonic()
        self._place_known = False
        metrics.source_lag(source.name, lambda: time.monotonic() - self._up_to)
        # A daemon, so that a tenant that does not answer cannot keep the process.
        self._thread = threading.Thread(target=self._run, name=f"qwebhook-{source.name}", daemon=True)

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def deaf(self) -> bool:
        return self._failing and time.monotonic() - self._up_to > DEAF_SECONDS

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.stop()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    # On the thread

    def _run(self) -> None:
        while not self._stopping.stopped:
            try:
                self._follow()
            except Stopped:
                return
            except Exception as error:
                self._failing = True
                self._tell(self._log.error, "source failed", reason=repr(error))
                self._metrics.source_failed(self._source.name)
                if self._wait(AFTER_A_MISTAKE):
                    return

    def _follow(self) -> None:
        name = self._audits.name
        place = self._on_loop(self._writer.run(lambda journal: journal.source_place(name)))
        if place is not None and not self._place_known:
            self._up_to -= max(self._clock() - place.reached, 0) / 1000
        self._place_known = True
        goes_on = {"reached": to_rfc3339(place.reached)} if place is not None else {"begins": "now"}
        self._tell(self._log.info, "source", **goes_on)
        follow(Tail(self._audits, place), self, self._stopping, ReadingPace())
        self._keep()

    def take(self, step: Step) -> None:
        """See Follower.take."""
        if step.events:
            accepted = self._accept(step.events)
            duplicates = sum(one.duplicate for one in accepted)
            self._metrics.accepted.inc(len(accepted) - duplicates)
            self._metrics.duplicates.inc(duplicates)
            self._metrics.source_events(self._source.name, len(accepted) - duplicates)
        for skip in step.skips:
            self._metrics.source_skipped(self._source.name, skip.kind)
            at = {} if skip.time is None else {"at": to_rfc3339(skip.time)}
            self._tell(self._log.warning, "source skipped", kind=skip.kind, item=skip.name, reason=skip.reason, **at)
        self._up_to = max(self._up_to, time.monotonic() - max(self._audits.now() - step.place.reached, 0) / 1000)
        self._failing = False
        self._unkept = step.place
        if time.monotonic() - self._kept_at >= KEEP_EVERY:
            self._keep()

    def caught_up(self) -> None:
        """See Follower.caught_up."""
        self._failing = False
        self._keep()
        behind = time.monotonic() - self._up_to
        self._up_to = time.monotonic()
        if self._in_trouble:
            self._in_trouble = False
            self._tell(self._log.info, "source caught up", **({"after": humanised(behind)} if behind >= 1 else {}))
        if self._watch is not None:
            for webhook in self._watch.news():
                self._tell_of(webhook)

    def failed(self, error: QwebhookError) -> None:
        """See Follower.failed."""
        self._in_trouble = self._failing = True
        self._metrics.source_failed(self._source.name)
        self._tell(self._log.warning, "source failed", reason=error.message, hint=error.hint)

    def _tell_of(self, webhook: Webhook) -> None:
        """Say whether a webhook of the tenant pushes here. Who disabled it, the service says only of itself."""
        named = {"webhook": webhook.name, "id": webhook.id}
        if webhook.enabled:
            self._tell(self._log.info, "tenant pushes here again", **named)
        elif webhook.disabled_reason_code or webhook.disabled_reason:
            self._tell(
                self._log.warning,
                "tenant disabled the webhook that pushes here",
                **named,
                reason=webhook.disabled_reason or webhook.disabled_reason_code,
                hint="events come by the audit log meanwhile; enable it there when the reason is gone",
            )
        else:
            self._tell(
                self._log.warning,
                "tenant webhook that pushes here is disabled",
                **named,
                hint="someone disabled it in the tenant; events come by the audit log meanwhile",
            )

    def _accept(self, events: list[Event]) -> list[Accepted]:
        """Hand events to the writer, when there is room for them."""

        async def accepted() -> list[Accepted]:
            self._shedding.check()
            return await self._writer.accept(events)

        while True:
            try:
                return self._on_loop(accepted())
            except Overloaded:
                self._stopping.sleep(OVERLOADED_WAIT)

    def _keep(self) -> None:
        place = self._unkept
        if place is None:
            return
        name, now = self._audits.name, self._clock()

        def keep(journal: Journal) -> None:
            journal.keep_source_place(name, place, now)

        self._on_loop(self._writer.run(keep))
        self._unkept = None
        self._kept_at = time.monotonic()

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work that belongs to the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _tell(self, tell: Callable[..., None], what: str, **fields: Any) -> None:
        """A line of the log, which is the loop's."""
        self._loop.call_soon_threadsafe(lambda: tell(what, source=self._source.name, **fields))

    def _wait(self, seconds: float) -> bool:
        """Wait; whether it is to stop."""
        try:
            self._stopping.sleep(seconds)
        except Stopped:
            return True
        return False
