"""Figures: plain counters that hot paths add to, and a collector that Prometheus reads.

A library counter costs a microsecond an increment, too much once per frame; here an
increment is an addition and the names are made when somebody asks. This room knows no
room above it: gauges come as callables.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from fastws._core.line import Traffic
from fastws.errors import CLOSE_CODES

__all__ = ["Counts", "Gauge", "Histogram", "Stats", "exposition"]

log = structlog.get_logger()

BUCKETS: Final = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0, 2.5,
)  # fmt: skip
"""Upper bounds in seconds, from fifty microseconds to two and a half seconds."""

Counts = Callable[[], Mapping[Any, float]]
"""Label values (a tuple of texts) → figure."""

Gauge = Callable[[], float]

_CLOSE_CODES: Final = frozenset({1005, 1006} | {close.code for close in CLOSE_CODES})
"""Codes with a line of their own; a client may send 2,000 others, which share one."""


class Histogram:
    """Counts of durations (seconds) in `BUCKETS`; an observation is a bisection and two adds."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds

    @property
    def count(self) -> int:
        """Observations so far."""
        return sum(self.counts)

    def quantile(self, q: float) -> float:
        """Upper bound in seconds of the bucket that holds the ``q``-quantile; 0 when empty."""
        wanted = q * self.count
        seen = 0
        for bound, count in zip((*BUCKETS, BUCKETS[-1]), self.counts, strict=True):
            seen += count
            if count and seen >= wanted:
                return bound
        return 0.0


class Stats:
    """What connections, endpoints and the gateway count. Labels are endpoint paths."""

    def __init__(self) -> None:
        self.opens: Counter[str] = Counter()
        self.closes: Counter[tuple[str, int]] = Counter()
        self.out: dict[str, Traffic] = {}
        self.errors: Counter[tuple[str, str]] = Counter()
        self.rejections: Counter[tuple[str, str]] = Counter()
        self.commands: dict[tuple[str, str], Histogram] = {}
        self.publish_to_write = Histogram()
        self.loop_lag = Histogram()
        self.step_lateness = Histogram()

    def opened(self, endpoint: str) -> None:
        """A connection began."""
        self.opens[endpoint] += 1

    def closed(self, endpoint: str, code: int) -> None:
        """A connection ended with a close code (1006: without one)."""
        self.closes[endpoint, code] += 1

    def traffic(self, endpoint: str) -> Traffic:
        """What every line of an endpoint adds to, from Python and from C."""
        return self.out.setdefault(endpoint, Traffic())

    def error(self, endpoint: str, code: str) -> None:
        """An ``error`` frame was sent."""
        self.errors[endpoint, code] += 1

    def limited(self, endpoint: str, bucket: str) -> None:
        """A message was refused by a rate limit."""
        self.rejections[endpoint, bucket] += 1

    def command(self, endpoint: str, type: str, seconds: float) -> None:
        """A command ran for ``seconds``."""
        found = self.commands.get((endpoint, type))
        if found is None:
            found = self.commands[endpoint, type] = Histogram()
        found.observe(seconds)

    def open_now(self, endpoint: str) -> int:
        """Connections of an endpoint that are open."""
        ended = sum(count for (name, _), count in self.closes.items() if name == endpoint)
        return self.opens[endpoint] - ended


class _StatsCollector(Collector):
    def __init__(
        self,
        stats: Stats,
        gauges: Mapping[str, tuple[str, Gauge]],
        counts: Mapping[str, tuple[str, tuple[str, ...], Counts]],
        states: Mapping[str, tuple[str, tuple[str, ...], Counts]],
    ) -> None:
        self._stats = stats
        self._gauges = gauges
        self._counts = counts
        self._states = states

    def collect(self) -> Iterable[Metric]:
        yield from self._traffic()
        yield from self._durations()
        for name, (doc, gauge) in self._gauges.items():
            yield from _read(name, lambda: _gauge(name, doc, (), {(): gauge()}))  # noqa: B023
        for name, (doc, labels, read) in self._states.items():
            yield from _read(name, lambda: _gauge(name, doc, labels, read()))  # noqa: B023
        for name, (doc, labels, read) in self._counts.items():
            yield from _read(name, lambda: _counter(name, doc, labels, read()))  # noqa: B023

    def _traffic(self) -> Iterator[Metric]:
        stats = self._stats
        opened = GaugeMetricFamily(
            "fastws_connections", "Connections open now", labels=["endpoint"]
        )
        for endpoint in stats.opens:
            opened.add_metric([endpoint], stats.open_now(endpoint))
        yield opened
        by_endpoint = ("endpoint",)
        sent, sent_bytes, received, received_bytes = (
            {endpoint: getattr(one, name) for endpoint, one in stats.out.items()}
            for name in ("messages", "bytes", "received", "received_bytes")
        )
        for name, doc, counter in (
            ("connections_opened", "Connections ever opened", stats.opens),
            ("messages_received", "Client messages", received),
            (
                "messages_sent",
                "Messages to clients",
                sent,
            ),
            ("received_bytes", "Payload bytes from clients", received_bytes),
            (
                "sent_bytes",
                "Payload bytes to clients",
                sent_bytes,
            ),
        ):
            yield _counter(name, doc, by_endpoint, {(key,): n for key, n in counter.items()})
        yield _counter(
            "limiter_rejections",
            "Messages refused by a rate limit, by bucket",
            ("endpoint", "bucket"),
            stats.rejections,
        )
        closes: Counter[tuple[str, str]] = Counter()
        for (endpoint, code), n in stats.closes.items():
            closes[endpoint, str(code) if code in _CLOSE_CODES else "other"] += n
        yield _counter("closes", "Connections ended, by code", ("endpoint", "code"), closes)
        yield _counter("errors", "Error frames, by code", ("endpoint", "code"), stats.errors)

    def _durations(self) -> Iterator[Metric]:
        stats = self._stats
        commands = HistogramMetricFamily(
            "fastws_command_seconds", "Time a command took", labels=["endpoint", "command"]
        )
        for labels, histogram in stats.commands.items():
            commands.add_metric(list(labels), _cumulative(histogram), histogram.sum)
        yield commands
        for name, doc, histogram in (
            (
                "publish_to_write_seconds",
                "From a publication to its writes",
                stats.publish_to_write,
            ),
            ("loop_lag_seconds", "How late the event loop ran a timer", stats.loop_lag),
            (
                "skyduel_step_lateness_seconds",
                "From when steps of matches were due until they were made",
                stats.step_lateness,
            ),
        ):
            family = HistogramMetricFamily(f"fastws_{name}", doc, labels=[])
            family.add_metric([], _cumulative(histogram), histogram.sum)
            yield family


def _counter(
    name: str, doc: str, labels: tuple[str, ...], values: Mapping[Any, float]
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"fastws_{name}", doc, labels=list(labels))
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family


def _gauge(
    name: str, doc: str, labels: tuple[str, ...], values: Mapping[Any, float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"fastws_{name}", doc, labels=list(labels))
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family


def _read(name: str, make: Callable[[], Metric]) -> Iterator[Metric]:
    """One figure; none if its reading fails: an operator needs the others all the more."""
    try:
        yield make()
    except Exception:
        log.exception("metrics.unreadable", metric=name)


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    out, seen = [], 0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), histogram.counts, strict=True):
        seen += count
        out.append((bound, float(seen)))
    return out


def exposition(
    stats: Stats,
    gauges: Mapping[str, tuple[str, Gauge]],
    counts: Mapping[str, tuple[str, tuple[str, ...], Counts]],
    states: Mapping[str, tuple[str, tuple[str, ...], Counts]] | None = None,
) -> Callable[[], bytes]:
    """A function that writes the figures in Prometheus' text format.

    ``gauges`` maps a name (without ``fastws_``) to its sentence and a callable, ``counts`` to
    its sentence, label names and a callable; ``states`` are gauges with labels. The registry
    is this server's own; the process's memory, CPU and descriptors are in it too.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StatsCollector(stats, gauges, counts, states or {}))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)
