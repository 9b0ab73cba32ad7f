"""Training with Lightning: the trainer and its callbacks."""

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
from hydrascope.experiment.run_folder import CHECKPOINTS
from hydrascope.experiment.run_settings import CallbackSettings, HardwareSettings, TrainerSettings
from hydrascope.experiment.start import INTERRUPTED
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.summary import forward_flops, parts
from hydrascope.tracking.mlflow_run import MLflowRun
from hydrascope.training.acceleration import Acceleration, accelerate
from hydrascope.training.checkpoint_files import KeptCheckpoint, WholeCheckpoints, copy_whole
from hydrascope.training.interruption import EndOnSigterm, within_memory
from hydrascope.training.module import DiagnosisModule
from hydrascope.training.progress import Progress
from hydrascope.training.watch import Watch

TERMINATED = 143
"""The exit code after SIGTERM, as in shells."""
BEST, LAST = "best.ckpt", "last.ckpt"
"""The file names of a run's best and last checkpoint."""
_SHOWN_WINDOWS = 4
"""The number of windows for which the network's summary shows shapes."""
_GPU_STEPS = 50
"""The number of steps between checks of the gradients' norms, which must wait for the GPU."""


class Training(NamedTuple):
    """The length, callbacks and loggers of one run of Lightning's trainer."""

    epochs: int
    callbacks: list[Callback]
    loggers: list[Logger]
    resume: str | None = None
    validate: bool = True


@dataclass(frozen=True)
class LightningRun:
    """The data, the settings and the folder of a training.

    Attributes:
        data: The data module, set up.
        trainer: The trainer's settings.
        hardware: The hardware's settings.
        ema_decay: Decay of the exponential average of the weights; None: no average.
        run_dir: Folder for everything that is written.
        console: Console to print to.
    """

    data: HydraulicDataModule
    trainer: TrainerSettings
    hardware: HardwareSettings
    ema_decay: float | None
    run_dir: Path
    console: Console

    @property
    def checkpoints(self) -> Path:
        """The folder of the run's checkpoints."""
        return self.run_dir / CHECKPOINTS

    def train(self, module: DiagnosisModule, training: Training) -> None:
        """Train a module's diagnoser on the configured devices, in the configured precision.

        Raises:
            SpecError: Memory ran out, or a batch made the weights non-finite.
            SystemExit: The training was interrupted; how to resume it is printed.
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
        # A backward pass takes two matrix products for each one of the forward pass.
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
            use_distributed_sampler=False,  # our sampler distributes its rows itself
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
            options = f"resume={quote(str(self.checkpoints / LAST))} and the same options"
            self.console.print(f"Interrupted. Continue with {options}", soft_wrap=True)
            sys.exit(TERMINATED if isinstance(exit_, SIGTERMException) else INTERRUPTED)

    def _watching(self, flops: float) -> Iterator[Callback]:
        """Yield the callbacks of every training; `flops` is the cost of one window."""
        every = _GPU_STEPS if self.hardware.accelerator == "gpu" else 1
        yield Watch(every, flops, _peak_flops(self.hardware))
        if self.ema_decay:
            yield EMAWeightAveraging(decay=self.ema_decay, use_buffers=False)
        if self.trainer.progress_bar:
            yield Progress()

    def _profiler(self) -> Profiler | None:
        """Return the profiler, which writes into the run's folder; None if not configured."""
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
        run: The data, the settings and the folder.
        module: The module to train.
        name: Name of the model.
        settings: Settings of the best checkpoint and of early stopping.
        resume: Checkpoint to resume from; None: start from the beginning.
        loggers: Loggers of the metrics.
        system_metrics_s: Seconds between readings of the system metrics; None: no readings.

    Raises:
        SpecError: Memory ran out, or a batch made the weights non-finite.
    """
    run.console.print(_summary(name, module.diagnoser, _few(run.data, module.diagnoser)))
    folder = run.checkpoints
    monitor, mode = settings.monitor, settings.mode
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
    if stopping := settings.early_stopping:
        callbacks.append(EarlyStopping(monitor, patience=stopping.patience, mode=mode))
    if before and before != folder and is_first_process() and (before / BEST).is_file():
        copy_whole(before / BEST, folder)
    run.train(module, Training(run.trainer.max_epochs, callbacks, loggers, resume))
    return best.best_model_path


def _peak_flops(hardware: HardwareSettings) -> float | None:
    """Return the peak FLOP/s of one GPU in this precision, from its data sheet; None if unknown."""
    if hardware.accelerator != "gpu" or hardware.float8:
        return None
    dtypes = {
        "32-true": torch.float32,
        "bf16-mixed": torch.bfloat16,
        "64-true": torch.float64,
    }
    return get_available_flops(torch.device("cuda"), dtypes[hardware.precision])


def _few(data: HydraulicDataModule, diagnoser: TensorDiagnoser) -> GraphInputs:
    rows = np.resize(data.split.train, _SHOWN_WINDOWS).tolist()
    return diagnoser.normalise(data.dataset.gather(rows).inputs)


def _summary(name: str, diagnoser: TensorDiagnoser, inputs: GraphInputs) -> Table:
    """Return a table of the network's parts, with shapes for a few windows."""
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
