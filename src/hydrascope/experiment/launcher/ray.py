"""Running commands on a Ray cluster: a worker with the required CPUs and GPUs starts each one."""

import logging
import os
from pathlib import Path

import ray
from ray.exceptions import RayError

from hydrascope.experiment.launcher.command import Command
from hydrascope.experiment.launcher.launcher_settings import RaySettings
from hydrascope.schemas.errors import SpecError

_PATIENCE_S = 30.0
"""The seconds that a worker may take to end a command."""
FAILED = 1
"""The exit code of a command whose worker is lost."""


def connect(address: str | None, cores: int, key: str) -> None:
    """Connect to a cluster, or start one on this computer.

    Args:
        address: Of the cluster; None: a new one, which ends with `ray.shutdown`.
        cores: Of a new one.
        key: The setting that holds the address.

    Raises:
        SpecError: The cluster cannot be reached.
    """
    # A cluster that is started here sends no usage statistics.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(
            address or "local",
            num_cpus=None if address else cores,
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SpecError(f"{key}: {address!r}: {reason}") from None


class RayJob:
    """A command that a worker runs."""

    def __init__(self, answer: "ray.ObjectRef[int]", log: Path) -> None:
        self._answer, self._log = answer, log
        self._code: int | None = None

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the command waits for a worker or runs."""
        if self._code is None and ray.wait([self._answer], timeout=0)[0]:
            try:
                self._code = ray.get(self._answer)
            except RayError as error:
                with self._log.open("a", encoding="utf-8") as log:
                    log.write(f"\nRay: {' '.join(str(error).split())}\n")
                self._code = FAILED
        return self._code

    def end(self) -> None:
        """Let the worker end the command, and wait for it."""
        if self.exit_code is None:
            ray.cancel(self._answer)
            ray.wait([self._answer], timeout=_PATIENCE_S)


class RayLauncher:
    """Submits commands to the cluster, which starts each when resources are free."""

    def __init__(self, settings: RaySettings) -> None:
        cores = max(1, round(settings.parallel * settings.cpus))
        connect(settings.address, cores, "launcher.address")
        # Ray does not retry a failed trial: the sweep decides what to do.
        options = ray.remote(num_cpus=settings.cpus, num_gpus=settings.gpus, max_retries=0)
        self._run = options(Command.run)

    def start(self, command: Command) -> RayJob:
        """Submit a command."""
        return RayJob(self._run.remote(command), command.log)

    def close(self) -> None:
        """Disconnect from the cluster; one that was started here ends."""
        ray.shutdown()
