"""Reference windows: a machine's own, from a time when it was known to be sound.

They are read beside each of its windows; nothing is learned from them, and nothing is judged.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from hydrascope.data.splits import EQUIPMENT, Rows
from hydrascope.data.stored_machine import StoredMachine
from hydrascope.data.windows import microseconds
from hydrascope.graphs.fields import SensorReference
from hydrascope.graphs.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.schemas.errors import SpecError, closest


@dataclass(frozen=True)
class ReferenceSpec:
    """Which windows are references; at most one of the first two is given, without both none are.

    Attributes:
        label: Label column that is 1 in reference windows.
        first_h: The first so many hours of each machine's telemetry.
        per_step: Whether each step has a reference of its own.
    """

    label: str | None = None
    first_h: float | None = None
    per_step: bool = False

    @property
    def active(self) -> bool:
        """Whether there are any."""
        return self.label is not None or self.first_h is not None


def reference_windows(
    table: pd.DataFrame, window_s: float, spec: ReferenceSpec
) -> NDArray[np.bool_]:
    """Return which windows of a table are references, [rows].

    Raises:
        SpecError: No such label column; no window is a reference, or every one.
    """
    chosen = np.zeros(len(table), dtype=np.bool_)
    if spec.label is not None:
        key = f"data.reference.label: {spec.label!r}"
        labels = [str(column) for column in table.columns if column not in (EQUIPMENT, "start")]
        if spec.label not in labels:
            raise SpecError(
                f"{key} is no label column; accepted: {', '.join(labels) or 'none there is'}"
                + closest(spec.label, labels)
            )
        chosen = (pd.to_numeric(table[spec.label], errors="coerce") == 1).to_numpy(np.bool_)
    elif spec.first_h is not None:
        key = f"data.reference.first_h: {spec.first_h:g}"
        start = pd.Series(microseconds(table["start"]))
        first = start.groupby(table[EQUIPMENT].to_numpy()).transform("min")
        chosen = (start - first + window_s * 1e6 <= spec.first_h * 3.6e9).to_numpy(np.bool_)
    else:
        return chosen
    if not chosen.any() or chosen.all():
        every = "every" if chosen.any() else "no"
        raise SpecError(f"{key} marks {every} window of {len(table)}; expected some of them")
    return chosen


@torch.no_grad()
def sensor_reference(machine: StoredMachine, rows: Rows, spec: ReferenceSpec) -> SensorReference:
    """Return the means of the features of each sensor over windows `rows` of a machine.

    Over what is observed in them, and over the steps too unless `spec.per_step`. Summed in double
    precision, some windows at a time.
    """
    sensors, steps, features = machine.store.layout[SENSOR_FEATURES][0]
    axes = (0,) if spec.per_step else (0, 2)
    total = torch.zeros(sensors, steps if spec.per_step else 1, features, dtype=torch.float64)
    count = torch.zeros_like(total[..., :1])
    for x, observed in machine.parts((SENSOR_FEATURES, SENSOR_OBSERVED), rows):
        seen = observed.unsqueeze(-1)
        total += torch.where(seen, x, 0.0).sum(axes, dtype=torch.float64).reshape(total.shape)
        count += seen.sum(axes).reshape(count.shape)
    mean = (total / count.clamp(min=1.0)).float()
    known = count.squeeze(-1) > 0
    return SensorReference(
        mean.expand(sensors, steps, features).contiguous(),
        known.expand(sensors, steps).contiguous(),
    )
