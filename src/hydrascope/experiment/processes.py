"""One training in several processes on this computer.

Each process receives the settings, not the command line. So in a sweep no process composes the
sweep again, and each trial has its own processes, which share its folder.
Under torchrun the processes already exist, and each runs the job itself.
"""

import logging
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch.distributed import is_torchelastic_launched
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from hydrascope.console import print_anything
from hydrascope.experiment.complaints import USER_ERRORS, complaint, users
from hydrascope.experiment.importing import JOB_IMPORTS
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.start import USAGE_ERROR
from hydrascope.schemas.errors import SpecError

Job = Callable[[TrainSettings], None]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""The signals that end all processes."""
_OF_TORCH = re.compile(
    r"((LOCAL_|GROUP_|ROLE_)?(RANK|WORLD_SIZE)|ROLE_NAME|MASTER_(ADDR|PORT)|TORCH.*|OMP_NUM_THREADS)"
)
"""The variables of the environment that the launcher sets for each process."""


def is_first_process() -> bool:
    """Return whether this process is the first, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def run_in_processes(job: Job, settings: TrainSettings) -> None:
    """Run a job once in each of `settings.hardware.devices` processes, as torchrun would.

    Raises:
        SpecError: A process found an error in the settings or the data.
    """
    if is_torchelastic_launched():
        job(settings)
        return
    with TemporaryDirectory(prefix="hydrascope-processes-") as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=settings.hardware.devices,
            run_id=Path(folder).name,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            monitor_interval=0.1,
            start_method=_start_method(settings.hardware.accelerator),
            signals_to_handle=",".join(number.name for number in _SIGNALS),
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        plain = settings.model_dump(mode="json", by_alias=True)
        # A process reports its own error; torch would repeat it twice.
        logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
        handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        try:
            complaints = elastic_launch(config, _work)(job, plain, dict(os.environ))
        except SignalException as stop:
            sys.exit(128 + stop.sigval)  # as in shells; the processes have been ended
        except ChildFailedError as failed:
            if failed.get_first_failure()[1].exitcode != USAGE_ERROR:
                raise
            sys.exit(USAGE_ERROR)  # the process has printed the reason
        finally:
            for number, handler in handlers.items():  # the launcher does not restore them
                signal.signal(number, handler)
    if refused := next(filter(None, complaints.values()), None):
        raise refused


def _start_method(accelerator: str) -> str:
    """Return how processes start: forked from one that has imported everything, or anew.

    CUDA does not work in a process that is forked from one that has used it.
    """
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    if accelerator != "cpu" or not forks:
        return "spawn"
    multiprocessing.set_forkserver_preload([JOB_IMPORTS])
    return "forkserver"


def _work(job: Job, plain: dict[str, Any], environment: dict[str, str]) -> SpecError | None:
    """Run the job in one of the processes; return the user's error, if any."""
    _set_environment(environment)
    print_anything()
    try:
        job(TrainSettings.model_validate(plain))
    except USER_ERRORS as error:
        return complaint(error, "train.py")
    except OSError as error:
        if not users(error):
            raise
        # Only the writing process sees the full disk; the others would wait for it forever.
        print(complaint(error, "train.py"), file=sys.stderr)
        sys.exit(USAGE_ERROR)
    return None


def _set_environment(environment: dict[str, str]) -> None:
    """Set the environment of the process that began the training.

    A forked process has that of the first training in a notebook, whatever was set since.
    """
    for name in os.environ.keys() - environment.keys():
        if not _OF_TORCH.fullmatch(name):
            del os.environ[name]
    for name, value in environment.items():
        if not _OF_TORCH.fullmatch(name):
            os.environ[name] = value
