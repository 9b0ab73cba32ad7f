"""The MLflow run of a sweep, and those of its trials below it."""

from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from hydrascope.tracking.loggers import PARENT, artifact_location

_NAME = "mlflow.runName"


class NestedRuns:
    """Opens the run of a sweep, and ends what its trials left open."""

    def __init__(
        self, uri: str, experiment: str, name: str, folder: Path, parent: str | None = None
    ) -> None:
        """Go on with the run `parent`, or open one, in an experiment that is made if need be."""
        self._client = MlflowClient(uri)
        known = self._client.get_experiment_by_name(experiment)
        self._experiment: str = (
            known.experiment_id
            if known
            else self._client.create_experiment(experiment, artifact_location(uri, folder))
        )
        if parent is None:
            opened = self._client.create_run(self._experiment, run_name=name)
            parent = str(opened.info.run_id)
        else:
            self._client.update_run(parent, status="RUNNING")
        self.parent: str = parent

    def end(self, name: str, status: str) -> None:
        """End the runs of a trial that could not end themselves."""
        for run in self._children():
            if run.data.tags.get(_NAME) == name and run.info.status == "RUNNING":
                self._client.set_terminated(run.info.run_id, status)

    def finish(self, values: dict[str, float]) -> None:
        """End the run of the sweep with the best values."""
        for name, value in values.items():
            self._client.log_metric(self.parent, name, value)
        self._client.set_terminated(self.parent)

    def _children(self) -> list[Run]:
        found = self._client.search_runs([self._experiment], f"tags.`{PARENT}` = '{self.parent}'")
        return list(found)
