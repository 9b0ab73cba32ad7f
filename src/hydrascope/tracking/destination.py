"""The MLflow run that entries are sent to."""

from collections.abc import Mapping
from dataclasses import dataclass

PARENT = "mlflow.parentRunId"
"""The tag that makes MLflow list a run below another."""


@dataclass(frozen=True)
class Destination:
    """A run in MLflow; without a `run_id` the first delivery opens it.

    Attributes:
        uri: Database or server.
        experiment: Name of the experiment, under which its runs are listed together.
        name: Name of the run.
        tags: Tags of the run.
        artifacts: Where files go if the experiment is new; None: the server decides.
        start_ms: Start time in milliseconds since 1970.
        run_id: Id of the run, once it is open.
    """

    uri: str
    experiment: str
    name: str
    tags: Mapping[str, str]
    artifacts: str | None
    start_ms: int
    run_id: str | None = None
