"""A grid: every combination that a command line names, each a training in a process of its own."""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.launcher.base import Launcher, keep_busy, open_launcher
from hydrascope.experiment.sweep.composition import below
from hydrascope.experiment.sweep.process import TrialProcess
from hydrascope.experiment.sweep.summary import summarize
from hydrascope.schemas.errors import SpecError
from hydrascope.tracking.nested import NestedRuns

Trial = tuple[TrainSettings, list[str]]
"""What is trained, and the overrides that it was composed of."""


class _Running(NamedTuple):
    number: int
    process: TrialProcess
    began: float

    def end(self) -> None:
        self.process.end()


def run(trials: Sequence[Trial]) -> None:
    """Train all of them; one that fails does not keep the others from it.

    Raises:
        SpecError: Trials have failed; said when all have ended.
    """
    first = trials[0][0]
    folder = Path(first.run_dir).absolute().parent
    with open_launcher(first.launcher, folder) as launcher:
        grid = _Grid(trials, folder, launcher)
        keep_busy(grid.started(), grid.settled, first.launcher.parallel)
    grid.report()


class _Grid:
    def __init__(self, trials: Sequence[Trial], folder: Path, launcher: Launcher) -> None:
        self.folder, self.launcher, self.console = folder, launcher, Console()
        self.settings = [settings for settings, _ in trials]
        common = set.intersection(*(set(overrides) for _, overrides in trials))
        self.chosen = [
            ", ".join(each for each in overrides if each not in common) for _, overrides in trials
        ]
        self.name = "-".join(folder.parts[-2:])
        mlflow = self.settings[0].tracking.mlflow
        self.runs = mlflow and NestedRuns(
            mlflow.uri, mlflow.experiment, self.name, folder, self._say
        )
        self.monitor = self.settings[0].callbacks.monitor
        self.rows: dict[int, dict[str, str]] = {}

    def _say(self, line: str) -> None:
        self.console.print(line, soft_wrap=True, markup=False, highlight=False)

    def started(self) -> Iterator[_Running]:
        """Start the next trial whenever one is asked for."""
        for number, settings in enumerate(self.settings):
            parent = self.runs.parent if self.runs else None
            process = TrialProcess(below(settings, parent, self.name), self.launcher)
            self._say(f"Trial {number}: {self.chosen[number]}; {process.folder / 'trial.log'}")
            yield _Running(number, process, time.monotonic())

    def settled(self, running: _Running) -> bool:
        """Return whether a trial has ended; write down how."""
        number, process, began = running
        code = process.exit_code
        if code is None:
            return False
        process.end()
        value, why = math.nan, ""
        if code:
            why = process.last_line
            self._say(f"Trial {number}: failed: {why}")
            if self.runs:
                self.runs.end(process.folder.name, "FAILED")
        else:
            value = process.at_best.get(self.monitor, math.nan)
        self.rows[number] = {
            "trial": str(number),
            "set": self.chosen[number],
            "state": "failed" if code else "complete",
            self.monitor: f"{value:.6g}" if math.isfinite(value) else "",
            "seconds": f"{time.monotonic() - began:.0f}",
            "why": why,
        }
        return True

    def report(self) -> None:
        """Write and print how all of them ended, and end their common run.

        Raises:
            SpecError: Some have failed.
        """
        rows = [row for _, row in sorted(self.rows.items())]
        summarize(rows, self.name, self.folder, self.console)
        failed = [row for row in rows if row["why"]]
        if self.runs:
            self.runs.finish({})
        if failed:
            raise SpecError(
                f"sweep: {len(failed)} of {len(rows)} trials failed; the first: {failed[0]['why']}"
            )
