"""Training by Lightning: module, callbacks, trainer; returns the best checkpoint."""

import sys
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from rich.console import Console
from rich.table import Table

from hydrascope import __version__
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.assemble import optimizer_factory
from hydrascope.experiment.settings import TrainSettings
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.models.summary import parts
from hydrascope.tasks.balancing import LossBalance
from hydrascope.tasks.losses import class_weights
from hydrascope.training.acceleration import Acceleration, accelerate
from hydrascope.training.ending import EndOnSigterm, within_memory
from hydrascope.training.module import DiagnosisModule
from hydrascope.training.progress import Progress
from hydrascope.training.schedule import WarmupCosine
from hydrascope.training.watch import Watch

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes after Ctrl-C and SIGTERM, as shells have them."""
_SHOWN_WINDOWS = 4
"""In the shapes of the network's summary."""


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
    console.print(_summary(data, diagnoser))
    module = DiagnosisModule(
        diagnoser,
        settings.task,
        balance=LossBalance(settings.task.heads, settings.loss.balancing),
        forecast_weight=settings.loss.forecast_weight,
        label_smoothing=settings.loss.label_smoothing,
        class_weights={
            head.name: class_weights(head, data.training_targets(head.name))
            for head in settings.task.heads
            if head.class_weights
        },
        make_optimizer=optimizer_factory(settings),
        schedule=WarmupCosine(**settings.optim.schedule.model_dump()),
        seed=settings.seed,
        record=_record(settings, data),
    )
    hardware = settings.hardware
    toggles = Acceleration(
        hardware.float8,
        hardware.checkpointing,
        hardware.compile,
        hardware.precision,
        settings.trainer.strategy == "ddp",
    )
    options = accelerate(diagnoser.network, toggles)
    folder = Path(settings.run_dir).absolute() / "checkpoints"
    # Without heads there is no score: the last epoch stays, and the validation windows, which set
    # the threshold of normality, decide nothing.
    scored = bool(settings.task.heads)
    monitor = settings.callbacks.monitor if scored else "step"
    mode = settings.callbacks.mode if scored else "max"
    best = ModelCheckpoint(
        folder, filename="best", monitor=monitor, mode=mode, enable_version_counter=False
    )
    last = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    callbacks: list[Callback] = [best, last, Watch(), EndOnSigterm(folder / "last.ckpt")]
    if decay := settings.optim.ema_decay:
        callbacks.append(EMAWeightAveraging(decay=decay, use_buffers=False))
    if steps := settings.callbacks.checkpoint_every_n_steps:
        callbacks.append(
            ModelCheckpoint(
                folder, filename="last", every_n_train_steps=steps, enable_version_counter=False
            )
        )
    if scored and (stopping := settings.callbacks.early_stopping):
        callbacks.append(EarlyStopping(monitor, patience=stopping.patience, mode=mode))
    if settings.trainer.progress_bar:
        callbacks.append(Progress())
    trainer = Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        **options,
        max_epochs=settings.trainer.max_epochs,
        gradient_clip_val=settings.trainer.gradient_clip_norm,
        limit_train_batches=settings.trainer.limit_train_batches,
        deterministic=True,
        use_distributed_sampler=False,  # ours deals its rows out itself
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        logger=loggers,
        callbacks=callbacks,
        enable_progress_bar=settings.trainer.progress_bar,
        enable_model_summary=False,
    )
    try:
        with within_memory(settings.data.batch_size):
            trainer.fit(module, data, ckpt_path=settings.resume, weights_only=True)
    except SystemExit as ended:
        # Lightning turns Ctrl-C and SIGTERM into an exit once it has shut everything down.
        hint = f"python train.py resume={folder / 'last.ckpt'}, with the same options"
        console.print(f"Interrupted. Go on with: {hint}", soft_wrap=True)
        sys.exit(TERMINATED if isinstance(ended, SIGTERMException) else INTERRUPTED)
    return best.best_model_path


def _summary(data: HydraulicDataModule, diagnoser: Diagnoser) -> Table:
    """Return the network's parts as a table, with shapes for a few windows."""
    rows = data.split.train[:_SHOWN_WINDOWS].tolist()
    found = parts(diagnoser.network, diagnoser.normalise(data.dataset.gather(rows).inputs))
    title = f"{type(diagnoser.network).__name__}: {sum(part.parameters for part in found):,} "
    table = Table(title=f"{title}parameters; shapes for {len(rows)} windows", title_justify="left")
    for column in ("part", "class", "parameters", "output"):
        table.add_column(column, justify="right" if column == "parameters" else "left")
    for part in found:
        shapes = ", ".join("×".join(map(str, shape)) for shape in part.output)
        table.add_row(part.name, part.kind, f"{part.parameters:,}", shapes)
    return table


def _record(settings: TrainSettings, data: HydraulicDataModule) -> dict[str, Any]:
    return {
        "version": __version__,
        "settings": settings.model_dump(mode="json", by_alias=True),
        "input_spec": data.input_spec.model_dump(mode="json"),
        "data_fingerprint": data.source.fingerprint,
    }
