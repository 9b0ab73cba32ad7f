"""System metrics of the training computer, which MLflow shows with the run."""

import time
from contextlib import suppress

from lightning import Callback, LightningModule, Trainer
from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

from hydrascope.tracking.mlflow_run import MLflowRun


class SystemMetrics(Callback):
    """Logs the use of processors, memory, disk, network and GPUs, between training steps.

    MLflow's own monitoring thread uses the fluent API, which fails when the server is lost. Here
    the readings of its monitors take the same path as all other metrics.

    Args:
        run: The run to log to.
        every_s: Seconds between readings.
    """

    def __init__(self, run: MLflowRun, every_s: float) -> None:
        self._run, self._every_s, self._next = run, every_s, 0.0
        self._monitors: list[BaseMetricsMonitor] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
        with suppress(ImportError, RuntimeError):  # no GPU
            self._monitors.append(GPUMonitor())

    def on_train_batch_end(self, trainer: Trainer, _module: LightningModule, *_: object) -> None:
        """Log a reading when the next one is due."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_s
        values: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()
            values |= monitor.aggregate_metrics()
            monitor.clear_metrics()
        named = {f"system/{name}": value for name, value in values.items()}
        self._run.log_metrics(named, trainer.global_step)
