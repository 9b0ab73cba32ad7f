"""Metrics of a worker for Prometheus."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hydrascope.monitoring.watches import Watched

_STAGES = ("read", "answer", "write")
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class WatchMetrics:
    """All metrics of one worker, in a registry of its own.

    Args:
        machines: The most machines whose lag has a metric of its own.
        fresh_s: How long the worker's last look at all machines is worth telling. Workers take
            turns, so another one's may be newer.
    """

    def __init__(self, machines: int, fresh_s: float) -> None:
        self.registry = CollectorRegistry()
        self.windows = Counter(
            "hydrascope_watch_windows", "Windows diagnosed and written.", registry=self.registry
        )
        self.new_operating_points = Counter(
            "hydrascope_watch_new_operating_points",
            "Windows in which a machine is asked to do what no learned window shows.",
            registry=self.registry,
        )
        self.failures = Counter(
            "hydrascope_watch_failures",
            "Failures by what failed: database, machine, queue.",
            ["what"],
            registry=self.registry,
        )
        for what in ("database", "machine", "queue"):
            self.failures.labels(what)
        self.messages = Counter(
            "hydrascope_watch_messages",
            "Tries to deliver a message about an alarm: sent, failed, given_up.",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in ("sent", "failed", "given_up"):
            self.messages.labels(outcome)
        self._stage = Histogram(
            "hydrascope_watch_stage_seconds",
            "Time of a visit by stage: read, answer, write.",
            ["stage"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        for stage in _STAGES:
            self._stage.labels(stage)
        self.unreadable = Gauge(
            "hydrascope_watch_unreadable_machines",
            "Machines that the model cannot read.",
            registry=self.registry,
        )
        self.fleet = FleetCollector(machines, fresh_s)
        self.registry.register(self.fleet)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Observe the time of a stage that succeeds."""
        began = time.perf_counter()
        yield
        self._stage.labels(name).observe(time.perf_counter() - began)


class FleetCollector(Collector):
    """What the last look at all machines showed, for as long as it is fresh."""

    def __init__(self, machines: int, fresh_s: float) -> None:
        self._machines, self._fresh_s = machines, fresh_s
        self._seen: Sequence[Watched] = ()
        self._seen_at = -fresh_s

    def show(self, watched: Sequence[Watched]) -> None:
        """Take a look at all machines."""
        self._seen, self._seen_at = watched, time.monotonic()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics."""
        fresh = time.monotonic() - self._seen_at < self._fresh_s
        seen = self._seen if fresh else ()
        lags = sorted(((_lag_s(each), each.equipment_id) for each in seen), reverse=True)
        yield GaugeMetricFamily(
            "hydrascope_watch_machines", "Machines with telemetry.", value=len(seen)
        )
        yield GaugeMetricFamily(
            "hydrascope_watch_late_samples",
            "Samples that came when their windows had been diagnosed, of all machines.",
            value=sum(each.late_samples for each in seen),
        )
        yield GaugeMetricFamily(
            "hydrascope_watch_longest_lag_seconds",
            "Telemetry of a machine that is not diagnosed yet: the most of all machines.",
            value=lags[0][0] if lags else 0.0,
        )
        lag = GaugeMetricFamily(
            "hydrascope_watch_lag_seconds",
            "Telemetry that is not diagnosed yet, of the machines that lag most.",
            labels=["machine"],
        )
        for lag_s, equipment_id in lags[: self._machines]:
            lag.add_metric([equipment_id], lag_s)
        yield lag


def _lag_s(machine: Watched) -> float:
    """Return from the last window's end to the newest sample; 0 before the first visit."""
    covered: datetime = machine.covered or machine.latest
    return max(0.0, (machine.latest - covered).total_seconds())
