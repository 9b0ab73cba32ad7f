"""Reference windows of a machine, from a time when it was known to be healthy.

The network reads them together with each window; they are in no part of the split.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.data.stored_machine import StoredMachine
from hydrascope.data.windows import EQUIPMENT, microseconds
from hydrascope.graphs.reference import mean_reference
from hydrascope.schemas.errors import SpecError, closest


@dataclass(frozen=True)
class ReferenceSpec:
    """Selection of reference windows, by `label` or `first_h`; without both, there are none.

    Attributes:
        label: Label column that is 1 in reference windows.
        first_h: Length of the reference time, from the start of each machine's telemetry.
        per_step: Whether each step has its own reference.
    """

    label: str | None = None
    first_h: float | None = None
    per_step: bool = False

    @property
    def active(self) -> bool:
        """Whether there are reference windows."""
        return self.label is not None or self.first_h is not None


def reference_windows(
    table: pd.DataFrame, window_s: float, spec: ReferenceSpec
) -> NDArray[np.bool_]:
    """Return a mask [rows] of the reference windows of a table.

    Raises:
        SpecError: There is no such label column, or no window or every window is a reference.
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


def with_references(
    machines: Sequence[StoredMachine], reference: NDArray[np.bool_], spec: ReferenceSpec
) -> list[StoredMachine]:
    """Return the machines with the references of their sensors, computed in bounded memory.

    Args:
        machines: All machines, in the order of the window table.
        reference: Whether a window is a reference, [rows].
        spec: How references are read.
    """
    found, first = [], 0
    for machine in machines:
        rows = np.flatnonzero(reference[first : first + len(machine)])
        parts = machine.parts((SENSOR_FEATURES, SENSOR_OBSERVED), rows)
        shape, _ = machine.store.layout[SENSOR_FEATURES]
        own = mean_reference(parts, shape, per_step=spec.per_step)
        found.append(replace(machine, reference=own))
        first += len(machine)
    return found
