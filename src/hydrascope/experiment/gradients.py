"""The check that a closed-form model has no settings that only gradient training has."""

from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.schemas.errors import SpecError


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
