"""The training job: what goes together is checked, then one process trains, or several do.

A process that only starts others imports nothing that trains.
"""

from hydrascope.experiment.gradients import refuse_gradients
from hydrascope.experiment.hardware import prepare_hardware
from hydrascope.experiment.importing import load
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.processes import run_in_processes
from hydrascope.schemas.errors import SpecError


def run(settings: TrainSettings) -> None:
    """Train, test and report; everything is written into `settings.run_dir`."""
    prepare_hardware(settings.hardware, settings.trainer)
    if settings.model.closed_form:
        refuse_gradients(settings)
    _check_processes(settings)
    _check_balancing(settings)
    if settings.trainer.strategy == "single":
        _train(settings)
    else:
        run_in_processes(_train, settings)


def _train(settings: TrainSettings) -> None:
    load(f"{__package__}.training_job").train(settings)


def _check_processes(settings: TrainSettings) -> None:
    """Refuse what several processes cannot share."""
    if settings.lr_find and settings.trainer.strategy != "single":
        raise SpecError(
            f"lr_find: takes one process, not trainer.strategy={settings.trainer.strategy}; "
            "accepted: trainer=default hardware.devices=1"
        )
    if settings.trainer.strategy == "fsdp" and settings.optim.ema_decay:
        raise SpecError(
            "optim.ema_decay: an average of weights that no process has as a whole; accepted with "
            "trainer.strategy=fsdp: null"
        )
    if settings.trainer.strategy == "fsdp" and settings.hardware.compile:
        raise SpecError("hardware.compile: not with trainer.strategy=fsdp; accepted with it: false")


def _check_balancing(settings: TrainSettings) -> None:
    """Refuse gradients of single losses where there are none to be had."""
    if settings.loss.balancing != "upgrad":
        return
    strategy = settings.trainer.strategy
    for there, key in (
        (strategy != "single", f"trainer.strategy={strategy}"),
        (settings.hardware.compile, "hardware.compile=true"),
    ):
        if there:
            raise SpecError(
                f"loss.balancing: 'upgrad' goes back through the network for each loss by itself, "
                f"which does not work with {key}; accepted with it: fixed or uncertainty"
            )
