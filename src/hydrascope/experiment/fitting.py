"""Training by Lightning: module, callbacks, trainer; returns the best checkpoint."""

import sys
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import Logger
from rich.console import Console

from hydrascope import __version__
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.assemble import optimizer_factory
from hydrascope.experiment.settings import TrainSettings
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.tasks.balancing import LossBalance
from hydrascope.tasks.losses import class_weights
from hydrascope.training.acceleration import Acceleration, accelerate
from hydrascope.training.module import DiagnosisModule
from hydrascope.training.schedule import WarmupCosine

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def fit(
    settings: TrainSettings,
    data: HydraulicDataModule,
    diagnoser: Diagnoser,
    loggers: list[Logger],
    console: Console,
) -> str:
    """Train and return the path of the best checkpoint."""
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
    callbacks: list[Callback] = [best, last]
    if steps := settings.callbacks.checkpoint_every_n_steps:
        callbacks.append(
            ModelCheckpoint(
                folder, filename="last", every_n_train_steps=steps, enable_version_counter=False
            )
        )
    if scored and (stopping := settings.callbacks.early_stopping):
        callbacks.append(EarlyStopping(monitor, patience=stopping.patience, mode=mode))
    if settings.trainer.progress_bar:
        callbacks.append(RichProgressBar())
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
        trainer.fit(module, data, ckpt_path=settings.resume, weights_only=True)
    except SystemExit:
        # Lightning turns Ctrl-C into an exit once it has shut everything down.
        hint = f"python train.py resume={folder / 'last.ckpt'}, with the same options"
        console.print(f"Interrupted. Go on with: {hint}", soft_wrap=True)
        sys.exit(INTERRUPTED)
    return best.best_model_path


def _record(settings: TrainSettings, data: HydraulicDataModule) -> dict[str, Any]:
    return {
        "version": __version__,
        "settings": settings.model_dump(mode="json", by_alias=True),
        "input_spec": data.input_spec.model_dump(mode="json"),
        "data_fingerprint": data.source.fingerprint,
    }
