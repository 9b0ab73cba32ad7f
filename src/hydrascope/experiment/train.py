"""The training job: check the settings, then train in one process or several.

A process that only starts others imports no training code.
"""

from functools import partial

from hydrascope.experiment.hardware import prepare_hardware
from hydrascope.experiment.importing import load
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.processes import run_in_processes
from hydrascope.schemas.errors import SpecError


def run(settings: TrainSettings, *, quiet: bool = False) -> None:
    """Train, test and report; write everything into `settings.run_dir`."""
    prepare_hardware(settings.hardware, settings.trainer)
    if settings.model.closed_form:
        refuse_gradients(settings)
    _check_processes(settings)
    _check_balancing(settings)
    job = partial(_train, quiet=quiet)
    if settings.trainer.strategy == "single":
        job(settings)
    else:
        run_in_processes(job, settings)


def _train(settings: TrainSettings, *, quiet: bool) -> None:
    load(f"{__package__}.training_job").train(settings, quiet=quiet)


def _check_processes(settings: TrainSettings) -> None:
    """Refuse settings that do not work with several processes."""
    if settings.lr_find and settings.trainer.strategy != "single":
        raise SpecError(
            f"lr_find: takes one process, not trainer.strategy={settings.trainer.strategy}; "
            "accepted: trainer=default hardware.devices=1"
        )
    if settings.trainer.strategy == "fsdp" and settings.optim.ema_decay:
        raise SpecError(
            "optim.ema_decay: no process has all weights to average; accepted with "
            "trainer.strategy=fsdp: null"
        )
    if settings.trainer.strategy == "fsdp" and settings.hardware.compile:
        raise SpecError("hardware.compile: not with trainer.strategy=fsdp; accepted with it: false")


def _check_balancing(settings: TrainSettings) -> None:
    """Refuse gradients of single losses if they cannot be computed."""
    if settings.loss.balancing != "upgrad":
        return
    strategy = settings.trainer.strategy
    for used, key in (
        (strategy != "single", f"trainer.strategy={strategy}"),
        (settings.hardware.compile, "hardware.compile=true"),
    ):
        if used:
            raise SpecError(
                f"loss.balancing: 'upgrad' goes back through the network for each loss by itself, "
                f"which does not work with {key}; accepted with it: fixed or uncertainty"
            )


def refuse_gradients(settings: TrainSettings) -> None:
    """Check that no setting of gradient training is given with a closed-form model.

    Raises:
        SpecError: Names every such key, and what is accepted.
    """
    trainer, hardware = settings.trainer, settings.hardware
    for_networks = {
        "init": (settings.init, "null"),
        "resume": (settings.resume, "null"),
        "lr_find": (settings.lr_find, "false"),
        "trainer.strategy": (trainer.strategy if trainer.strategy != "single" else None, "single"),
        "trainer.overfit_windows": (trainer.overfit_windows, "null"),
        "trainer.profiler": (trainer.profiler, "null"),
        "hardware.float8": (hardware.float8, "null"),
        "hardware.compile": (hardware.compile, "false"),
        "hardware.checkpointing": (hardware.checkpointing, "false"),
    }
    faults = [
        f"{key}: {value!r} is for networks; {settings.model.name} is fitted at once, without "
        f"epochs and gradients; accepted with it: {accepted}"
        for key, (value, accepted) in for_networks.items()
        if value
    ]
    if faults:
        raise SpecError(*faults, source="train.py")
