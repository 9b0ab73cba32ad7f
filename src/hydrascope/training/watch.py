"""What is watched while a network trains: how fast it is, and that its numbers stay numbers."""

import math
import time
from statistics import fmean

from lightning import Callback, LightningModule, Trainer
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.schemas.errors import SpecError


class Watch(Callback):
    """Logs graphs a second and the gradient's norm; stops where the norm is not a number.

    `train/graphs_per_s` counts the graphs of all processes from the beginning of an epoch's first
    step to the end of its last, loading between them included; `train/gradient_norm` is the mean
    over these steps, before clipping.
    """

    def __init__(self) -> None:
        self._batch: TrainingBatch | None = None
        self._graphs, self._began, self._ended = 0, 0.0, 0.0
        self._norms: list[float] = []

    def on_train_batch_start(
        self,
        trainer: Trainer,  # noqa: ARG002
        pl_module: LightningModule,  # noqa: ARG002
        batch: TrainingBatch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Remember the batch."""
        if not self._graphs:
            self._began = time.perf_counter()
        self._batch = batch
        self._graphs += len(batch.window)

    def on_before_optimizer_step(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        optimizer: Optimizer,  # noqa: ARG002
    ) -> None:
        """Measure the gradient before it is clipped and before it changes anything.

        Raises:
            SpecError: It is not finite; names the step and the batch's machines and windows.
        """
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        norm = float(get_total_norm(gradients))
        if not math.isfinite(norm):
            raise SpecError(self._identity(trainer, norm))
        self._norms.append(norm)

    def on_train_batch_end(self, *_: object) -> None:
        """Take the time."""
        self._ended = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what has been measured."""
        if not self._norms:  # resumed behind the epoch's last step
            return
        graphs = self._graphs * trainer.world_size
        pl_module.log("train/graphs_per_s", graphs / (self._ended - self._began))
        pl_module.log("train/gradient_norm", fmean(self._norms))
        self._graphs = 0
        self._norms.clear()

    def _identity(self, trainer: Trainer, norm: float) -> str:
        data, batch = getattr(trainer, "datamodule", None), self._batch
        assert isinstance(data, HydraulicDataModule)
        assert batch is not None
        rows = data.table.iloc[batch.window.tolist()]
        windows = "; ".join(
            f"{machine}: windows {', '.join(map(str, sorted(part.index)))}"
            for machine, part in rows.groupby("equipment_id", sort=True)
        )
        return (
            f"train.py: the gradient is {norm} at step {trainer.global_step} (epoch "
            f"{trainer.current_epoch}), which would spoil every weight; the batch was {windows}. "
            "Look at their telemetry (python -m hydrascope check), or lower optim.lr"
        )
