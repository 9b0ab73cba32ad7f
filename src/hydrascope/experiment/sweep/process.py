"""A trial's process, as the sweep sees it: started, watched, ended."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from hydrascope.experiment.settings import TrainSettings


class TrialProcess:
    """One training in a session of its own, so that all its processes end together."""

    def __init__(self, settings: TrainSettings) -> None:
        """Start it; what it prints goes to `trial.log` in its folder."""
        self.folder = Path(settings.run_dir)
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "settings.json"
        file.write_text(settings.model_dump_json(by_alias=True, indent=2), "utf-8")
        # A user's own classes are found where this process finds them.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with (self.folder / "trial.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.trial", str(file)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def last_line(self) -> str:
        """Return what it said last: of one that failed, why."""
        lines = (self.folder / "trial.log").read_text("utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "said nothing")

    @property
    def best_epoch(self) -> int:
        """Epoch of the checkpoint that it kept, once it has ended."""
        return int(json.loads((self.folder / "results.json").read_text("utf-8"))["best_epoch"])

    def metrics(self) -> dict[int, dict[str, float]]:
        """Return epoch → metric → value, as far as it has come."""
        file = self.folder / "metrics.csv"
        if not file.is_file():
            return {}
        # It may be writing a line just now.
        whole, _, _ = file.read_text("utf-8").rpartition("\n")
        found: dict[int, dict[str, float]] = {}
        for row in csv.DictReader(whole.splitlines()):
            if row.get("epoch"):
                values = {name: float(text) for name, text in row.items() if text}
                found.setdefault(int(float(row["epoch"])), {}).update(values)
        return found

    def end(self) -> None:
        """End all its processes at once, and wait for them."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
