"""Training by Lightning: module, callbacks, trainer; returns the best checkpoint."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import numpy as np
import torch
from lightning import Callback, Trainer
from lightning.fabric.utilities.throughput import get_available_flops
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import Profiler, PyTorchProfiler, SimpleProfiler
from lightning.pytorch.utilities.exceptions import SIGTERMException
from rich.console import Console
from rich.table import Table

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.processes import is_first_process
from hydrascope.experiment.run_settings import CallbackSettings, HardwareSettings, TrainerSettings
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.models.summary import forward_flops, parts
from hydrascope.tracking.mlflow_run import MLflowRun
from hydrascope.training.acceleration import Acceleration, accelerate
from hydrascope.training.checkpoint_files import KeptCheckpoint, WholeCheckpoints, copy_whole
from hydrascope.training.interruption import EndOnSigterm, within_memory
from hydrascope.training.module import DiagnosisModule
from hydrascope.training.progress import Progress
from hydrascope.training.watch import Watch

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes after Ctrl-C and SIGTERM, as shells have them."""
BEST, LAST = "best.ckpt", "last.ckpt"
"""Among a run's checkpoints."""
_SHOWN_WINDOWS = 4
"""In the shapes of the network's summary."""
_GPU_STEPS = 50
"""After which a GPU is waited for, to look at the gradients' norms."""


class Training(NamedTuple):
    """How long one run of Lightning's trainer is, and what accompanies it."""

    epochs: int
    callbacks: list[Callback]
    loggers: list[Logger]
    resume: str | None = None
    validate: bool = True


@dataclass(frozen=True)
class LightningRun:
    """On what, where and how a network is trained.

    Attributes:
        data: Set up.
        trainer: Of the configuration.
        hardware: Of the configuration.
        ema_decay: Of the average of the weights; None: there is none.
        run_dir: What is written goes below it.
        console: To print to.
    """

    data: HydraulicDataModule
    trainer: TrainerSettings
    hardware: HardwareSettings
    ema_decay: float | None
    run_dir: Path
    console: Console

    @property
    def checkpoints(self) -> Path:
        """Folder of the run's checkpoints."""
        return self.run_dir / "checkpoints"

    def train(self, module: DiagnosisModule, training: Training) -> None:
        """Train a module's diagnoser, on the devices and in the precision that are set.

        Raises:
            SpecError: There is not enough memory, or a batch spoils the weights.
            SystemExit: It was interrupted; the console says how to go on.
        """
        model, hardware, settings = module.diagnoser.model, self.hardware, self.trainer
        toggles = Acceleration(
            hardware.float8,
            hardware.checkpointing,
            hardware.compile,
            hardware.precision,
            settings.strategy,
            hardware.devices * settings.num_nodes,
        )
        # A backward pass takes two products for each of the forward one.
        few = _few(self.data, module.diagnoser)
        flops = 3 * forward_flops(model, few) / _SHOWN_WINDOWS
        trainer = Trainer(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            num_nodes=settings.num_nodes,
            **accelerate(model, toggles),
            max_epochs=training.epochs,
            gradient_clip_val=settings.gradient_clip_norm,
            limit_train_batches=settings.limit_train_batches,
            limit_val_batches=None if training.validate else 0,
            detect_anomaly=settings.detect_anomaly,
            profiler=self._profiler(),
            deterministic=True,
            use_distributed_sampler=False,  # ours deals its rows out itself
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            logger=training.loggers,
            callbacks=[*training.callbacks, *self._watching(flops)],
            plugins=WholeCheckpoints(),
            enable_progress_bar=settings.progress_bar,
            enable_model_summary=False,
        )
        try:
            with within_memory(self.data.loader.batch_size):
                trainer.fit(module, self.data, ckpt_path=training.resume, weights_only=True)
        except SystemExit as exit_:
            # Lightning turns Ctrl-C and SIGTERM into an exit once it has shut everything down.
            again = f"resume={quote(str(self.checkpoints / LAST))} and the same options"
            self.console.print(f"Interrupted. Go on with {again}", soft_wrap=True)
            sys.exit(TERMINATED if isinstance(exit_, SIGTERMException) else INTERRUPTED)

    def _watching(self, flops: float) -> Iterator[Callback]:
        """Yield what every training is watched and averaged by; `flops` are those of a window."""
        every = _GPU_STEPS if self.hardware.accelerator == "gpu" else 1
        yield Watch(every, flops, _peak_flops(self.hardware))
        if self.ema_decay:
            yield EMAWeightAveraging(decay=self.ema_decay, use_buffers=False)
        if self.trainer.progress_bar:
            yield Progress()

    def _profiler(self) -> Profiler | None:
        """Return what measures where the time goes, and writes it into the run's folder."""
        match self.trainer.profiler:
            case "simple":
                return SimpleProfiler(self.run_dir, "profile")
            case "pytorch":
                return PyTorchProfiler(self.run_dir, "profile")
        return None


def fit(
    run: LightningRun,
    module: DiagnosisModule,
    name: str,
    settings: CallbackSettings,
    resume: str | None,
    loggers: list[Logger],
    system_metrics_s: float | None,
) -> str:
    """Train and return the path of the best checkpoint.

    Args:
        run: On what, where and how.
        module: What is trained.
        name: Of the model.
        settings: What decides which checkpoint is the best, and when to stop.
        resume: Checkpoint to go on from; None: the training begins.
        loggers: What is told of it.
        system_metrics_s: Seconds between two readings of the computer; None: there are none.

    Raises:
        SpecError: There is not enough memory, or a batch spoils the weights.
    """
    run.console.print(_summary(name, module.diagnoser, _few(run.data, module.diagnoser)))
    folder = run.checkpoints
    # Without heads there is no score: the last epoch stays, and the validation windows, which set
    # the threshold of normality, decide nothing.
    scored = bool(module.task.heads)
    monitor, mode = (settings.monitor, settings.mode) if scored else ("step", "max")
    before = Path(resume).absolute().parent if resume else None
    best = KeptCheckpoint(folder, before=before, filename="best", monitor=monitor, mode=mode)
    last = KeptCheckpoint(folder, before=before, filename="last")
    callbacks: list[Callback] = [best, last, EndOnSigterm(folder / LAST)]
    runs = [logger for logger in loggers if isinstance(logger, MLflowRun)]
    if runs and system_metrics_s:
        from hydrascope.tracking.system_metrics import SystemMetrics  # imports MLflow

        callbacks += [SystemMetrics(each, system_metrics_s) for each in runs]
    if steps := settings.checkpoint_every_n_steps:
        callbacks.append(
            KeptCheckpoint(folder, before=before, filename="last", every_n_train_steps=steps)
        )
    if scored and (stopping := settings.early_stopping):
        callbacks.append(EarlyStopping(monitor, patience=stopping.patience, mode=mode))
    if before and before != folder and is_first_process() and (before / BEST).is_file():
        copy_whole(before / BEST, folder)
    run.train(module, Training(run.trainer.max_epochs, callbacks, loggers, resume))
    return best.best_model_path


def _peak_flops(hardware: HardwareSettings) -> float | None:
    """Return what one GPU can compute in a second in this precision, as its maker says."""
    if hardware.accelerator != "gpu" or hardware.float8:
        return None
    dtypes = {
        "32-true": torch.float32,
        "bf16-mixed": torch.bfloat16,
        "64-true": torch.float64,
    }
    return get_available_flops(torch.device("cuda"), dtypes[hardware.precision])


def _few(data: HydraulicDataModule, diagnoser: Diagnoser) -> GraphInputs:
    rows = np.resize(data.split.train, _SHOWN_WINDOWS).tolist()
    return diagnoser.normalise(data.dataset.gather(rows).inputs)


def _summary(name: str, diagnoser: Diagnoser, inputs: GraphInputs) -> Table:
    """Return the network's parts as a table, with shapes for a few windows."""
    found = parts(diagnoser.model, inputs)
    count = sum(part.parameters for part in found)
    title = f"{name}: {count:,} parameters; shapes for {_SHOWN_WINDOWS} windows"
    table = Table(title=title, title_justify="left")
    for column in ("part", "class", "parameters", "output"):
        table.add_column(column, justify="right" if column == "parameters" else "left")
    for part in found:
        shapes = ", ".join("×".join(map(str, shape)) for shape in part.output)
        table.add_row(part.name, part.kind, f"{part.parameters:,}", shapes)
    return table
