"""Training by Lightning: module, callbacks, trainer; returns the best checkpoint."""

import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

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

from hydrascope import __version__
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.assemble import optimizer_factory
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.processes import is_first_process
from hydrascope.experiment.run_settings import HardwareSettings
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.models.summary import forward_flops, parts
from hydrascope.tasks.losses import class_weights
from hydrascope.tracking.mlflow_run import MLflowRun
from hydrascope.training.acceleration import Acceleration, accelerate
from hydrascope.training.checkpoint_files import KeptCheckpoint, WholeCheckpoints, copy_whole
from hydrascope.training.interruption import EndOnSigterm, within_memory
from hydrascope.training.module import DiagnosisModule, LossPlan
from hydrascope.training.progress import Progress
from hydrascope.training.schedule import WarmupCosine
from hydrascope.training.watch import Watch

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes after Ctrl-C and SIGTERM, as shells have them."""
BEST, LAST = "best.ckpt", "last.ckpt"
"""Among a run's checkpoints."""
_SHOWN_WINDOWS = 4
"""In the shapes of the network's summary."""
_GPU_STEPS = 50
"""After which a GPU is waited for, to look at the gradients' norms."""


def fit(
    settings: TrainSettings,
    data: HydraulicDataModule,
    diagnoser: Diagnoser,
    loggers: list[Logger],
    console: Console,
) -> str:
    """Train and return the path of the best checkpoint.

    Raises:
        SpecError: There is not enough memory, or a batch spoils the weights.
    """
    console.print(_summary(settings.model.name, diagnoser, _few(data, diagnoser)))
    folder = checkpoints(settings)
    # Without heads there is no score: the last epoch stays, and the validation windows, which set
    # the threshold of normality, decide nothing.
    scored = bool(settings.task.heads)
    monitor = settings.callbacks.monitor if scored else "step"
    mode = settings.callbacks.mode if scored else "max"
    before = Path(settings.resume).absolute().parent if settings.resume else None
    best = KeptCheckpoint(folder, before=before, filename="best", monitor=monitor, mode=mode)
    last = KeptCheckpoint(folder, before=before, filename="last")
    callbacks: list[Callback] = [best, last, EndOnSigterm(folder / LAST)]
    if settings.tracking.mlflow and (every_s := settings.tracking.system_metrics_s):
        from hydrascope.tracking.system_metrics import SystemMetrics  # imports MLflow

        runs = [logger for logger in loggers if isinstance(logger, MLflowRun)]
        callbacks += [SystemMetrics(run, every_s) for run in runs]
    if steps := settings.callbacks.checkpoint_every_n_steps:
        callbacks.append(
            KeptCheckpoint(folder, before=before, filename="last", every_n_train_steps=steps)
        )
    if scored and (stopping := settings.callbacks.early_stopping):
        callbacks.append(EarlyStopping(monitor, patience=stopping.patience, mode=mode))
    if before and before != folder and is_first_process() and (before / BEST).is_file():
        copy_whole(before / BEST, folder)
    training = Training(settings.trainer.max_epochs, callbacks, loggers, settings.resume)
    train_epochs(settings, data, diagnoser, training, console)
    return best.best_model_path


class Training(NamedTuple):
    """What one run of Lightning's trainer needs beside settings and data."""

    epochs: int
    callbacks: list[Callback]
    loggers: list[Logger]
    resume: str | None = None
    validate: bool = True


def checkpoints(settings: TrainSettings) -> Path:
    """Return the folder of a run's checkpoints."""
    return Path(settings.run_dir).absolute() / "checkpoints"


def train_epochs(
    settings: TrainSettings,
    data: HydraulicDataModule,
    diagnoser: Diagnoser,
    training: Training,
    console: Console,
) -> None:
    """Train the diagnoser, on the devices and in the precision that are set.

    Raises:
        SpecError: There is not enough memory, or a batch spoils the weights.
        SystemExit: It was interrupted; the console says how to go on.
    """
    hardware, last = settings.hardware, checkpoints(settings) / LAST
    module = build_module(settings, data, diagnoser)
    toggles = Acceleration(
        hardware.float8,
        hardware.checkpointing,
        hardware.compile,
        hardware.precision,
        settings.trainer.strategy,
        hardware.devices * settings.trainer.num_nodes,
    )
    # A backward pass takes two products for each of the forward one.
    flops = 3 * forward_flops(diagnoser.model, _few(data, diagnoser)) / _SHOWN_WINDOWS
    trainer = Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        num_nodes=settings.trainer.num_nodes,
        **accelerate(diagnoser.model, toggles),
        max_epochs=training.epochs,
        gradient_clip_val=settings.trainer.gradient_clip_norm,
        limit_train_batches=settings.trainer.limit_train_batches,
        limit_val_batches=None if training.validate else 0,
        detect_anomaly=settings.trainer.detect_anomaly,
        profiler=_profiler(settings),
        deterministic=True,
        use_distributed_sampler=False,  # ours deals its rows out itself
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        logger=training.loggers,
        callbacks=[*training.callbacks, *_watching(settings, flops)],
        plugins=WholeCheckpoints(),
        enable_progress_bar=settings.trainer.progress_bar,
        enable_model_summary=False,
    )
    try:
        with within_memory(settings.data.batch_size):
            trainer.fit(module, data, ckpt_path=training.resume, weights_only=True)
    except SystemExit as exit_:
        # Lightning turns Ctrl-C and SIGTERM into an exit once it has shut everything down.
        again = f"resume={quote(str(last))} and the same options"
        console.print(f"Interrupted. Go on with {again}", soft_wrap=True)
        sys.exit(TERMINATED if isinstance(exit_, SIGTERMException) else INTERRUPTED)


def _watching(settings: TrainSettings, flops: float) -> Iterator[Callback]:
    """Yield what every training is watched and averaged by; `flops` are those of one window."""
    hardware = settings.hardware
    every = _GPU_STEPS if hardware.accelerator == "gpu" else 1
    yield Watch(every, flops, _peak_flops(hardware))
    if decay := settings.optim.ema_decay:
        yield EMAWeightAveraging(decay=decay, use_buffers=False)
    if settings.trainer.progress_bar:
        yield Progress()


def build_module(
    settings: TrainSettings, data: HydraulicDataModule, diagnoser: Diagnoser
) -> DiagnosisModule:
    """Return what Lightning trains."""
    return DiagnosisModule(
        diagnoser,
        settings.task,
        losses=LossPlan(
            **settings.loss.model_dump(),
            class_weights={
                head.name: class_weights(head, data.training_targets(head.name))
                for head in settings.task.heads
                if head.class_weights
            },
        ),
        make_optimizer=optimizer_factory(settings),
        schedule=WarmupCosine(**settings.optim.schedule.model_dump()),
        seed=settings.seed,
        record=checkpoint_record(settings, data),
    )


def _profiler(settings: TrainSettings) -> Profiler | None:
    """Return what measures where the time goes, and writes it into the run's folder."""
    match settings.trainer.profiler:
        case "simple":
            return SimpleProfiler(settings.run_dir, "profile")
        case "pytorch":
            return PyTorchProfiler(settings.run_dir, "profile")
    return None


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


def checkpoint_record(settings: TrainSettings, data: HydraulicDataModule) -> dict[str, Any]:
    """Return what a checkpoint holds so that its diagnoser can be built again, as plain data."""
    return {
        "version": __version__,
        "settings": settings.model_dump(mode="json", by_alias=True),
        "input_spec": data.input_spec.model_dump(mode="json"),
        "data_fingerprint": data.source.fingerprint,
    }
