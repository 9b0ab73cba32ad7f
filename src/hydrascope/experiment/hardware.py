"""Whether the hardware that was asked for is there."""

import torch

from hydrascope.experiment.settings import HardwareSettings
from hydrascope.schemas.errors import SpecError


def prepare_hardware(hardware: HardwareSettings) -> None:
    """Check that the hardware is there, and set the threads of this process.

    Raises:
        SpecError: It is not; nothing falls back silently.
    """
    if hardware.accelerator == "gpu" and torch.cuda.device_count() < hardware.devices:
        raise SpecError(
            f"hardware.devices: {hardware.devices} GPU(s) wanted, {torch.cuda.device_count()} "
            "found; accepted here: hardware=cpu"
        )
    if hardware.threads is not None:
        torch.set_num_threads(hardware.threads)
