"""Monitoring of a training: its speed, and that gradients stay finite."""

import math
import time
from statistics import fmean
from typing import NamedTuple

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.schemas.errors import SpecError


class _Step(NamedTuple):
    number: int
    windows: Tensor
    norm: Tensor


class Watch(Callback):
    """Logs graphs per second and the gradient norm; stops if the norm is not finite.

    `train/graphs_per_s` counts the graphs of all processes, from the start of an epoch's first step
    to the end of its last, including data loading. `train/mfu` is the share of the devices' peak
    performance in that time. `train/gradient_norm` is the mean over these steps, before clipping.

    Args:
        read_every: The number of steps between two checks of the norms, which wait for the GPU.
            With 1, a gradient that is not finite changes nothing. Otherwise it is detected before
            anything is validated or written.
        flops_per_graph: The floating-point operations per graph in a training step on the device.
        peak_flops: The peak operations per second of a device; None if unknown.
    """

    def __init__(self, read_every: int, flops_per_graph: float, peak_flops: float | None) -> None:
        self._read_every, self._flops, self._peak = read_every, flops_per_graph, peak_flops
        self._windows = torch.empty(0)
        self._graphs, self._began, self._ended = 0, 0.0, 0.0
        self._unread: list[_Step] = []
        self._norms: list[float] = []

    def on_train_batch_start(
        self, _trainer: Trainer, _module: LightningModule, batch: TrainingBatch, _number: int
    ) -> None:
        """Record the batch."""
        if not self._graphs:
            self._began = time.perf_counter()
        self._windows = batch.window
        self._graphs += len(batch.window)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, _optimizer: Optimizer
    ) -> None:
        """Measure the gradient before it is clipped and before it changes anything.

        Raises:
            SpecError: The gradient is not finite. The message names the step and the batch's
                machines and windows.
        """
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        self._unread.append(_Step(trainer.global_step, self._windows, get_total_norm(gradients)))
        if len(self._unread) >= self._read_every:
            self._read(trainer)

    def on_train_batch_end(self, *_: object) -> None:
        """Record the time."""
        self._ended = time.perf_counter()

    def on_validation_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Check the norms; raises as `on_before_optimizer_step`."""
        self._read(trainer)

    def on_save_checkpoint(
        self, trainer: Trainer, _module: LightningModule, _checkpoint: dict[str, object]
    ) -> None:
        """Check the norms before anything is written; raises as `on_before_optimizer_step`."""
        self._read(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the measurements; raises as `on_before_optimizer_step`."""
        self._read(trainer)
        if not self._norms:  # resumed after the epoch's last step
            return
        per_second = self._graphs / (self._ended - self._began)
        pl_module.log("train/graphs_per_s", per_second * trainer.world_size)
        if self._peak:
            pl_module.log("train/mfu", per_second * self._flops / self._peak)
        pl_module.log("train/gradient_norm", fmean(self._norms))
        self._graphs = 0
        self._norms.clear()

    def _read(self, trainer: Trainer) -> None:
        """Read the norms from the device and check them."""
        unread, self._unread = self._unread, []
        norms = [float(step.norm) for step in unread]
        if unread:  # the device has finished
            self._ended = time.perf_counter()
        for step, norm in zip(unread, norms, strict=True):
            if not math.isfinite(norm):
                raise SpecError(self._message(trainer, step, norm))
        self._norms += norms

    def _message(self, trainer: Trainer, step: _Step, norm: float) -> str:
        data = getattr(trainer, "datamodule", None)
        assert isinstance(data, HydraulicDataModule)
        rows = data.table.iloc[step.windows.tolist()]
        windows = "; ".join(
            f"{machine}: windows {', '.join(map(str, sorted(part.index)))}"
            for machine, part in rows.groupby("equipment_id", sort=True)
        )
        return (
            f"train.py: the gradient is {norm} at step {step.number} (epoch "
            f"{trainer.current_epoch}), which would spoil every weight; the batch was {windows}. "
            "Look at their telemetry (python -m hydrascope check), or lower optim.lr"
        )
