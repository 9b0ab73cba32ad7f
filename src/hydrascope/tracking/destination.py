"""Which run of MLflow is told something."""

from collections.abc import Mapping
from dataclasses import dataclass

PARENT = "mlflow.parentRunId"
"""Tag by which MLflow lists a run below another."""


@dataclass(frozen=True)
class Destination:
    """A run in MLflow; without `run_id` it is opened by the first delivery.

    Attributes:
        uri: Database or server.
        experiment: Runs of one name are listed together.
        name: Of the run.
        tags: Of the run.
        artifacts: Where files go if the experiment is new; None: the server knows.
        start_ms: When it began, milliseconds since 1970.
        run_id: Of the run, once it is open.
    """

    uri: str
    experiment: str
    name: str
    tags: Mapping[str, str]
    artifacts: str | None
    start_ms: int
    run_id: str | None = None
