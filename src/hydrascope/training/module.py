"""The Lightning side of a training: steps, losses, validation score, optimiser."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.healthy import HEALTHY
from hydrascope.models.decode import decode
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.schemas.task import HeadSpec, TaskSpec
from hydrascope.tasks.losses import forecast_loss, task_loss
from hydrascope.tasks.metrics import HeadMetrics, task_score
from hydrascope.tasks.normality import normality_loss
from hydrascope.training.schedule import WarmupCosine

MakeOptimizer = Callable[[Iterable[dict[str, Any]]], Optimizer]


class DiagnosisModule(LightningModule):
    """Trains a `Diagnoser` on a task.

    Args:
        diagnoser: Normaliser (fitted) and network.
        task: Heads and their weights.
        forecast_weight: Weight of the next-step forecast.
        label_smoothing: For multi-class heads.
        make_optimizer: Takes parameter groups; weights decay, biases and gains do not.
        schedule: Warm-up and cosine.
        seed: Dropout is a function of (seed, rank, step), so that a resumed run repeats it.
        record: Plain data stored with every checkpoint: all that is needed to build it again.
    """

    def __init__(
        self,
        diagnoser: Diagnoser,
        task: TaskSpec,
        *,
        forecast_weight: float,
        label_smoothing: float,
        make_optimizer: MakeOptimizer,
        schedule: WarmupCosine,
        seed: int,
        record: dict[str, Any],
    ) -> None:
        super().__init__()
        self.diagnoser, self.task, self.record = diagnoser, task, record
        self.forecast_weight, self.label_smoothing = forecast_weight, label_smoothing
        self.make_optimizer, self.schedule, self.seed = make_optimizer, schedule, seed
        # A list, because a head may be called like a method of ModuleDict ("pop", "values" …).
        self.val_metrics = nn.ModuleList(HeadMetrics(head) for head in task.heads)

    def loss(self, batch: TrainingBatch) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """Return the total loss, its parts by name, and the raw outputs of the heads."""
        output = self.diagnoser.raw(batch.inputs)
        total, parts = task_loss(self.task.heads, output.heads, batch.targets, self.label_smoothing)
        if output.arma is not None:
            parts["forecast"] = forecast_loss(output.arma)
            total = total + self.forecast_weight * parts["forecast"]
        if output.residual is not None and self.task.normality is not None:
            healthy = batch.targets[HEALTHY]
            parts["normality"] = normality_loss(output.residual, batch.inputs, healthy)
            total = total + self.task.normality.weight * parts["normality"]
        return total, parts, output.heads

    def on_train_batch_start(self, _batch: TrainingBatch, _batch_idx: int) -> None:
        """Seed dropout for this step."""
        torch.manual_seed(hash((self.seed, self.global_rank, self.global_step)))

    def training_step(self, batch: TrainingBatch, _batch_idx: int) -> Tensor:
        """One step."""
        total, parts, _ = self.loss(batch)
        size = len(batch.window)
        self.log("train/loss", total, on_step=False, on_epoch=True, prog_bar=True, batch_size=size)
        for name, part in parts.items():
            self.log(f"train/loss_{name}", part, on_step=False, on_epoch=True, batch_size=size)
        return total

    def validation_step(self, batch: TrainingBatch, _batch_idx: int) -> None:
        """Accumulate loss and metrics."""
        total, _, outputs = self.loss(batch)
        self.log("val/loss", total, prog_bar=True, batch_size=len(batch.window), sync_dist=True)
        for head, metric in self._val_metrics():
            metric.update(decode(head, outputs[head.name]), batch.targets[head.name])

    def on_validation_epoch_end(self) -> None:
        """Log each head's metrics and their weighted score."""
        metrics = {}
        for head, metric in self._val_metrics():
            metrics[head.name] = values = metric.compute()
            metric.reset()
            self.log_dict({f"val/{head.name}_{name}": value for name, value in values.items()})
        if metrics:
            self.log("val/score", task_score(self.task.heads, metrics), prog_bar=True)

    def _val_metrics(self) -> Iterator[tuple[HeadSpec, HeadMetrics]]:
        for metric in self.val_metrics:
            assert isinstance(metric, HeadMetrics)
            yield metric.head, metric

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build optimiser and schedule over the planned number of steps."""
        parameters = [p for p in self.diagnoser.parameters() if p.requires_grad]
        optimizer = self.make_optimizer(
            [
                {"params": [p for p in parameters if p.ndim >= 2]},
                {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
            ]
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule.over(steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store beside the weights what is needed to build the diagnoser again."""
        checkpoint["hydrascope"] = self.record
