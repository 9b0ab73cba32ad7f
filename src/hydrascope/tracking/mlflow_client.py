"""What MLflow's own client does for us; imports MLflow, which takes seconds."""

from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from hydrascope.tracking.destination import PARENT, Destination

CLIENT_ERRORS = (MlflowException, OSError, SQLAlchemyError, ImportError)
"""What MLflow's client raises where it cannot say something: the server or database is away, does
not take it, or has no driver here."""
_LATER = (408, 429)
"""Codes of HTTP below 500 by which a server asks for patience."""

_PARAMS_AT_ONCE = 100
"""More are refused by MLflow."""
_NAME = "mlflow.runName"


def refuses(error: BaseException) -> bool:
    """Tell whether MLflow would say the same once more, as it does of a fault of the request."""
    if isinstance(error, MlflowException):
        code = error.get_http_status_code()
        return 400 <= code < 500 and code not in _LATER
    return isinstance(error, ImportError)


def open_run(run: Destination) -> str:
    """Open a run, in an experiment that is made if need be; return its id."""
    client = MlflowClient(run.uri)
    known = client.get_experiment_by_name(run.experiment)
    experiment_id = (
        known.experiment_id
        if known
        else client.create_experiment(run.experiment, artifact_location=run.artifacts)
    )
    opened = client.create_run(experiment_id, run.start_ms, dict(run.tags), run.name)
    return str(opened.info.run_id)


def tell(uri: str, run_id: str, entry: Mapping[str, Any]) -> None:
    """Tell a run that is open one entry (`tracking.delivery`)."""
    client = MlflowClient(uri)
    match entry:
        case {"kind": "open"}:
            pass  # it is
        case {"kind": "go on"}:
            client.update_run(run_id, status="RUNNING")
        case {"kind": "params", "values": dict(values)}:
            params = [Param(name, value) for name, value in values.items()]
            for at in range(0, len(params), _PARAMS_AT_ONCE):
                client.log_batch(run_id, params=params[at : at + _PARAMS_AT_ONCE])
        case {"kind": "metrics", "values": dict(values), "step": step, "at_ms": at_ms}:
            metrics = [Metric(name, value, at_ms, step) for name, value in values.items()]
            client.log_batch(run_id, metrics=metrics)
        case {"kind": "tags", "values": dict(values)}:
            client.log_batch(run_id, tags=[RunTag(k, v) for k, v in values.items()])
        case {"kind": "file", "path": str(path), "folder": folder}:
            client.log_artifact(run_id, path, folder)
        case {"kind": "end", "status": str(status), "at_ms": at_ms}:
            client.set_terminated(run_id, status, at_ms)
        case _:
            raise ValueError(f"nothing that MLflow can be told: {entry}")


def end_below(uri: str, experiment: str, parent: str | None, name: str, status: str) -> None:
    """End the runs of that name below `parent` that could not end themselves."""
    client = MlflowClient(uri)
    known = client.get_experiment_by_name(experiment)
    below = f"tags.`{PARENT}` = '{parent}'"
    for run in client.search_runs([known.experiment_id], below) if known else ():
        if run.data.tags.get(_NAME) == name and run.info.status == "RUNNING":
            client.set_terminated(run.info.run_id, status)
