"""Telemetry folders made for a test: a press of three sensors, and tables as files."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from typer.testing import CliRunner

from hydrascope.cli import app

SENSORS = (
    {"id": "p", "kind": "pressure", "unit": "bar", "rate_hz": 10, "range": [0, 400]},
    {"id": "T", "kind": "temperature", "unit": "degC", "rate_hz": 1},
    {"id": "x", "kind": "position", "unit": "mm", "rate_hz": 10},
)


def machine(equipment_id: str = "press") -> dict[str, object]:
    component = {"id": "pump", "kind": "pump", "sensors": [dict(each) for each in SENSORS]}
    return {
        "equipment": {"equipment_id": equipment_id, "name": "Press"},
        "topology": {"id": "press", "components": [component]},
    }


def make_folder(folder: Path, *equipment_ids: str) -> Path:
    """Make a folder that holds machine files only."""
    (folder / "machines").mkdir(parents=True)
    for equipment_id in equipment_ids or ("press",):
        path = folder / "machines" / f"{equipment_id}.yaml"
        path.write_text(yaml.safe_dump(machine(equipment_id)))
    return folder


def narrow(
    sensor_id: str,
    times: pd.DatetimeIndex,
    values: object,
    equipment_id: str = "press",
    **more: object,
) -> pd.DataFrame:
    columns = {"timestamp": times, "equipment_id": equipment_id, "sensor_id": sensor_id}
    return pd.DataFrame({**columns, "value": values, **more})


def every(seconds: float, count: int, start: str = "2024-05-01T12:00:00Z") -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq=pd.Timedelta(seconds=seconds), unit="us")


def write(frame: pd.DataFrame, path: Path, row_group: int = 1000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(table, path, row_group_size=row_group)


def check(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Run the check; return its exit code and its report."""
    result = CliRunner().invoke(app, ["check", str(folder), "--json", *options])
    return result.exit_code, json.loads(result.stdout)


def said(report: dict[str, Any], subject: str) -> str:
    """Return what a report says of a file, a sensor or a label, a line for each finding."""
    return "\n".join(
        f"{each['severity']}: {each['message']}"
        for each in report["findings"]
        if each["subject"].endswith(subject)
    )
