"""The Lightning side of a training: steps, losses, validation score, optimiser."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.distributed.fsdp import register_fsdp_forward_method
from torch.optim import Optimizer

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.healthy import HEALTHY
from hydrascope.models.decode import decode
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.schemas.task import HeadSpec, TaskSpec
from hydrascope.tasks.balancing import Balancing, LossBalance, backward_apart
from hydrascope.tasks.losses import forecast_loss, means, normality_loss, task_losses
from hydrascope.tasks.metrics import HeadMetrics, task_score
from hydrascope.training.acceleration import shard
from hydrascope.training.schedule import WarmupCosine

FORECAST, NORMALITY = "forecast", "normality"
"""Names of the losses that are no head's."""

MakeOptimizer = Callable[[Iterable[dict[str, Any]]], Optimizer]


class LossPlan(NamedTuple):
    """How the losses of a training are taken and joined."""

    balancing: Balancing
    """How one loss is made of the heads' losses."""
    forecast_weight: float
    """Of the next-step forecast."""
    label_smoothing: float
    """Of multi-class heads."""
    class_weights: Mapping[str, Tensor]
    """By head, of those that balance their classes."""


class DiagnosisModule(LightningModule):
    """Trains a `Diagnoser` on a task.

    Args:
        diagnoser: Normaliser (fitted) and network.
        task: Heads and their weights.
        losses: How they are taken.
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
        # A list, because a head may be called like a method of ModuleDict ("pop", "values" …).
        self.val_metrics = nn.ModuleList(HeadMetrics(head) for head in task.heads)

    def losses(self, batch: TrainingBatch) -> tuple[dict[str, Tensor], Tensor, dict[str, Tensor]]:
        """Return each loss by name, what each adds to the total [K], the heads' raw outputs."""
        output = self.diagnoser.raw(batch.inputs)
        plan = self.plan
        masked = task_losses(
            self.task.heads, output.heads, batch.targets, plan.label_smoothing, plan.class_weights
        )
        if output.arma is not None:
            masked[FORECAST] = forecast_loss(output.arma)
        weights = [plan.forecast_weight] * (len(masked) - len(self.task.heads))
        if output.residual is not None and self.task.normality is not None:
            healthy = batch.targets[HEALTHY]
            masked[NORMALITY] = normality_loss(output.residual, batch.inputs, healthy)
            weights.append(self.task.normality.weight)
        each, counted = means(list(masked.values()))
        heads = len(self.task.heads)
        balanced: Tensor = self.balance(each[:heads], counted[:heads])
        added = torch.cat((balanced, each[heads:] * each.new_tensor(weights)))
        return dict(zip(masked, each.unbind(), strict=True)), added, output.heads

    def on_train_batch_start(self, _batch: TrainingBatch, _batch_idx: int) -> None:
        """Seed dropout for this step."""
        torch.manual_seed(hash((self.seed, self.global_rank, self.global_step)))

    def training_step(self, batch: TrainingBatch, _batch_idx: int) -> Tensor:
        """One step."""
        losses, added, _ = self.losses(batch)
        if self.balance.apart:
            self._apart = added
        named = {"loss": added.sum(), **{f"loss_{name}": loss for name, loss in losses.items()}}
        self._log_means({f"train/{name}": loss for name, loss in named.items()}, batch)
        return named["loss"]

    def backward(self, loss: Tensor) -> None:
        """Backpropagate the sum, or each loss by itself where they are balanced by gradients."""
        if not self.balance.apart:
            loss.backward()  # type: ignore[no-untyped-call]
            return
        backward_apart(self._apart, [p for p in self.parameters() if p.requires_grad])
        del self._apart

    def validation_step(self, batch: TrainingBatch, _batch_idx: int) -> None:
        """Accumulate loss and metrics."""
        losses, added, outputs = self.losses(batch)
        found = {"val/loss": added.sum()}
        if self.task.heads:
            heads = [head.weight * losses[head.name] for head in self.task.heads]
            found["val/head_loss"] = torch.stack(heads).sum()
        self._log_means(found, batch)
        for head, metric in self._val_metrics():
            metric.update(decode(head, outputs[head.name]), batch.targets[head.name])

    def _log_means(self, losses: dict[str, Tensor], batch: TrainingBatch) -> None:
        """Log the epoch's means over all processes, each step weighted by its windows."""
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

    def configure_model(self) -> None:
        """Shard what learns, where the strategy asks for it; once."""
        if self.device_mesh is None or self._sharded:
            return
        others = [each for each in (self.diagnoser.normality, self.balance) if each is not None]
        shard(self.diagnoser.model, others, self.device_mesh["data_parallel"])
        if self.diagnoser.normality is not None:
            register_fsdp_forward_method(self.diagnoser.normality, "residual")
        self._sharded = True

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build optimiser and schedule over the planned number of steps."""
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
        """Return the steps of all epochs.

        Not from `trainer.estimated_stepping_batches`: asked for here it makes Lightning set up its
        loaders before it restores a checkpoint, and it forgets then where in the epoch they were.
        """
        data: object = getattr(self.trainer, "datamodule", None)
        assert isinstance(data, HydraulicDataModule)
        steps, limit = len(data.train_dataloader()), self.trainer.limit_train_batches
        assert self.trainer.max_epochs is not None
        return self.trainer.max_epochs * (min(steps, limit) if isinstance(limit, int) else steps)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store beside the weights what is needed to build the diagnoser again."""
        checkpoint["hydrascope"] = self.record
