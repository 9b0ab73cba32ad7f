"""What Prometheus reads; deploy/ has the dashboard and the alerts made of it."""

import math
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LATENCY_S = (0.002, 0.005, 0.01, 0.02, 0.03, 0.045, 0.06, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
_SHARE = tuple(step / 20 for step in range(1, 21))
_DRIFT_MEMORY = 0.98
"""Weight of what was before in the moving mean of drift: about the last 50 windows count."""


class Metrics:
    """All metrics of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "hydrascope_requests",
            "HTTP requests by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self.latency = Histogram(
            "hydrascope_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_LATENCY_S,
            registry=registry,
        )
        self.stage = Histogram(
            "hydrascope_stage_seconds",
            "Time of a diagnosis by stage: queue, features, network.",
            ["stage"],
            buckets=_LATENCY_S,
            registry=registry,
        )
        for stage in ("queue", "features", "network"):
            self.stage.labels(stage)  # or the first request would wait for them
        self.batch_size = Histogram(
            "hydrascope_batch_size",
            "Windows answered together.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=registry,
        )
        self.batch_failures = Counter(
            "hydrascope_failed_windows", "Windows that the engine failed on.", registry=registry
        )
        self.batch_seconds = Histogram(
            "hydrascope_batch_seconds",
            "Time of a batch in the engine.",
            buckets=_LATENCY_S,
            registry=registry,
        )
        self.queue_depth = Gauge(
            "hydrascope_queue_depth", "Requests that wait for the engine.", registry=registry
        )
        self.queue_limit = Gauge(
            "hydrascope_queue_limit", "Requests that may wait.", registry=registry
        )
        self.device_memory = Gauge(
            "hydrascope_device_memory_bytes",
            "Memory of the GPU that the service holds; 0 on a CPU.",
            registry=registry,
        )
        self.breaker = Gauge(
            "hydrascope_breaker_open", "0 closed, 0.5 half open, 1 open.", registry=registry
        )
        self.cache = Counter(
            "hydrascope_cache", "Looks into the cache by outcome.", ["outcome"], registry=registry
        )
        self.store_failures = Counter(
            "hydrascope_store_failures",
            "Failures of what stands beside the service: database, cache.",
            ["what"],
            registry=registry,
        )
        self.drift = Gauge(
            "hydrascope_input_drift",
            "Moving mean of |z| of a sensor's features under the training's statistics.",
            ["sensor"],
            registry=registry,
        )
        self.score = Histogram(
            "hydrascope_score",
            "Probability of the outcome that was chosen.",
            ["head", "outcome"],
            buckets=_SHARE,
            registry=registry,
        )
        self.value = Gauge(
            "hydrascope_value", "Last value of a regression head.", ["head"], registry=registry
        )
        self.model = Gauge(
            "hydrascope_model", "1 for the model that answers.", ["version"], registry=registry
        )
        self._drift: dict[str, float] = {}

    def batch(self, size: int, failures: int, seconds: float) -> None:
        """Count a batch."""
        self.batch_size.observe(size)
        self.batch_failures.inc(failures)
        self.batch_seconds.observe(seconds)

    def drifted(self, sensors: Iterable[tuple[str, float]]) -> None:
        """Move the means of drift towards those of one window, by sensor."""
        for sensor, now in sensors:
            if math.isfinite(now):
                before = self._drift.get(sensor, now)
                self._drift[sensor] = _DRIFT_MEMORY * before + (1 - _DRIFT_MEMORY) * now

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        for sensor, mean in self._drift.items():
            self.drift.labels(sensor).set(mean)
        return generate_latest(self.registry)
