"""The MLflow run of a sweep, and those of its trials below it."""

import logging
from collections.abc import Callable
from pathlib import Path

from hydrascope.tracking.destination import Destination
from hydrascope.tracking.loggers import artifact_location
from hydrascope.tracking.mlflow_run import MLflowRun, now_ms


class NestedRuns:
    """Opens the run of a sweep, and ends what its trials left open."""

    def __init__(
        self,
        uri: str,
        experiment: str,
        name: str,
        folder: Path,
        say: Callable[[str], object],
        parent: str | None = None,
    ) -> None:
        """Go on with the run `parent`, or open one, in an experiment that is made if need be."""
        for library in ("alembic", "mlflow"):  # say how they make a new database
            logging.getLogger(library).setLevel(logging.ERROR)
        run = Destination(uri, experiment, name, {}, artifact_location(uri), now_ms(), parent)
        self._run, self._uri, self._say = MLflowRun(run, folder, say), uri, say
        if parent is not None:
            self._run.go_on()

    @property
    def parent(self) -> str | None:
        """Id of the sweep's run; None as long as MLflow, asked again, has not opened it."""
        if self._run.version is None:
            self._run.open()
        return self._run.version

    def end(self, name: str, status: str) -> None:
        """End the runs of a trial that could not end themselves."""
        from hydrascope.tracking.mlflow_client import CLIENT_ERRORS, end_below

        try:
            end_below(self._uri, self._run.name, self.parent, name, status)
        except CLIENT_ERRORS:
            self._say(f"Tracking: MLflow is away; the run {name} stays open there")

    def finish(self, values: dict[str, float]) -> None:
        """End the run of the sweep with the best values."""
        self._run.log_metrics(values)
        self._run.end("FINISHED")
