"""The check that the configured hardware is available."""

import os
import shutil
from importlib.util import find_spec

import torch
from torch.distributed import is_torchelastic_launched

from hydrascope.experiment.run_settings import HardwareSettings, TrainerSettings
from hydrascope.schemas.errors import SpecError

FLOAT8_CAPABILITY = (8, 9)
"""The lowest compute capability of GPUs with float8 matrix products: Ada, Hopper and later."""


def prepare_hardware(hardware: HardwareSettings, trainer: TrainerSettings | None = None) -> None:
    """Check that the hardware is available, and set the number of threads of this process.

    Args:
        hardware: The hardware's settings.
        trainer: The trainer's settings; None if nothing is trained.

    Raises:
        SpecError: Something is not available; nothing falls back silently.
    """
    if hardware.float8 == "native":
        _check_float8()
    if hardware.accelerator == "gpu" and torch.cuda.device_count() < hardware.devices:
        raise SpecError(
            f"hardware.devices: {hardware.devices} GPU(s) wanted, {torch.cuda.device_count()} "
            "found; accepted here: hardware=cpu"
        )
    if trainer is not None:
        if hardware.devices > 1 and trainer.strategy == "single":
            raise SpecError(
                f"hardware.devices: {hardware.devices} wanted, but trainer.strategy 'single' uses "
                "one; accepted: trainer=ddp, trainer=fsdp, or hardware.devices=1"
            )
        _check_torchrun(hardware.devices, trainer)
        if hardware.float8 and find_spec("torchao") is None:
            raise SpecError("hardware.float8: needs torchao; pip install 'hydrascope[float8]'")
        compiler = os.environ.get("CXX", "g++")
        if hardware.compile and hardware.accelerator == "cpu" and shutil.which(compiler) is None:
            raise SpecError(
                f"hardware.compile: needs the C++ compiler {compiler!r}, which was not found; "
                "install it, set CXX, or hardware.compile=false"
            )
    if hardware.threads is not None:
        torch.set_num_threads(hardware.threads)


def _check_torchrun(devices: int, trainer: TrainerSettings) -> None:
    """Check that torchrun, if it is used, has started the configured number of processes."""
    nodes, expected = trainer.num_nodes, (devices * trainer.num_nodes, devices)
    if not is_torchelastic_launched():
        if nodes > 1:
            raise SpecError(
                f"trainer.num_nodes: {nodes} takes torchrun on each of them: torchrun --nnodes="
                f"{nodes} --nproc-per-node={devices} --rdzv-backend=c10d --rdzv-endpoint=HOST:PORT "
                "train.py …"
            )
        return
    if trainer.strategy == "single":
        raise SpecError(
            "trainer.strategy: 'single' is one process, but torchrun has started this one; "
            "accepted: trainer=ddp or trainer=fsdp"
        )
    started = (int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"]))
    if started != expected:
        raise SpecError(
            f"trainer.num_nodes: {nodes} with hardware.devices={devices} are {expected[0]} "
            f"processes, {expected[1]} on each node; torchrun has started {started[0]}, "
            f"{started[1]} on this one"
        )


def _check_float8() -> None:
    needed = ".".join(str(part) for part in FLOAT8_CAPABILITY)
    found = "no GPU found"
    if torch.cuda.is_available():
        capability = torch.cuda.get_device_capability()
        if capability >= FLOAT8_CAPABILITY:
            return
        found = f"{torch.cuda.get_device_name()} has {capability[0]}.{capability[1]}"
    raise SpecError(
        f"hardware.float8: 'native' needs a GPU of compute capability {needed} or more, {found}; "
        "accepted here: null or emulated"
    )
