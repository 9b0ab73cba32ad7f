"""Commands on a Ray cluster: each is started by a worker that has the CPUs and GPUs it asks for."""

import logging
import os
from pathlib import Path

import ray
from ray.exceptions import RayError

from hydrascope.experiment.launcher.command import Command
from hydrascope.experiment.launcher.launcher_settings import RaySettings
from hydrascope.schemas.errors import SpecError

_PATIENCE_S = 30.0
"""How long a worker may take to end a command."""
FAILED = 1
"""Exit code of a command whose worker is gone."""


class RayJob:
    """A command that a worker runs."""

    def __init__(self, answer: "ray.ObjectRef[int]", log: Path) -> None:
        self._answer, self._log = answer, log
        self._code: int | None = None

    @property
    def exit_code(self) -> int | None:
        """None while it waits for a worker or runs."""
        if self._code is None and ray.wait([self._answer], timeout=0)[0]:
            try:
                self._code = ray.get(self._answer)
            except RayError as error:
                with self._log.open("a", encoding="utf-8") as log:
                    log.write(f"\nRay: {' '.join(str(error).split())}\n")
                self._code = FAILED
        return self._code

    def end(self) -> None:
        """Have its worker end it, and wait until it has."""
        if self.exit_code is None:
            ray.cancel(self._answer)
            ray.wait([self._answer], timeout=_PATIENCE_S)


class RayLauncher:
    """Hands commands to the cluster, which starts each when there is room for it."""

    def __init__(self, settings: RaySettings) -> None:
        # One that is started here tells nobody that it is used.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        cores = None if settings.address else max(1, round(settings.parallel * settings.cpus))
        try:
            ray.init(
                settings.address or "local",
                num_cpus=cores,
                include_dashboard=None if settings.address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise SpecError(f"launcher.address: {settings.address!r}: {reason}") from None
        # A trial that fails is not tried again: the sweep says what becomes of it.
        options = ray.remote(num_cpus=settings.cpus, num_gpus=settings.gpus, max_retries=0)
        self._run = options(Command.run)

    def start(self, command: Command) -> RayJob:
        """Hand a command over."""
        return RayJob(self._run.remote(command), command.log)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        ray.shutdown()
