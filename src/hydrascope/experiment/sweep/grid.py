"""A grid: every combination of values on the command line, each trained in its own process."""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.launcher.base import Launcher, open_launcher
from hydrascope.experiment.sweep.loop import RunningTrial, Sweep, summarize
from hydrascope.schemas.errors import SpecError

Trial = tuple[TrainSettings, list[str]]
"""The settings of a trial, and the overrides that they were composed from."""


def run(trials: Sequence[Trial]) -> None:
    """Train all trials; a failed trial does not stop the others.

    Raises:
        SpecError: Some have failed, after all have ended.
    """
    first = trials[0][0]
    folder = Path(first.run_dir).absolute().parent
    with open_launcher(first.launcher, folder) as launcher:
        grid = _Grid(trials, folder, launcher)
        grid.run()
    grid.report()


class _Grid(Sweep):
    def __init__(self, trials: Sequence[Trial], folder: Path, launcher: Launcher) -> None:
        self._settings = [settings for settings, _ in trials]
        super().__init__("-".join(folder.parts[-2:]), folder, self._settings[0], launcher)
        common = set.intersection(*(set(overrides) for _, overrides in trials))
        self._chosen = [
            ", ".join(each for each in overrides if each not in common) for _, overrides in trials
        ]
        self._monitor = self._settings[0].callbacks.monitor
        self._began: dict[int, float] = {}
        self._rows: dict[int, dict[str, str]] = {}

    def trials(self) -> Iterator[tuple[int, TrainSettings]]:
        for number, settings in enumerate(self._settings):
            log = Path(settings.run_dir) / "trial.log"
            self.say(f"Trial {number}: {self._chosen[number]}; {log}")
            self._began[number] = time.monotonic()
            yield number, settings

    def succeeded(self, trial: RunningTrial) -> None:
        value = trial.process.at_best.get(self._monitor, math.nan)
        self._note(trial.number, "complete", f"{value:.6g}" if math.isfinite(value) else "", "")

    def failed(self, number: int, why: str) -> None:
        self._note(number, "failed", "", why)

    def interrupted(self) -> str:
        for number in self._began.keys() - self._rows.keys():
            self._note(number, "interrupted", "", "")
            self.end_run(Path(self._settings[number].run_dir).name, "KILLED")
        self._summarize()
        return (
            "summary.csv lists the trials so far; continue one with its overrides and "
            "resume=…/checkpoints/last.ckpt"
        )

    def _summarize(self) -> list[dict[str, str]]:
        rows = [row for _, row in sorted(self._rows.items())]
        if rows:
            summarize(rows, self.name, self.folder, self.console)
        return rows

    def _note(self, number: int, state: str, value: str, why: str) -> None:
        self._rows[number] = {
            "trial": str(number),
            "set": self._chosen[number],
            "state": state,
            self._monitor: value,
            "seconds": f"{time.monotonic() - self._began[number]:.0f}",
            "why": why,
        }

    def report(self) -> None:
        """Write and print how the trials ended, and end the run of the grid.

        Raises:
            SpecError: Some trials have failed.
        """
        rows = self._summarize()
        if self.runs:
            self.runs.finish({})
        failed = [row for row in rows if row["why"]]
        if failed:
            raise SpecError(
                f"sweep: {len(failed)} of {len(rows)} trials failed; the first: {failed[0]['why']}"
            )
