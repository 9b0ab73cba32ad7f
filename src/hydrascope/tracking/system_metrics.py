"""What the computer does while it trains, as MLflow shows it beside a run."""

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
    """Tells a run of processors, memory, disk, network and GPUs, between two steps.

    MLflow's own thread would tell the fluent API, which a lost server makes fail; its readings go
    the way of all other metrics here.

    Args:
        run: Is told.
        every_s: Seconds between two readings.
    """

    def __init__(self, run: MLflowRun, every_s: float) -> None:
        self._run, self._every_s, self._next = run, every_s, 0.0
        self._monitors: list[BaseMetricsMonitor] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
        with suppress(ImportError, RuntimeError):  # no GPU here
            self._monitors.append(GPUMonitor())

    def on_train_batch_end(self, trainer: Trainer, _module: LightningModule, *_: object) -> None:
        """Read and tell, if it is time."""
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
