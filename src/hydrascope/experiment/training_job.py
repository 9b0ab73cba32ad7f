"""One training: data → model → fit → test, with baselines on the same split."""

import logging
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import torch.distributed as dist
from lightning.pytorch.loggers import Logger
from rich.console import Console
from rich.syntax import Syntax
from yaml import safe_dump

from hydrascope import __version__
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.detection_beside import verdicts
from hydrascope.evaluation.detection_text import detection_table, normality_lines
from hydrascope.evaluation.localisation import localisation_lines
from hydrascope.evaluation.own_metrics import check_own_metrics
from hydrascope.evaluation.report import comparison_table, labels_table, write_json
from hydrascope.experiment.assemble import (
    build_datamodule,
    build_module,
    checkpoint_record,
    load_checkpoint,
    model_kind,
    recipe_of,
)
from hydrascope.experiment.closed_form import fit_at_once
from hydrascope.experiment.cross_folds import check_cross_folds, fits_in_turn
from hydrascope.experiment.fitting import BEST, LightningRun, fit
from hydrascope.experiment.hardware import prepare_hardware
from hydrascope.experiment.initial import Initial, check_initial, initial_calibration
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.learning_rate import find_lr
from hydrascope.experiment.processes import is_first_process
from hydrascope.experiment.refit import check_refit, refit
from hydrascope.experiment.resume import check_resumable
from hydrascope.experiment.run_settings import TrackingSettings
from hydrascope.experiment.statistics import with_statistics
from hydrascope.experiment.testing import Tested, fit_last, test
from hydrascope.experiment.train import refuse_gradients
from hydrascope.models.base import ClosedFormModel, Network
from hydrascope.models.detectors.detector import Detector
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.normality.scored_windows import ScoresByLevel
from hydrascope.models.recipe import DiagnoserRecipe
from hydrascope.schemas.calibration import Calibration
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.whole_file import whole_file
from hydrascope.tracking.loggers import (
    flatten,
    mlflow_logger,
    runs_ended_with,
    store_files,
    wandb_logger,
)
from hydrascope.tracking.metrics_file import MetricsFile
from hydrascope.tracking.provenance import COMMIT, commit, write_provenance
from hydrascope.training.checkpoint import read_checkpoint

RESULTS = "results.json"
"""The file in a run's folder with the metrics on the test windows."""
LABEL_COUNTS = "labels.csv"
"""The file in a run's folder with the number of windows of each part for each label."""
_SHOWN_LABELS = 40
"""The most rows up to which the label counts are printed too."""


def train(settings: TrainSettings, *, quiet: bool = False) -> None:
    """Train as the only process or as one of several; the first one reports.

    Everything is written into `settings.run_dir`.
    """
    console = Console(quiet=quiet or not is_first_process())
    _quieten_libraries()
    run_dir = Path(settings.run_dir).absolute()
    _check(settings)
    data = build_datamodule(settings.data, settings.features, settings.task, settings.seed)
    start = settings.resume or settings.init
    initial = Initial.read(start, settings) if start else None
    prior = initial_calibration(settings)  # at the end the file may be gone
    if initial is not None:
        data.read_as(initial.input_spec, initial.builds, some=settings.init is not None)
    _set_up(data, None if settings.lr_find else run_dir, settings.trainer.overfit_windows, console)
    plain = settings.model_dump(mode="json", by_alias=True)
    # Behind the checks of the data, whose errors it would hide.
    console.print(Syntax(safe_dump(plain, sort_keys=False), "yaml", background_color="default"))
    lightning.seed_everything(settings.seed, verbose=False)
    recipe = recipe_of(settings, data.input_spec)
    diagnoser = initial.diagnoser(recipe) if initial else with_statistics(recipe, data)
    run = LightningRun(
        data, settings.trainer, settings.hardware, settings.optim.ema_decay, run_dir, console
    )
    if settings.lr_find:
        find_lr(run, build_module(settings, data, diagnoser))
        return
    loggers: list[Logger] = []
    if is_first_process():
        loggers = _loggers(settings.tracking, settings.task.name, run_dir, console)
    with runs_ended_with(loggers):
        found = {"data": data.source.fingerprint, "split": data.split.fingerprint}
        for logger in loggers:
            logger.log_hyperparams(flatten({**plain, "fingerprint": found}))
        if is_first_process():
            store_files(loggers, write_provenance(run_dir / "provenance", plain), "provenance")
        best, epoch = _fit(settings, run, recipe, diagnoser, prior, loggers)
        if dist.is_initialized():
            dist.destroy_process_group()
        if is_first_process():
            fresh = load_checkpoint(recipe, read_checkpoint(best))
            name = settings.model.name
            with console.status("Testing, fitting the baselines …"):
                tested = test(name, data, fresh, settings.seed, settings.baselines)
            tests = flatten({"test": tested.results[name]}, separator="/")
            for logger in loggers:
                logger.log_metrics(tests)
            write_json(run_dir / RESULTS, _results(tested, epoch, data, settings.seed))
            store_files(loggers, [run_dir / RESULTS], None)
            store_files(loggers, sorted(Path(best).parent.glob("*.ckpt")), "checkpoints")
            _print(tested, fresh, data, console)
            console.print(f"Run: {run_dir}", soft_wrap=True)


def _check(settings: TrainSettings) -> None:
    """Refuse unavailable hardware and conflicting settings before anything is read.

    Raises:
        SpecError: Names the keys and what is accepted.
    """
    prepare_hardware(settings.hardware, settings.trainer)
    check_own_metrics(settings.task.heads)
    kind = model_kind(settings)
    if issubclass(kind, Detector):
        kind.check_task(settings.task)
    elif not settings.task.heads:
        raise SpecError(
            f"model: {settings.model.name} answers heads, and the task has none; accepted with it: "
            "a task with heads, to which normality can be added; or without heads a detector, such "
            "as model=mahalanobis"
        )
    if issubclass(kind, ClosedFormModel):
        refuse_gradients(settings)  # a user's own class; only this process knows its kind
    check_initial(settings)
    check_refit(settings)
    check_cross_folds(settings)
    if settings.resume:
        check_resumable(settings, read_checkpoint(settings.resume))


def _set_up(
    data: HydraulicDataModule, run_dir: Path | None, overfit_windows: int | None, console: Console
) -> None:
    """Set up the data; report problems before any telemetry is read.

    Args:
        data: The data module, not set up yet.
        run_dir: Folder for the label counts; None: they are not written.
        overfit_windows: Number of windows to train, validate and test on; None: all.
        console: Console to print to.
    """
    data.plan()
    if run_dir and is_first_process() and data.task.heads:
        run_dir.mkdir(parents=True, exist_ok=True)
        with whole_file(run_dir / LABEL_COUNTS) as part:
            data.label_counts.to_csv(part, index=False)
    if 0 < (table := labels_table(data.label_counts)).row_count <= _SHOWN_LABELS:
        console.print(table)
    _say_remarks(data, console)
    data.check()
    data.setup()
    if overfit_windows:
        data.overfit(overfit_windows)
    parts = ", ".join(f"{len(rows)} {part}" for part, rows in data.split._asdict().items())
    if references := int(data.reference.sum()):
        parts = f"{parts}, {references} references"
    console.print(f"{len(data.dataset)} windows of {len(data.machines)} machine(s): {parts}")


def _fit(
    settings: TrainSettings,
    run: LightningRun,
    recipe: DiagnoserRecipe,
    diagnoser: TensorDiagnoser,
    prior: Calibration | None,
    loggers: list[Logger],
) -> tuple[str, int | None]:
    """Fit the diagnoser; return the path of its checkpoint and the chosen epoch."""
    data, console, seed = run.data, run.console, settings.seed
    if isinstance(diagnoser.model, ClosedFormModel):
        record, file = checkpoint_record(settings, data), run.checkpoints / BEST
        best = fit_at_once(settings.model.name, data, diagnoser, seed, record, file, console)
    else:
        best = fit(
            run,
            build_module(settings, data, diagnoser),
            settings.model.name,
            settings.callbacks,
            settings.resume,
            loggers,
            settings.tracking.system_metrics_s,
        )
    # A training that was resumed after its last epoch has already been calibrated.
    chosen = replace(read_checkpoint(best), calibration=None)
    in_turn: ScoresByLevel | None = None
    normality = settings.task.normality
    if is_first_process():
        if normality and normality.cross_folds:
            in_turn = fits_in_turn(data, recipe, seed)
        # Load a fresh diagnoser: the trained one may be compiled, wrapped or in float8.
        trained = load_checkpoint(recipe, chosen)
        fit_last(recipe, data, trained, seed, best, console, in_turn, prior)
    fraction, network = settings.trainer.refit_fraction, isinstance(diagnoser.model, Network)
    if fraction and network and not settings.trainer.overfit_windows:
        best = refit(run, partial(build_module, settings, data), recipe, fraction, best)
    return best, chosen.epoch


def _results(
    tested: Tested, epoch: int | None, data: HydraulicDataModule, seed: int
) -> dict[str, Any]:
    """Return the content of `RESULTS`."""
    report: dict[str, Any] = {
        "test": tested.results,
        "best_epoch": epoch,
        "split": data.split_spec.name,
        "fold": data.split_spec.fold,
        "seed": seed,
    }
    if tested.located:
        report["localisation"] = tested.located
    if tested.detectors:
        report["normality"] = tested.detectors
    return report


def _print(
    tested: Tested, diagnoser: TensorDiagnoser, data: HydraulicDataModule, console: Console
) -> None:
    """Print the results on the test windows."""
    title = f"Test: {len(data.split.test)} windows, {data.split_spec.name}"
    if heads := data.task.heads:
        console.print(comparison_table(title, heads, tested.results, tested.missing))
    if tested.located:
        console.print("\n".join(localisation_lines(tested.located)), soft_wrap=True)
    if data.task.normality and diagnoser.normality:
        console.print(detection_table(f"{title}; AUROC, share detected", tested.detectors))
        own, *_ = tested.detectors.values()
        console.print("\n".join((*normality_lines(own), *verdicts(tested.detectors))))
    _say_remarks(data, console)


def _say_remarks(data: HydraulicDataModule, console: Console) -> None:
    """Print remarks about problems of the data."""
    for line in data.remarks():
        console.print(line, style="yellow", soft_wrap=True, markup=False, highlight=False)


def _loggers(
    tracking: TrackingSettings, task: str, run_dir: Path, console: Console
) -> list[Logger]:
    def say(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False, highlight=False)

    tags = {"task": task, "version": __version__}
    commit_tag = {COMMIT: code} if (code := commit()) else {}  # W&B records it itself
    loggers: list[Logger] = [MetricsFile(run_dir)]
    if mlflow := tracking.mlflow:
        loggers.append(
            mlflow_logger(
                mlflow.uri, mlflow.experiment, run_dir, tags | commit_tag, say, mlflow.parent
            )
        )
    if wandb := tracking.wandb:
        every_s = tracking.system_metrics_s
        loggers.append(
            wandb_logger(wandb.project, wandb.mode, run_dir, tags, say, wandb.group, every_s)
        )
    return loggers


def _quieten_libraries() -> None:
    """Silence libraries' messages about devices, databases and folders that are in order."""
    for name in ("lightning.pytorch", "lightning.fabric", "mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",  # a packed store needs no loader processes
        ".*recommended to use `self.log.*sync_dist=True.*",  # all processes log the same value
        ".*WeightAveraging doesn't support sharding.*",  # with FSDP it is refused
        ".*LeafSpec.*is deprecated.*",  # Lightning's own use of torch
        ".*Checkpoint directory .* exists and is not empty.*",
    ):
        warnings.filterwarnings("ignore", message)
