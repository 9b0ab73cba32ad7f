"""What a service is sent and answers, as DataFrames."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from hydrascope.notebook.answer_table import as_table, finding_rows
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadKind
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.findings import Finding
from hydrascope.serving.diagnosis.requests import SignalIn
from hydrascope.serving.http.history_views import SeriesAnswer, SignalsAnswer

_UNEVEN = 0.01
"""Share of a step by which the times of samples may deviate from an even grid."""
_SERIES = ("time", "component_id", "head", "label", "measure", "unit", "mean", "lowest", "highest")
_SIGNALS = ("time", "sensor_id", "unit", "state", "low", "high")


def signals_of(frame: pd.DataFrame) -> dict[str, SignalIn]:
    """Return the signals of one window: a column a sensor, by its time.

    Raises:
        SpecError: The index is no time with zone, its steps differ, or a column has no numbers.
    """
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None or len(index) < 2:
        raise SpecError(
            f"frame: the index {index.dtype} of {len(index)} rows is not accepted; expected two "
            "times or more, with zone"
        )
    steps_s = np.diff(index.as_unit("ns").asi8) / 1e9
    step_s = float(np.median(steps_s))
    if step_s <= 0 or np.abs(steps_s - step_s).max() > _UNEVEN * step_s:
        raise SpecError(
            f"frame: steps of {steps_s.min():g} to {steps_s.max():g} s are not accepted; expected "
            "rows at even steps (samples that are missing as NaN)"
        )
    signals = {}
    for name in frame.columns:
        try:
            values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            raise SpecError(
                f"frame: column {name!r} of {frame[name].dtype} is not accepted; expected numbers"
            ) from None
        shown = [float(each) if np.isfinite(each) else None for each in values]
        signals[str(name)] = SignalIn(values=shown, rate_hz=1 / step_s)
    return signals


def diagnoses_frame(diagnoses: Iterable[Diagnosis]) -> pd.DataFrame:
    """Return a row an answer, with the columns of `Diagnoser.predict`."""
    return as_table(
        [
            row
            for each in diagnoses
            for component, findings in ({None: each.machine} | each.components).items()
            for head, found in findings.items()
            for row in finding_rows(
                each.equipment_id,
                pd.Timestamp(each.window.start),
                head,
                component,
                found,
                _labels(found),
            )
        ]
    )


def _labels(found: Finding) -> tuple[str, ...]:
    """Return the labels that an answer names."""
    named = found.probabilities if found.kind is HeadKind.MULTI_LABEL else found.values
    return tuple(named or ())


def series_frame(answer: SeriesAnswer) -> pd.DataFrame:
    """Return a row a point."""
    rows = [
        (point[0], line.component_id, line.head, line.label, line.measure, line.unit, *point[1:])
        for line in answer.series
        for point in line.points
    ]
    return _with_times(pd.DataFrame(rows, columns=_SERIES))


def signals_frame(answer: SignalsAnswer) -> pd.DataFrame:
    """Return a row for each sensor and time."""
    rows = [
        (time, sensor, line.unit, line.state, low, high)
        for sensor, line in answer.signals.items()
        for time, low, high in line.values
    ]
    numbers = {"low": "float64", "high": "float64"}
    return _with_times(pd.DataFrame(rows, columns=_SIGNALS).astype(numbers))


def _with_times(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(time=pd.to_datetime(table["time"], utc=True))
