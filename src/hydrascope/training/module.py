"""The Lightning module: steps, losses, validation score, optimiser."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.models.decode import decode
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.task import HeadSpec, TaskSpec
from hydrascope.tasks.balancing import Balancing, LossBalance, backward_apart
from hydrascope.tasks.losses import forecast_loss, means, task_losses
from hydrascope.tasks.metrics import HeadMetrics, task_score
from hydrascope.training.acceleration import shard
from hydrascope.training.schedule import WarmupCosine

FORECAST = "forecast"
"""The name of the loss that does not belong to a head."""

MakeOptimizer = Callable[[Iterable[dict[str, Any]]], Optimizer]


class LossPlan(NamedTuple):
    """How the losses of a training are computed and combined."""

    balancing: Balancing
    """The method that combines the heads' losses."""
    forecast_weight: float
    """The weight of the next-step forecast."""
    label_smoothing: float
    """The label smoothing of multi-class heads."""
    class_weights: Mapping[str, Tensor]
    """The class weights of heads that balance their classes, by name."""


class DiagnosisModule(LightningModule):
    """Trains a `TensorDiagnoser` on a task.

    Args:
        diagnoser: The diagnoser, with fitted normalisers.
        task: The task with its heads and their weights.
        losses: How the losses are computed and combined.
        make_optimizer: A function from parameter groups to the optimiser; there is weight decay for
            weights, but not for biases and gains.
        schedule: The schedule of the learning rate.
        seed: The seed. Dropout depends only on (seed, rank, step), so a resumed run repeats it.
        record: The plain data needed to rebuild the diagnoser, stored in every checkpoint.
    """

    def __init__(
        self,
        diagnoser: TensorDiagnoser,
        task: TaskSpec,
        *,
        losses: LossPlan,
        make_optimizer: MakeOptimizer,
        schedule: WarmupCosine,
        seed: int,
        record: dict[str, Any],
    ) -> None:
        super().__init__()
        self.diagnoser, self.task, self.record = diagnoser, task, record
        self.plan, self.balance = losses, LossBalance(task.heads, losses.balancing)
        self.make_optimizer, self.schedule, self.seed = make_optimizer, schedule, seed
        self._sharded = False
        # A list, because a head may have the name of a method of ModuleDict ("pop", "values", …).
        self.val_metrics = nn.ModuleList(HeadMetrics(head) for head in task.heads)

    def losses(self, batch: TrainingBatch) -> tuple[dict[str, Tensor], Tensor, dict[str, Tensor]]:
        """Return each loss by name, the terms of the total [K], and the heads' raw outputs."""
        output = self.diagnoser.raw(batch.inputs)
        plan = self.plan
        masked = task_losses(
            self.task.heads, output.heads, batch.targets, plan.label_smoothing, plan.class_weights
        )
        if output.arma is not None:
            masked[FORECAST] = forecast_loss(output.arma)
        weights = [plan.forecast_weight] * (len(masked) - len(self.task.heads))
        each, counted = means(list(masked.values()))
        heads = len(self.task.heads)
        balanced: Tensor = self.balance(each[:heads], counted[:heads])
        terms = torch.cat((balanced, each[heads:] * each.new_tensor(weights)))
        return dict(zip(masked, each.unbind(), strict=True)), terms, output.heads

    def on_train_batch_start(self, _batch: TrainingBatch, _batch_idx: int) -> None:
        """Seed the dropout of this step."""
        torch.manual_seed(hash((self.seed, self.global_rank, self.global_step)))

    def training_step(self, batch: TrainingBatch, _batch_idx: int) -> Tensor:
        """Return the total loss of a batch and log all losses."""
        losses, terms, _ = self.losses(batch)
        if self.balance.apart:
            self._terms = terms
        named = {"loss": terms.sum(), **{f"loss_{name}": loss for name, loss in losses.items()}}
        self._log_means({f"train/{name}": loss for name, loss in named.items()}, batch)
        return named["loss"]

    def backward(self, loss: Tensor) -> None:
        """Backpropagate the sum, or each loss separately if gradients are balanced."""
        if not self.balance.apart:
            loss.backward()  # type: ignore[no-untyped-call]
            return
        backward_apart(self._terms, [p for p in self.parameters() if p.requires_grad])
        del self._terms

    def validation_step(self, batch: TrainingBatch, _batch_idx: int) -> None:
        """Accumulate the loss and the metrics."""
        losses, terms, outputs = self.losses(batch)
        logged = {"val/loss": terms.sum()}
        heads = [head.weight * losses[head.name] for head in self.task.heads]
        logged["val/head_loss"] = torch.stack(heads).sum()
        self._log_means(logged, batch)
        for head, metric in self._val_metrics():
            metric.update(decode(head, outputs[head.name]), batch.targets[head.name])

    def _log_means(self, losses: dict[str, Tensor], batch: TrainingBatch) -> None:
        """Log the epoch's means over all processes, weighted by the windows of each step."""
        values = torch.stack([loss.detach() for loss in losses.values()])
        windows = torch.tensor(len(batch.window), device=values.device)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(values)
            dist.all_reduce(windows)
            values = values / dist.get_world_size()
        for name, value in zip(losses, values, strict=True):
            self.log(
                name,
                value,
                on_step=False,
                on_epoch=True,
                prog_bar=name.endswith("/loss"),
                batch_size=int(windows),
            )

    def on_validation_epoch_end(self) -> None:
        """Log each head's metrics and the weighted score."""
        metrics = {}
        for head, metric in self._val_metrics():
            metrics[head.name] = values = metric.compute()
            metric.reset()
            self.log_dict({f"val/{head.name}_{name}": value for name, value in values.items()})
        self.log("val/score", task_score(self.task.heads, metrics), prog_bar=True)

    def _val_metrics(self) -> Iterator[tuple[HeadSpec, HeadMetrics]]:
        for metric in self.val_metrics:
            assert isinstance(metric, HeadMetrics)
            yield metric.head, metric

    def configure_model(self) -> None:
        """Shard the weights if the strategy requires it, only once."""
        if self.device_mesh is None or self._sharded:
            return
        shard(self.diagnoser.model, [self.balance], self.device_mesh["data_parallel"])
        self._sharded = True

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimiser and its schedule over the planned number of steps."""
        parameters = [p for p in self.parameters() if p.requires_grad]
        optimizer = self.make_optimizer(
            [
                {"params": [p for p in parameters if p.ndim >= 2]},
                {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
            ]
        )
        steps = self._planned_steps()
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule.over(steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _planned_steps(self) -> int:
        """Return the number of steps over all epochs.

        `trainer.estimated_stepping_batches` is not used here. It would make Lightning set up its
        loaders before it restores a checkpoint, and lose their position within the epoch.
        """
        data: object = getattr(self.trainer, "datamodule", None)
        assert isinstance(data, HydraulicDataModule)
        steps, limit = len(data.train_dataloader()), self.trainer.limit_train_batches
        assert self.trainer.max_epochs is not None
        return self.trainer.max_epochs * (min(steps, limit) if isinstance(limit, int) else steps)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what is needed to rebuild the diagnoser beside the weights."""
        checkpoint["hydrascope"] = self.record
