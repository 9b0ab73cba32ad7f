"""The loop that grids and searches share: it starts, watches and ends trials."""

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.launcher.base import Launcher, keep_busy
from hydrascope.experiment.sweep.composition import below
from hydrascope.experiment.sweep.process import TrialProcess
from hydrascope.schemas.whole_file import write_whole
from hydrascope.tracking.nested import NestedRuns


class RunningTrial(NamedTuple):
    """A trial that has been started."""

    number: int
    process: TrialProcess

    def end(self) -> None:
        """End the trial with all its processes."""
        self.process.end()


class Sweep(ABC):
    """Runs trials, several at a time; a subclass chooses the trials and records their outcomes.

    Args:
        name: Name of the sweep.
        folder: Folder of the sweep.
        settings: Settings of any trial: all have the same launcher and trackers.
        launcher: Starts the trials.
        parent: Id of the sweep's run in MLflow; None: one is opened if MLflow is configured.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        settings: TrainSettings,
        launcher: Launcher,
        parent: str | None = None,
    ) -> None:
        self.name, self.folder, self.console = name, folder, Console()
        self._launcher, self._parallel = launcher, settings.launcher.parallel
        mlflow = settings.tracking.mlflow
        self.runs = mlflow and NestedRuns(
            mlflow.uri, mlflow.experiment, name, folder, self.say, parent
        )

    @abstractmethod
    def trials(self) -> Iterator[tuple[int, TrainSettings]]:
        """Yield the number and settings of each next trial, when it can be started."""

    @abstractmethod
    def succeeded(self, trial: RunningTrial) -> None:
        """Record the result of a trial that has finished its training."""

    @abstractmethod
    def failed(self, number: int, why: str) -> None:
        """Record that a trial has failed."""

    @abstractmethod
    def interrupted(self) -> str:
        """Write how the trials have ended so far; return how to continue."""

    def given_up(self, trial: RunningTrial) -> bool:  # noqa: ARG002
        """Return whether to end a running trial, and record it if so."""
        return False

    def run(self) -> None:
        """Run all trials; a failed trial does not stop the others.

        Raises:
            KeyboardInterrupt: With the folder and how to continue; all trials have been ended.
        """
        try:
            keep_busy(self._started(), self._settled, self._parallel)
        except KeyboardInterrupt:
            how = self.interrupted()
            if self.runs:
                self.runs.finish({}, "KILLED")
            raise KeyboardInterrupt(f"interrupted; {self.folder}: {how}") from None

    def say(self, line: str) -> None:
        """Print a line without formatting."""
        self.console.print(line, soft_wrap=True, markup=False, highlight=False)

    def parent(self) -> str | None:
        """Return the id of the sweep's run in MLflow; None if it has none yet."""
        return self.runs.parent if self.runs else None

    def end_run(self, name: str, status: str) -> None:
        """End a trial's run in MLflow, if the trial could not end it itself."""
        if self.runs:
            self.runs.end(name, status)

    def fail(self, number: int, run: str, why: str) -> None:
        """Record and print that a trial with the run name `run` has failed."""
        self.failed(number, why)
        self.end_run(run, "FAILED")
        self.say(f"Trial {number}: failed: {why}")

    def _started(self) -> Iterator[RunningTrial]:
        for number, settings in self.trials():
            process = TrialProcess(below(settings, self.parent(), self.name), self._launcher)
            yield RunningTrial(number, process)

    def _settled(self, trial: RunningTrial) -> bool:
        """Return whether a trial has ended; record its outcome if so."""
        process = trial.process
        code = process.exit_code
        if code is None:
            if not self.given_up(trial):
                return False
            process.end()
            self.end_run(process.folder.name, "KILLED")
            return True
        process.end()
        if code:
            self.fail(trial.number, process.folder.name, process.last_line)
        else:
            self.succeeded(trial)
        return True


def summarize(rows: Sequence[Mapping[str, str]], name: str, folder: Path, console: Console) -> None:
    """Write `summary.csv` into a sweep's folder and print it; all rows have the same columns."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(folder / "summary.csv", text.getvalue())
    table = Table(*rows[0], title=f"Sweep {name}", title_justify="left")
    for row in rows:
        table.add_row(*row.values())
    console.print(table)
