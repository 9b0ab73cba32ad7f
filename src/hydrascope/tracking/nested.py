"""The MLflow run of a sweep, with the runs of its trials below it."""

import logging
from collections.abc import Callable
from pathlib import Path

from hydrascope.tracking.destination import Destination
from hydrascope.tracking.loggers import artifact_location
from hydrascope.tracking.mlflow_run import MLflowRun, now_ms


class NestedRuns:
    """Opens the run of a sweep, and ends the runs that its trials left open."""

    def __init__(
        self,
        uri: str,
        experiment: str,
        name: str,
        folder: Path,
        say: Callable[[str], object],
        parent: str | None = None,
    ) -> None:
        """Continue the run `parent`, or open one; create the experiment if necessary."""
        for library in ("alembic", "mlflow"):  # verbose when they create a database
            logging.getLogger(library).setLevel(logging.ERROR)
        run = Destination(uri, experiment, name, {}, artifact_location(uri), now_ms(), parent)
        self._run, self._uri, self._say = MLflowRun(run, folder, say), uri, say
        if parent is not None:
            self._run.go_on()

    @property
    def parent(self) -> str | None:
        """The id of the sweep's run; tries to open it if necessary, None if MLflow is away."""
        if self._run.version is None:
            self._run.open()
        return self._run.version

    def end(self, name: str, status: str) -> None:
        """End the runs of a trial that are still shown as running."""
        from hydrascope.tracking.mlflow_client import CLIENT_ERRORS, end_below

        try:
            end_below(self._uri, self._run.name, self.parent, name, status)
        except CLIENT_ERRORS:
            self._say(f"Tracking: MLflow is away; the run {name} stays open there")

    def finish(self, values: dict[str, float], status: str = "FINISHED") -> None:
        """Log the best values and end the run of the sweep."""
        if values:
            self._run.log_metrics(values)
        self._run.end(status)
