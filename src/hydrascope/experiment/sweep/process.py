"""A trial's process as the sweep sees it; its progress is read from its folder."""

import csv
import json
from pathlib import Path

from hydrascope.experiment.importing import JOB_IMPORTS
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.launcher.base import Launcher
from hydrascope.experiment.launcher.command import Command
from hydrascope.schemas.whole_file import write_whole
from hydrascope.tracking.metrics_file import METRICS


class TrialProcess:
    """One training in its own process, wherever the launcher starts it."""

    def __init__(self, settings: TrainSettings, launcher: Launcher) -> None:
        """Start the training; its output goes to `trial.log` in its folder."""
        self.folder = Path(settings.run_dir)
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "settings.json"
        write_whole(file, settings.model_dump_json(by_alias=True, indent=2))
        # CUDA does not work in a process that is forked from one that has used it.
        imports = JOB_IMPORTS if settings.hardware.accelerator == "cpu" else None
        log = (self.folder / "trial.log").absolute()
        command = Command(f"{__package__}.trial", (str(file.absolute()),), log, imports)
        self._job = launcher.start(command)

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the trial runs."""
        return self._job.exit_code

    @property
    def last_line(self) -> str:
        """The last line that it printed; for a failed trial, the reason."""
        lines = (self.folder / "trial.log").read_text("utf-8", errors="replace").split("\n")
        printed = (line.strip() for line in reversed(lines) if any(map(str.isalnum, line)))
        return next(printed, "it printed nothing")

    @property
    def at_best(self) -> dict[str, float]:
        """The metrics at the epoch of its best checkpoint, once it has ended.

        Empty for a model without epochs.
        """
        epoch = json.loads((self.folder / "results.json").read_text("utf-8"))["best_epoch"]
        return {} if epoch is None else self.metrics().get(int(epoch), {})

    def metrics(self) -> dict[int, dict[str, float]]:
        """Return epoch → metric → value, for the epochs so far."""
        file = self.folder / METRICS
        if not file.is_file():
            return {}
        found: dict[int, dict[str, float]] = {}
        for row in csv.DictReader(file.read_text("utf-8").splitlines()):
            if row.get("epoch"):
                values = {name: float(text) for name, text in row.items() if text}
                found.setdefault(int(float(row["epoch"])), {}).update(values)
        return found

    def end(self) -> None:
        """End the trial with all its processes."""
        self._job.end()
