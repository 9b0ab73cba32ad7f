"""Running commands as SLURM jobs with submitit; `executor=local` runs them here likewise."""

from pathlib import Path

import submitit
from submitit.core.utils import FailedJobError, UncompletedJobError

from hydrascope.experiment.launcher.command import Command
from hydrascope.experiment.launcher.launcher_settings import SlurmSettings
from hydrascope.schemas.errors import SpecError

NAME = "hydrascope"
"""The name of the jobs: `squeue --name hydrascope`."""
FAILED = 1
"""The exit code of a command whose job SLURM has ended."""


class SlurmJob:
    """A command that SLURM runs when resources are free."""

    def __init__(self, job: "submitit.Job[int]", log: Path) -> None:
        self._job, self._log = job, log
        self._code: int | None = None

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the command waits in the queue or runs."""
        if self._code is None and self._job.done():
            try:
                self._code = self._job.result()
            except (FailedJobError, UncompletedJobError) as error:
                reason = next((line for line in reversed(str(error).splitlines()) if line), "")
                with self._log.open("a", encoding="utf-8") as log:
                    log.write(f"\nSLURM: job {self._job.job_id}: {reason.strip()}\n")
                self._code = FAILED
        return self._code

    def end(self) -> None:
        """Cancel the job; SLURM ends it later."""
        if self.exit_code is None:
            self._job.cancel()


class SlurmLauncher:
    """Submits commands to SLURM."""

    def __init__(self, settings: SlurmSettings, folder: Path) -> None:
        try:
            self._executor = submitit.AutoExecutor(folder, cluster=settings.executor)
        except RuntimeError as error:  # srun is not installed
            raise SpecError(
                f"launcher.executor: {settings.executor!r}: {error}; accepted here: local"
            ) from None
        self._executor.update_parameters(
            name=NAME,
            timeout_min=settings.minutes,
            nodes=1,
            tasks_per_node=1,
            cpus_per_task=settings.cpus,
            gpus_per_node=settings.gpus,
            **({"mem_gb": settings.memory_gb} if settings.memory_gb else {}),
            slurm_partition=settings.partition,
            slurm_additional_parameters=dict(settings.options),
        )

    def start(self, command: Command) -> SlurmJob:
        """Submit a command."""
        return SlurmJob(self._executor.submit(command.run), command.log)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
