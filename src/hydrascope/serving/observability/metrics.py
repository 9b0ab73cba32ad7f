"""Metrics for Prometheus; deploy/ has the dashboard and the alerts that read them."""

import math
from collections.abc import Callable, Iterable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LATENCY_S = (0.002, 0.005, 0.01, 0.02, 0.03, 0.045, 0.06, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
_DRIFT_DECAY = 0.98
"""Weight of the past in the moving mean of drift: about the last 50 windows count."""


class Metrics:
    """Holds all metrics of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        seconds = partial(histogram, buckets=_LATENCY_S)
        sizes = (1, 2, 4, 8, 16, 32, 64)

        self.requests = counter(
            "hydrascope_requests", "HTTP requests by route and status.", ["route", "status"]
        )
        self.latency = seconds(
            "hydrascope_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["route"],
        )
        self.stage = seconds(
            "hydrascope_stage_seconds",
            "Time of a diagnosis by stage: queue, features, network.",
            ["stage"],
        )
        for stage in ("queue", "features", "network"):
            self.stage.labels(stage)  # made now, not by the first request
        self.batch_size = histogram(
            "hydrascope_batch_size", "Windows answered together.", buckets=sizes
        )
        self.batch_failures = counter(
            "hydrascope_failed_windows", "Windows that the engine failed on."
        )
        self.batch_seconds = seconds("hydrascope_batch_seconds", "Time of a batch in the engine.")
        self.queue_depth = gauge("hydrascope_queue_depth", "Requests that wait for the engine.")
        self.queue_limit = gauge("hydrascope_queue_limit", "Requests that may wait.")
        self.device_memory = gauge(
            "hydrascope_device_memory_bytes",
            "Memory of the GPU that the service holds; 0 on a CPU.",
        )
        self.breaker = gauge("hydrascope_breaker_open", "0 closed, 0.5 half open, 1 open.")
        self.cache = counter("hydrascope_cache", "Looks into the cache by outcome.", ["outcome"])
        self.store_failures = counter(
            "hydrascope_store_failures",
            "Failures of what stands beside the service: database, cache.",
            ["what"],
        )
        self.model = gauge("hydrascope_model", "1 for the model that answers.", ["version"])
        self._declare_answers(counter, gauge, histogram)
        self._drift: dict[str, float] = {}

    def _declare_answers(
        self,
        counter: Callable[..., Counter],
        gauge: Callable[..., Gauge],
        histogram: Callable[..., Histogram],
    ) -> None:
        """Declare the metrics of what was asked and answered."""
        self.drift = gauge(
            "hydrascope_input_drift",
            "Moving mean of |z| of a sensor's features under the training's statistics.",
            ["sensor"],
        )
        self.score = histogram(
            "hydrascope_score",
            "Probability of the outcome that was chosen.",
            ["head", "outcome"],
            buckets=tuple(step / 20 for step in range(1, 21)),
        )
        self.unreliable = counter(
            "hydrascope_unreliable_answers", "Answers that are not reliable.", ["head"]
        )
        self.unusable = counter(
            "hydrascope_unusable_sensors",
            "Sensors that an answer did without, by state: missing, stuck, doubtful.",
            ["state"],
        )
        self.value = gauge("hydrascope_value", "Last value of a regression head.", ["head"])

    def observe_batch(self, size: int, failures: int, seconds: float) -> None:
        """Observe a batch."""
        self.batch_size.observe(size)
        self.batch_failures.inc(failures)
        self.batch_seconds.observe(seconds)

    def observe_stages(self, queue_s: float, features_s: float, network_s: float) -> None:
        """Observe the times of a diagnosis by stage."""
        self.stage.labels("queue").observe(queue_s)
        self.stage.labels("features").observe(features_s)
        self.stage.labels("network").observe(network_s)

    def observe_drift(self, sensors: Iterable[tuple[str, float]]) -> None:
        """Update the moving mean of each sensor's drift with one window's value."""
        for sensor, now in sensors:
            if math.isfinite(now):
                before = self._drift.get(sensor, now)
                self._drift[sensor] = _DRIFT_DECAY * before + (1 - _DRIFT_DECAY) * now

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        for sensor, mean in self._drift.items():
            self.drift.labels(sensor).set(mean)
        return generate_latest(self.registry)
