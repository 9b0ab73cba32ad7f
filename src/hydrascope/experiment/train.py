"""The training job: data → network → fit → test, with baselines on the same split beside it."""

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger
from rich.console import Console

from hydrascope import __version__
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.baselines import BASELINES, baseline_predictions
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import comparison_table, head_metrics, write_json
from hydrascope.experiment.assemble import build_datamodule, build_diagnoser, optimizer_factory
from hydrascope.experiment.hardware import prepare_hardware
from hydrascope.experiment.resume import check_resumable
from hydrascope.experiment.settings import TrainSettings
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.tracking.loggers import flatten, mlflow_logger, wandb_logger
from hydrascope.training.checkpoint import read_checkpoint
from hydrascope.training.module import DiagnosisModule
from hydrascope.training.schedule import WarmupCosine

NETWORK = "network"
"""Column of the network in the closing table."""


def run(settings: TrainSettings) -> None:
    """Train, test and report; everything is written into `settings.run_dir`."""
    console = Console()
    run_dir = Path(settings.run_dir).absolute()
    prepare_hardware(settings.hardware)
    if settings.resume:
        check_resumable(settings, read_checkpoint(settings.resume))
    quieten_lightning()
    _print_config(console, settings)

    with console.status("Reading telemetry, computing features …"):
        data = build_datamodule(settings.data, settings.features, settings.task, settings.seed)
        data.setup()
    parts = ", ".join(f"{len(rows)} {part}" for part, rows in data.split._asdict().items())
    console.print(f"{len(data.dataset)} windows of {len(data.machines)} machine(s): {parts}")

    lightning.seed_everything(settings.seed, verbose=False)
    diagnoser = build_diagnoser(settings, data.input_spec)
    diagnoser.normalizer.fit(data.training_parts())
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
    loggers = _loggers(settings, run_dir)
    for logger in loggers:
        logger.log_hyperparams(flatten(settings.model_dump(mode="json", by_alias=True)))
    best = ModelCheckpoint(
        run_dir / "checkpoints",
        filename="best",
        monitor=settings.callbacks.monitor,
        mode="max",
        enable_version_counter=False,
    )
    trainer = Trainer(
        accelerator=settings.hardware.accelerator,
        devices=settings.hardware.devices,
        precision=settings.hardware.precision,
        max_epochs=settings.trainer.max_epochs,
        gradient_clip_val=settings.trainer.gradient_clip_norm,
        limit_train_batches=settings.trainer.limit_train_batches,
        deterministic=True,
        num_sanity_val_steps=0,
        logger=loggers,
        callbacks=[best, *_callbacks(settings, run_dir)],
        enable_progress_bar=settings.trainer.progress_bar,
        enable_model_summary=False,
        default_root_dir=run_dir,
    )
    trainer.fit(module, data, ckpt_path=settings.resume, weights_only=True)
    if trainer.interrupted:
        last = run_dir / "checkpoints" / "last.ckpt"
        console.print(f"Stopped. Go on with: python train.py resume={last} (and the same options)")
        return

    checkpoint = read_checkpoint(best.best_model_path)
    diagnoser.load_state_dict(checkpoint.weights)
    results = {NETWORK: test_metrics(diagnoser, data)}
    if settings.baselines:
        with console.status("Fitting the baselines …"):
            results |= _baselines(settings, data, diagnoser)
    for logger in loggers:
        logger.log_metrics(
            {
                f"test/{head}_{name}": value
                for head, metrics in results[NETWORK].items()
                for name, value in metrics.items()
            }
        )
        logger.finalize("success")
    write_json(run_dir / "results.json", {"test": results, "best_epoch": checkpoint.epoch})
    title = f"Test set: {len(data.split.test)} windows, {settings.data.split.name}"
    console.print(comparison_table(title, settings.task.heads, results))
    console.print(f"Run: {run_dir}")


def quieten_lightning() -> None:
    """Leave out what Lightning says of devices and of loader processes a packed set needs not."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")


def test_metrics(diagnoser: Diagnoser, data: HydraulicDataModule) -> dict[str, dict[str, float]]:
    """Return the metrics of each head on the test windows."""
    return head_metrics(diagnoser.heads, predict(diagnoser, data.test_dataloader()))


def _baselines(
    settings: TrainSettings, data: HydraulicDataModule, diagnoser: Diagnoser
) -> dict[str, dict[str, dict[str, float]]]:
    heads = settings.task.heads
    results = {}
    for name in BASELINES:
        predictions = baseline_predictions(
            name, data.dataset.machines, data.split, heads, diagnoser.normalizer, settings.seed
        )
        known = [head for head in heads if head.name in predictions]
        results[name] = head_metrics(known, predictions)
    return results


def _loggers(settings: TrainSettings, run_dir: Path) -> list[Logger]:
    tags = {"task": settings.task.name, "version": __version__}
    loggers: list[Logger] = [CSVLogger(run_dir, name="", version="")]
    if mlflow := settings.tracking.mlflow:
        loggers.append(mlflow_logger(mlflow.uri, mlflow.experiment, run_dir, tags))
    if wandb := settings.tracking.wandb:
        loggers.append(wandb_logger(wandb.project, wandb.mode, run_dir, tags))
    return loggers


def _callbacks(settings: TrainSettings, run_dir: Path) -> list[Callback]:
    callbacks: list[Callback] = [
        ModelCheckpoint(run_dir / "checkpoints", filename="last", enable_version_counter=False)
    ]
    if stopping := settings.callbacks.early_stopping:
        monitor = settings.callbacks.monitor
        callbacks.append(EarlyStopping(monitor, patience=stopping.patience, mode="max"))
    if settings.trainer.progress_bar:
        callbacks.append(RichProgressBar(leave=False))
    return callbacks


def _record(settings: TrainSettings, data: HydraulicDataModule) -> dict[str, Any]:
    return {
        "version": __version__,
        "settings": settings.model_dump(mode="json", by_alias=True),
        "input_spec": data.input_spec.model_dump(mode="json"),
        "data_fingerprint": data.source.fingerprint,
    }


def _print_config(console: Console, settings: TrainSettings) -> None:
    from rich.syntax import Syntax
    from yaml import safe_dump

    text = safe_dump(settings.model_dump(mode="json", by_alias=True), sort_keys=False)
    console.print(Syntax(text, "yaml", background_color="default"))
