"""One training: data → model → fit → test, with baselines on the same split beside it."""

import logging
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import torch.distributed as dist
from lightning.pytorch.loggers import CSVLogger, Logger
from rich.console import Console
from rich.syntax import Syntax
from yaml import safe_dump

from hydrascope import __version__
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.baselines import check_comparable
from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.detection import detection_table, promise
from hydrascope.evaluation.localisation import localisation, localisation_lines
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import comparison_table, labels_table, write_json
from hydrascope.experiment.assemble import (
    build_datamodule,
    load_checkpoint,
    model_kind,
    recipe_of,
)
from hydrascope.experiment.closed_form import fit_at_once
from hydrascope.experiment.fitting import fit
from hydrascope.experiment.gradients import refuse_gradients
from hydrascope.experiment.hardware import prepare_hardware
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.learning_rate import find_lr
from hydrascope.experiment.processes import is_first_process
from hydrascope.experiment.refit import check_refit, refit
from hydrascope.experiment.resume import check_resumable
from hydrascope.experiment.testing import complete, test, test_normality
from hydrascope.models.base import ClosedFormModel, Network
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.models.recipe import build_diagnoser
from hydrascope.schemas.whole_file import whole_file
from hydrascope.tracking.loggers import (
    flatten,
    mlflow_logger,
    runs_ended_with,
    store_files,
    wandb_logger,
)
from hydrascope.tracking.provenance import COMMIT, commit, write_provenance
from hydrascope.training.checkpoint import read_checkpoint
from hydrascope.training.fit_normality import fit_features
from hydrascope.training.inputs import fit_inputs

LABEL_COUNTS = "labels.csv"
"""File in a run's folder: how many windows of each part are labelled how."""
_SHOWN_LABELS = 40
"""Rows of that up to which it is printed too."""


def train(settings: TrainSettings) -> None:
    """Do the training, alone or as one of several processes; the first of them reports.

    Everything is written into `settings.run_dir`.
    """
    console = Console(quiet=not is_first_process())
    _quieten_libraries()
    run_dir = Path(settings.run_dir).absolute()
    prepare_hardware(settings.hardware, settings.trainer)
    if issubclass(model_kind(settings), ClosedFormModel):
        refuse_gradients(settings)  # of a user's own class only this process knows the kind
    check_refit(settings)
    if settings.resume:
        check_resumable(settings, read_checkpoint(settings.resume))
    plain = settings.model_dump(mode="json", by_alias=True)
    console.print(Syntax(safe_dump(plain, sort_keys=False), "yaml", background_color="default"))

    data = _ready(settings, run_dir, console)
    lightning.seed_everything(settings.seed, verbose=False)
    diagnoser = _with_statistics(settings, data)
    if settings.lr_find:
        find_lr(settings, data, diagnoser, console)
        return
    loggers = _loggers(settings, run_dir, console) if is_first_process() else []
    with runs_ended_with(loggers):
        found = {"data": data.source.fingerprint, "split": data.split.fingerprint}
        for logger in loggers:
            logger.log_hyperparams(flatten({**plain, "fingerprint": found}))
        if is_first_process():
            store_files(loggers, write_provenance(run_dir / "provenance", plain), "provenance")
        if isinstance(diagnoser.model, ClosedFormModel):
            best = fit_at_once(settings, data, diagnoser, console)
        else:
            best = fit(settings, data, diagnoser, loggers, console)
        # One that was resumed behind its last epoch has been calibrated before.
        chosen = replace(read_checkpoint(best), calibration=None)
        if is_first_process():
            # A fresh one: what was trained may be compiled, wrapped or in float8.
            fresh = load_checkpoint(settings, data.input_spec, chosen)
            complete(settings, data, fresh, best, console)
        fraction = settings.trainer.refit_fraction
        if (
            isinstance(diagnoser.model, Network)
            and not settings.trainer.overfit_windows
            and fraction
        ):
            best = refit(settings, data, fraction, best, console)
        if dist.is_initialized():
            dist.destroy_process_group()
        if is_first_process():
            _report(settings, data, best, chosen.epoch, loggers, console)


def _ready(settings: TrainSettings, run_dir: Path, console: Console) -> HydraulicDataModule:
    """Return the data, set up; what is wrong with them is said before telemetry is read."""
    data = build_datamodule(settings.data, settings.features, settings.task, settings.seed)
    data.plan()
    if is_first_process() and settings.task.heads and not settings.lr_find:
        run_dir.mkdir(parents=True, exist_ok=True)
        with whole_file(run_dir / LABEL_COUNTS) as part:
            data.label_counts.to_csv(part, index=False)
    if 0 < (table := labels_table(data.label_counts)).row_count <= _SHOWN_LABELS:
        console.print(table)
    _say_remarks(data, console)
    data.check()
    data.setup()
    if settings.trainer.overfit_windows:
        data.overfit(settings.trainer.overfit_windows)
    if settings.baselines:
        check_comparable(data.dataset.machines)
    parts = ", ".join(f"{len(rows)} {part}" for part, rows in data.split._asdict().items())
    if sound := int(data.reference.sum()):
        parts = f"{parts}, {sound} references"
    console.print(f"{len(data.dataset)} windows of {len(data.machines)} machine(s): {parts}")
    return data


def _with_statistics(settings: TrainSettings, data: HydraulicDataModule) -> Diagnoser:
    """Return a diagnoser that has all but its weights from the training windows."""
    diagnoser = build_diagnoser(recipe_of(settings, data.input_spec))
    diagnoser.normalizer.fit(data.training_parts(diagnoser.normalizer.row))
    if diagnoser.machine_normalizer is not None:
        diagnoser.machine_normalizer.fit(data.training_machine_parts())
    if isinstance(diagnoser.model, Network):
        fit_inputs(diagnoser, data)
    if settings.task.normality:
        fit_features(diagnoser, data)
    return diagnoser


def _report(
    settings: TrainSettings,
    data: HydraulicDataModule,
    best: str,
    epoch: int | None,
    loggers: list[Logger],
    console: Console,
) -> None:
    """Test, write and print what was found."""
    run_dir = Path(settings.run_dir).absolute()
    fresh = load_checkpoint(settings, data.input_spec, read_checkpoint(best))
    with console.status("Testing, fitting the baselines …"):
        tested = predict(fresh, data.test_dataloader())
        results = test(settings, data, fresh, tested)
        bootstrap = Bootstrap.of(data.split_spec.unit, data.units, data.split.test)
        located = localisation(fresh.heads, tested, data, bootstrap, settings.model.name)
        detectors = test_normality(settings, data, fresh)
    for logger in loggers:
        logger.log_metrics(flatten({"test": results[settings.model.name]}, separator="/"))
    report: dict[str, Any] = {
        "test": results,
        "best_epoch": epoch,
        "split": settings.data.split.name,
        "fold": settings.data.fold,
        "seed": settings.seed,
    }
    if located:
        report["localisation"] = located
    if detectors:
        report["normality"] = detectors
    write_json(run_dir / "results.json", report)
    store_files(loggers, [run_dir / "results.json"], None)
    store_files(loggers, sorted(Path(best).parent.glob("*.ckpt")), "checkpoints")
    title = f"Test: {len(data.split.test)} windows, {settings.data.split.name}"
    if settings.task.heads:
        console.print(comparison_table(title, settings.task.heads, results))
    if located:
        console.print("\n".join(localisation_lines(located)), soft_wrap=True)
    if settings.task.normality and fresh.normality:
        console.print(detection_table(f"{title}; AUROC, share detected", detectors))
        held_out, unit = int(fresh.normality.held_out), data.split_spec.unit
        console.print(promise(held_out, unit, settings.task.normality))
    _say_remarks(data, console)
    console.print(f"Run: {run_dir}", soft_wrap=True)


def _say_remarks(data: HydraulicDataModule, console: Console) -> None:
    """Say what harms the data: before they are trained on, and beside what came of it."""
    for line in data.remarks():
        console.print(line, style="yellow", soft_wrap=True, markup=False, highlight=False)


def _loggers(settings: TrainSettings, run_dir: Path, console: Console) -> list[Logger]:
    def say(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False, highlight=False)

    tags = {"task": settings.task.name, "version": __version__}
    made_of = {COMMIT: code} if (code := commit()) else {}  # W&B notes it by itself
    loggers: list[Logger] = [CSVLogger(run_dir, name="", version="")]
    if mlflow := settings.tracking.mlflow:
        loggers.append(
            mlflow_logger(
                mlflow.uri, mlflow.experiment, run_dir, tags | made_of, say, mlflow.parent
            )
        )
    if wandb := settings.tracking.wandb:
        every_s = settings.tracking.system_metrics_s
        loggers.append(
            wandb_logger(wandb.project, wandb.mode, run_dir, tags, say, wandb.group, every_s)
        )
    return loggers


def _quieten_libraries() -> None:
    """Leave out what libraries say of devices, databases and folders that are as they should be."""
    for name in ("lightning.pytorch", "lightning.fabric", "mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",  # a packed set needs no loader processes
        ".*recommended to use `self.log.*sync_dist=True.*",  # all processes log the same value
        ".*LeafSpec.*is deprecated.*",  # Lightning's own use of torch
        ".*Experiment logs directory .* is not empty.*",  # Hydra has put its `.hydra` there
        ".*Checkpoint directory .* exists and is not empty.*",
    ):
        warnings.filterwarnings("ignore", message)
