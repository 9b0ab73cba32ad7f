"""All calls of MLflow's own client; importing MLflow takes seconds."""

from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from hydrascope.tracking.destination import PARENT, Destination

CLIENT_ERRORS = (MlflowException, OSError, SQLAlchemyError, ImportError)
"""What MLflow's client raises if it cannot deliver: the server or database is away, refuses, or
has no driver installed."""
_LATER = (408, 429)
"""The HTTP codes below 500 that ask the client to try again later."""

_PARAMS_AT_ONCE = 100
"""The most parameters that MLflow accepts in one request."""
_NAME = "mlflow.runName"


def refuses(error: BaseException) -> bool:
    """Return whether a retry would fail too, because the request itself is at fault."""
    if isinstance(error, MlflowException):
        code = error.get_http_status_code()
        return 400 <= code < 500 and code not in _LATER
    return isinstance(error, ImportError)


def open_run(run: Destination) -> str:
    """Open a run and return its id; create its experiment if necessary."""
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
    """Send one entry of `tracking.delivery` to an open run."""
    client = MlflowClient(uri)
    match entry:
        case {"kind": "open"}:
            pass  # the run is open already
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
            raise ValueError(f"unknown kind of tracking entry: {entry}")


def end_below(uri: str, experiment: str, parent: str | None, name: str, status: str) -> None:
    """End the runs named `name` below `parent` that are still shown as running."""
    client = MlflowClient(uri)
    known = client.get_experiment_by_name(experiment)
    below = f"tags.`{PARENT}` = '{parent}'"
    for run in client.search_runs([known.experiment_id], below) if known else ():
        if run.data.tags.get(_NAME) == name and run.info.status == "RUNNING":
            client.set_terminated(run.info.run_id, status)
