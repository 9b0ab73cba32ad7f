"""What only a training by gradients knows, and a model of closed form has to be spared."""

from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.schemas.errors import SpecError


def refuse_gradients(settings: TrainSettings) -> None:
    """Refuse what makes no sense for a model that is fitted in closed form.

    Raises:
        SpecError: Naming every key, and what is accepted.
    """
    trainer, hardware = settings.trainer, settings.hardware
    asked = {
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
        for key, (value, accepted) in asked.items()
        if value
    ]
    if faults:
        raise SpecError(*faults, source="train.py")
