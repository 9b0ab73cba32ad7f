"""The training job: data → network → fit → test, with baselines on the same split beside it."""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import lightning
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger
from rich.console import Console
from rich.syntax import Syntax
from yaml import safe_dump

from hydrascope import __version__
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.baselines import BASELINES, baseline_predictions, check_comparable
from hydrascope.evaluation.detectors import DETECTORS, detector_scores
from hydrascope.evaluation.normality import (
    detection,
    detection_table,
    machine_scores,
    promise,
    score_table,
)
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import comparison_table, head_metrics, write_json
from hydrascope.experiment.assemble import build_datamodule, build_diagnoser, optimizer_factory
from hydrascope.experiment.hardware import prepare_hardware
from hydrascope.experiment.resume import check_resumable
from hydrascope.experiment.settings import TrainSettings
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.tracking.loggers import finish, flatten, mlflow_logger, wandb_logger
from hydrascope.training.checkpoint import read_checkpoint, replace_weights
from hydrascope.training.module import DiagnosisModule
from hydrascope.training.normality import calibrate, fit_features
from hydrascope.training.schedule import WarmupCosine

NETWORK = "network"
"""Column of the network in the closing table."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

Results = dict[str, dict[str, dict[str, float]]]


def run(settings: TrainSettings) -> None:
    """Train, test and report; everything is written into `settings.run_dir`."""
    console = Console()
    _quieten_libraries()
    run_dir = Path(settings.run_dir).absolute()
    prepare_hardware(settings.hardware)
    if settings.resume:
        check_resumable(settings, read_checkpoint(settings.resume))
    plain = settings.model_dump(mode="json", by_alias=True)
    console.print(Syntax(safe_dump(plain, sort_keys=False), "yaml", background_color="default"))

    data = build_datamodule(settings.data, settings.features, settings.task, settings.seed)
    data.setup()
    if settings.baselines:
        check_comparable(data.dataset.machines)
    parts = ", ".join(f"{len(rows)} {part}" for part, rows in data.split._asdict().items())
    console.print(f"{len(data.dataset)} windows of {len(data.machines)} machine(s): {parts}")

    lightning.seed_everything(settings.seed, verbose=False)
    diagnoser = build_diagnoser(settings, data.input_spec)
    diagnoser.normalizer.fit(data.training_parts())
    if diagnoser.machine_normalizer is not None:
        diagnoser.machine_normalizer.fit(data.training_machine_parts())
    if settings.task.normality:
        fit_features(diagnoser, data)
    loggers = _loggers(settings, run_dir)
    for logger in loggers:
        logger.log_hyperparams(flatten(plain))
    best = _fit(settings, data, diagnoser, loggers, console)

    checkpoint = read_checkpoint(best)
    diagnoser.load_state_dict(checkpoint.weights)
    if settings.task.normality:
        calibrate(diagnoser, data, settings.task.normality)
        replace_weights(best, diagnoser.state_dict())
    with console.status("Testing, fitting the baselines …"):
        results = _results(settings, data, diagnoser)
        detectors = _detectors(settings, data, diagnoser)
    for logger in loggers:
        logger.log_metrics(flatten({"test": results[NETWORK]}, separator="/"))
    finish(loggers)
    found: dict[str, Any] = {"test": results, "best_epoch": checkpoint.epoch}
    if detectors:
        found["normality"] = detectors
    write_json(run_dir / "results.json", found)
    title = f"Test: {len(data.split.test)} windows, {settings.data.split.name}"
    if settings.task.heads:
        console.print(comparison_table(title, settings.task.heads, results))
    if settings.task.normality and diagnoser.normality:
        console.print(detection_table(f"{title}; AUROC, share detected", detectors))
        console.print(promise(int(diagnoser.normality.held_out), settings.task.normality))
    console.print(f"Run: {run_dir}", soft_wrap=True)


def _fit(
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
        forecast_weight=settings.loss.forecast_weight,
        label_smoothing=settings.loss.label_smoothing,
        make_optimizer=optimizer_factory(settings),
        schedule=WarmupCosine(**settings.optim.schedule.model_dump()),
        seed=settings.seed,
        record=_record(settings, data),
    )
    folder = Path(settings.run_dir).absolute() / "checkpoints"
    # Without heads there is no score: the last epoch stays, and the validation windows, which set
    # the threshold of normality, decide nothing.
    monitor = settings.callbacks.monitor if settings.task.heads else None
    best = ModelCheckpoint(
        folder, filename="best", monitor=monitor, mode="max", enable_version_counter=False
    )
    last = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    callbacks: list[Callback] = [best, last]
    if steps := settings.callbacks.checkpoint_every_n_steps:
        callbacks.append(
            ModelCheckpoint(
                folder, filename="last", every_n_train_steps=steps, enable_version_counter=False
            )
        )
    if monitor and (stopping := settings.callbacks.early_stopping):
        callbacks.append(EarlyStopping(monitor, patience=stopping.patience, mode="max"))
    if settings.trainer.progress_bar:
        callbacks.append(RichProgressBar())
    trainer = Trainer(
        accelerator=settings.hardware.accelerator,
        devices=settings.hardware.devices,
        precision=settings.hardware.precision,
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


def _results(settings: TrainSettings, data: HydraulicDataModule, diagnoser: Diagnoser) -> Results:
    """Return each model's metrics of each head on the test windows."""
    heads = settings.task.heads
    results = {NETWORK: head_metrics(heads, predict(diagnoser, data.test_dataloader()))}
    for name in BASELINES if settings.baselines else ():
        predictions = baseline_predictions(
            name, data.dataset.machines, data.split, heads, diagnoser.normalizer, settings.seed
        )
        known = [head for head in heads if head.name in predictions]
        results[name] = head_metrics(known, predictions)
    return results


def _detectors(
    settings: TrainSettings, data: HydraulicDataModule, diagnoser: Diagnoser
) -> dict[str, dict[str, Any]]:
    """Return how well the network, and classical detectors, tell healthy test windows apart."""
    spec, normality = settings.task.normality, diagnoser.normality
    if spec is None or normality is None:
        return {}
    windows, scores = machine_scores(score_table(diagnoser, data, spec))
    found = {NETWORK: scores}
    for name in DETECTORS if settings.baselines else ():
        found[name] = detector_scores(
            name, data, diagnoser.normalizer, spec, windows, settings.seed
        )
    held_out = int(normality.held_out)
    return {name: detection(data, spec, windows, each, held_out) for name, each in found.items()}


def _loggers(settings: TrainSettings, run_dir: Path) -> list[Logger]:
    tags = {"task": settings.task.name, "version": __version__}
    loggers: list[Logger] = [CSVLogger(run_dir, name="", version="")]
    if mlflow := settings.tracking.mlflow:
        loggers.append(mlflow_logger(mlflow.uri, mlflow.experiment, run_dir, tags))
    if wandb := settings.tracking.wandb:
        loggers.append(wandb_logger(wandb.project, wandb.mode, run_dir, tags))
    return loggers


def _record(settings: TrainSettings, data: HydraulicDataModule) -> dict[str, Any]:
    return {
        "version": __version__,
        "settings": settings.model_dump(mode="json", by_alias=True),
        "input_spec": data.input_spec.model_dump(mode="json"),
        "data_fingerprint": data.source.fingerprint,
    }


def _quieten_libraries() -> None:
    """Leave out what libraries say of devices, databases and folders that are as they should be."""
    for name in ("lightning.pytorch", "lightning.fabric", "mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",  # a packed set needs no loader processes
        ".*LeafSpec.*is deprecated.*",  # Lightning's own use of torch
        ".*Experiment logs directory .* is not empty.*",  # Hydra has put its `.hydra` there
        ".*Checkpoint directory .* exists and is not empty.*",
    ):
        warnings.filterwarnings("ignore", message)
