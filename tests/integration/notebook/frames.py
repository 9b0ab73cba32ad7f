"""Frames of the rig's telemetry, and what an evaluation says of their windows."""

import pandas as pd

from hydrascope.evaluation.predictions import predict
from hydrascope.experiment.restore import restore
from hydrascope.schemas import TimeWindow
from hydrascope.schemas.task import HeadKind

ROWS = (3, 4, 10, 200)
"""Test windows of the rig; two of them follow each other."""
KEYS = ["start", "head", "component"]
READING = {"resample": {"rate_hz": 1.0}}
"""The embedded samples are of 1 Hz, the rig's own rates are up to 100."""


def expected_of(ckpt: str) -> tuple[pd.DataFrame, list[TimeWindow]]:
    """Return what an evaluation says of `ROWS`, a row a head, and where these windows are."""
    _, evaluated, data = restore(ckpt)
    windows = sorted(data.split.test[list(ROWS)].tolist())
    starts = data.table["start"].iloc[windows]
    found = predict(evaluated, [data.dataset.gather(windows)])
    (machine,) = data.machines.values()
    components = [component.id for component in machine.topology.components]
    rows = []
    for head in evaluated.heads:
        said = found[head.name]
        for answer, window, number in zip(
            said.prediction.numpy(), said.window.tolist(), said.component.tolist(), strict=True
        ):
            binary = head.kind is HeadKind.BINARY
            rows.append(
                {
                    "start": data.table["start"].iloc[window],
                    "head": head.name,
                    "component": components[number] if number >= 0 else None,
                    "answer": None if binary else head.classes[answer.argmax()].name,
                    "probability": float(answer[0] if binary else answer.max()),
                }
            )
    spans = [TimeWindow(start=each, end=each + pd.Timedelta(seconds=60)) for each in starts]
    return pd.DataFrame(rows), spans


def narrow_of(wide: pd.DataFrame) -> pd.DataFrame:
    return wide.melt("timestamp", var_name="sensor_id")
