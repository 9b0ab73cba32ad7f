"""The training job: data → network → fit → test, with baselines on the same split beside it."""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch.distributed as dist
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger
from rich.console import Console
from rich.syntax import Syntax
from yaml import safe_dump

from hydrascope import __version__
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.baselines import BASELINES, baseline_predictions, check_comparable
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.report import comparison_table, head_metrics, write_json
from hydrascope.experiment.assemble import build_datamodule, build_diagnoser, optimizer_factory
from hydrascope.experiment.hardware import prepare_hardware
from hydrascope.experiment.processes import leads, run_in_processes
from hydrascope.experiment.resume import check_resumable
from hydrascope.experiment.settings import TrainSettings
from hydrascope.models.diagnoser import Diagnoser
from hydrascope.schemas.errors import SpecError
from hydrascope.tasks.balancing import LossBalance
from hydrascope.tasks.losses import class_weights
from hydrascope.tracking.loggers import finish, flatten, mlflow_logger, wandb_logger
from hydrascope.training.acceleration import Acceleration, accelerate
from hydrascope.training.checkpoint import read_checkpoint, write_readout
from hydrascope.training.module import DiagnosisModule
from hydrascope.training.readout import check_one_build, fit_readout
from hydrascope.training.schedule import WarmupCosine

NETWORK = "network"
"""Column of the network in the closing table."""
HEADS_ALONE = "its own heads"
"""Column of the network without the readout."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

Results = dict[str, dict[str, dict[str, float]]]


def run(settings: TrainSettings) -> None:
    """Train, test and report; everything is written into `settings.run_dir`."""
    prepare_hardware(settings.hardware, settings.trainer)
    _check_balancing(settings)
    if settings.trainer.strategy == "ddp":
        run_in_processes(train, settings)
    else:
        train(settings)


def _check_balancing(settings: TrainSettings) -> None:
    """Refuse gradients of single losses where there are none to be had."""
    if settings.loss.balancing != "upgrad":
        return
    for there, key in (
        (settings.trainer.strategy == "ddp", "trainer.strategy=ddp"),
        (settings.hardware.compile, "hardware.compile=true"),
    ):
        if there:
            raise SpecError(
                f"loss.balancing: 'upgrad' goes back through the network for each loss by itself, "
                f"which does not work with {key}; accepted with it: fixed or uncertainty"
            )


def train(settings: TrainSettings) -> None:
    """Do the job, alone or as one of several processes; the first of them reports."""
    console = Console(quiet=not leads())
    _quieten_libraries()
    run_dir = Path(settings.run_dir).absolute()
    prepare_hardware(settings.hardware, settings.trainer)
    if settings.resume:
        check_resumable(settings, read_checkpoint(settings.resume))
    plain = settings.model_dump(mode="json", by_alias=True)
    console.print(Syntax(safe_dump(plain, sort_keys=False), "yaml", background_color="default"))

    data = build_datamodule(settings.data, settings.features, settings.task, settings.seed)
    data.setup()
    if settings.baselines:
        check_comparable(data.dataset.machines)
    if settings.readout.kind != "heads":
        check_one_build(data.dataset.machines)
    parts = ", ".join(f"{len(rows)} {part}" for part, rows in data.split._asdict().items())
    console.print(f"{len(data.dataset)} windows of {len(data.machines)} machine(s): {parts}")

    lightning.seed_everything(settings.seed, verbose=False)
    diagnoser = build_diagnoser(settings, data.input_spec)
    diagnoser.normalizer.fit(data.training_parts())
    if diagnoser.machine_normalizer is not None:
        diagnoser.machine_normalizer.fit(data.training_machine_parts())
    loggers = _loggers(settings, run_dir) if leads() else []
    for logger in loggers:
        logger.log_hyperparams(flatten(plain))
    best = _fit(settings, data, diagnoser, loggers, console)

    if dist.is_initialized():
        dist.destroy_process_group()
    if not leads():
        return

    checkpoint = read_checkpoint(best)
    # A fresh one: what was trained may be compiled, wrapped or in float8.
    fresh = build_diagnoser(settings, data.input_spec).eval()
    fresh.load_state_dict(checkpoint.weights)
    heads_alone = _read_out(settings, data, fresh, best, console)
    with console.status("Testing, fitting the baselines …"):
        results = _results(settings, data, fresh)
    if heads_alone is not None:
        results[HEADS_ALONE] = heads_alone
    for logger in loggers:
        logger.log_metrics(flatten({"test": results[NETWORK]}, separator="/"))
    finish(loggers)
    write_json(
        run_dir / "results.json",
        {
            "test": results,
            "best_epoch": checkpoint.epoch,
            "split": settings.data.split.name,
            "fold": settings.data.fold,
            "seed": settings.seed,
        },
    )
    title = f"Test: {len(data.split.test)} windows, {settings.data.split.name}"
    console.print(comparison_table(title, settings.task.heads, results))
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
    monitor, mode = settings.callbacks.monitor, settings.callbacks.mode
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
    if stopping := settings.callbacks.early_stopping:
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


def _read_out(
    settings: TrainSettings,
    data: HydraulicDataModule,
    diagnoser: Diagnoser,
    checkpoint: str,
    console: Console,
) -> dict[str, dict[str, float]] | None:
    """Fit the readout, if one is asked for, and store it with the checkpoint.

    Return the test metrics of the network's own heads, where the readout takes some over.
    """
    if settings.readout.kind == "heads":
        return None
    with console.status("Fitting the readout …"):
        fitted = fit_readout(diagnoser, data, settings.readout, settings.seed)
    for head, reason in fitted.unanswered.items():
        console.print(f"The network's own head answers {head}: {reason}")
    if fitted.readout is None:
        write_readout(checkpoint, {})
        return None
    answered = ", ".join(question.head for question in fitted.readout.questions)
    console.print(f"The kernel discriminant answers {answered}")
    write_readout(checkpoint, fitted.readout.record())
    alone = head_metrics(settings.task.heads, predict(diagnoser, data.test_dataloader()))
    diagnoser.readout = fitted.readout
    return alone


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
        ".*recommended to use `self.log.*sync_dist=True.*",  # all processes log the same value
        ".*LeafSpec.*is deprecated.*",  # Lightning's own use of torch
        ".*Experiment logs directory .* is not empty.*",  # Hydra has put its `.hydra` there
        ".*Checkpoint directory .* exists and is not empty.*",
    ):
        warnings.filterwarnings("ignore", message)
