"""What `/metrics` shows, in Prometheus' text format."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from qwebhook.model.delivery import Dead, Delivered, Gone, Outcome, RetryAt

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
_END_TO_END = (*_BUCKETS, 60.0, 600.0, 3600.0, 86400.0)
OUTCOMES: dict[type[Outcome], str] = {Delivered: "delivered", RetryAt: "retry", Dead: "dead", Gone: "gone"}


class Metrics:
    """The server's figures, in a registry of their own."""

    def __init__(self) -> None:
        # When each counter was made would double the exposition, and interests nobody.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        self._registry = registry
        self.accepted = Counter("qwebhook_events_accepted", "Events accepted and on disk", registry=registry)
        self.duplicates = Counter("qwebhook_events_duplicate", "Events that had come before", registry=registry)
        self.rejected = Counter(
            "qwebhook_requests_rejected", "Requests whose events could not be read", registry=registry
        )
        self.refused = Counter(
            "qwebhook_requests_refused", "Requests answered 503: overloaded, or the store failed", registry=registry
        )
        self.store_failures = Counter("qwebhook_store_failures", "Transactions that failed", registry=registry)
        attempts = Counter("qwebhook_attempts", "Attempts by outcome", ["outcome"], registry=registry)
        self._attempts = {kind: attempts.labels(name) for kind, name in OUTCOMES.items()}
        self._attempt_seconds = _Histogram("qwebhook_attempt_seconds", "Duration of attempts", _BUCKETS)
        self._delivery_seconds = _Histogram(
            "qwebhook_delivery_seconds", "From the acceptance of an event to its delivery", _END_TO_END
        )
        registry.register(self._attempt_seconds)
        registry.register(self._delivery_seconds)
        self.queue_depth = Gauge("qwebhook_queue_depth", "Deliveries pending", registry=registry)
        self.oldest_pending_seconds = Gauge(
            "qwebhook_oldest_pending_seconds", "Age of the oldest pending delivery", registry=registry
        )
        self.breakers = Gauge(
            "qwebhook_breakers", "Webhooks by the state of their breaker", ["state"], registry=registry
        )
        self.in_flight = Gauge("qwebhook_attempts_in_flight", "Attempts under way", registry=registry)
        self._source_events = Counter(
            "qwebhook_source_events", "Events that a source brought first", ["source"], registry=registry
        )
        self._source_skips = Counter(
            "qwebhook_source_skips", "Items of a source that were passed over", ["source", "kind"], registry=registry
        )
        self._source_failures = Counter(
            "qwebhook_source_failures", "Readings of a source that failed", ["source"], registry=registry
        )
        self._source_lag = Gauge(
            "qwebhook_source_lag_seconds", "Age of what a source has not been read for", ["source"], registry=registry
        )

    def attempted(self, outcome: Outcome, duration: float, age: float) -> None:
        """Count an attempt. duration: of the attempt; age: since the event was accepted; both in seconds."""
        self._attempts[type(outcome)].inc()
        self._attempt_seconds.observe(duration)
        if isinstance(outcome, Delivered):
            self._delivery_seconds.observe(age)

    def source_lag(self, source: str, lag: Callable[[], float]) -> None:
        """Show a source. lag: gives how many seconds ago all of it had been read."""
        self._source_events.labels(source)
        self._source_failures.labels(source)
        self._source_lag.labels(source).set_function(lag)

    def source_events(self, source: str, count: int) -> None:
        """Count events that came by a source first."""
        self._source_events.labels(source).inc(count)

    def source_skipped(self, source: str, kind: str) -> None:
        """Count an item of a source that was passed over."""
        self._source_skips.labels(source, kind).inc()

    def source_failed(self, source: str) -> None:
        """Count a reading that failed."""
        self._source_failures.labels(source).inc()

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self._registry)


class _Histogram(Collector):
    """A histogram of one thread, without the library's lock for each bucket: two are written for every delivery."""

    def __init__(self, name: str, documentation: str, bounds: tuple[float, ...]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        names = [*map(str, self._bounds), "+Inf"]
        buckets = list(zip(names, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)
