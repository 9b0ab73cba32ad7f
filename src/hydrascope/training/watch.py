"""What is watched while a network trains: how fast it is, and that its numbers stay numbers."""

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
    """Logs graphs a second and the gradient's norm; stops where the norm is not a number.

    `train/graphs_per_s` counts the graphs of all processes from the beginning of an epoch's first
    step to the end of its last, loading between them included; `train/mfu` is the share of what
    the devices could compute in that time; `train/gradient_norm` is the mean over these steps,
    before clipping.

    Args:
        read_every: Steps between two looks at the norms, for which a GPU has to be waited for.
            With 1 a gradient that is no number changes nothing; else it is noticed before anything
            is validated or written.
        flops_per_graph: Of a training step, on the device.
        peak_flops: What a device can compute in a second; None where that is not known.
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
        """Remember the batch."""
        if not self._graphs:
            self._began = time.perf_counter()
        self._windows = batch.window
        self._graphs += len(batch.window)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, _optimizer: Optimizer
    ) -> None:
        """Measure the gradient before it is clipped and before it changes anything.

        Raises:
            SpecError: It is not finite; names the step and the batch's machines and windows.
        """
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        self._unread.append(_Step(trainer.global_step, self._windows, get_total_norm(gradients)))
        if len(self._unread) >= self._read_every:
            self._read(trainer)

    def on_train_batch_end(self, *_: object) -> None:
        """Take the time."""
        self._ended = time.perf_counter()

    def on_validation_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Look at the norms; raises as `on_before_optimizer_step`."""
        self._read(trainer)

    def on_save_checkpoint(
        self, trainer: Trainer, _module: LightningModule, _checkpoint: dict[str, object]
    ) -> None:
        """Look at the norms before anything is written; raises as `on_before_optimizer_step`."""
        self._read(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what has been measured; raises as `on_before_optimizer_step`."""
        self._read(trainer)
        if not self._norms:  # resumed behind the epoch's last step
            return
        a_second = self._graphs / (self._ended - self._began)
        pl_module.log("train/graphs_per_s", a_second * trainer.world_size)
        if self._peak:
            pl_module.log("train/mfu", a_second * self._flops / self._peak)
        pl_module.log("train/gradient_norm", fmean(self._norms))
        self._graphs = 0
        self._norms.clear()

    def _read(self, trainer: Trainer) -> None:
        """Take the norms from the device."""
        unread, self._unread = self._unread, []
        norms = [float(step.norm) for step in unread]
        if unread:  # the device has caught up
            self._ended = time.perf_counter()
        for step, norm in zip(unread, norms, strict=True):
            if not math.isfinite(norm):
                raise SpecError(self._identity(trainer, step, norm))
        self._norms += norms

    def _identity(self, trainer: Trainer, step: _Step, norm: float) -> str:
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
