"""The units that intervals resample and thresholds count."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.named_parts import label_column
from hydrascope.data.split_spec import CONDITION, Split, SplitSpec
from hydrascope.data.windows import EQUIPMENT

_WINDOWS = "windows"
"""The name of the units where each window is one."""


def interval_units(
    table: pd.DataFrame, spec: SplitSpec, split: Split
) -> tuple[str, NDArray[np.int64]]:
    """Return the name of the units that intervals resample, and the number of each window's, [W].

    Without `interval_group` these are the units that the split never divides: conditions or
    machines, for `column` the machines if the test has several, and otherwise the windows. Windows
    without a value of `interval_group` are one unit.

    Raises:
        SpecError: There is no such column.
    """
    if spec.interval_group is not None:
        values = label_column(table, "interval_group", spec.interval_group)
        named = {EQUIPMENT: "machines", CONDITION: "conditions"}
        name = named.get(spec.interval_group, f"values of {spec.interval_group}")
        return name, pd.factorize(values)[0]
    if spec.name == "unseen_conditions":
        return "conditions", pd.factorize(table[spec.group])[0]
    several = spec.name == "column" and table[EQUIPMENT].iloc[split.test].nunique() > 1
    if spec.name == "by_machine" or several:
        return "machines", pd.factorize(table[EQUIPMENT])[0]
    return _WINDOWS, np.arange(len(table))


def run_units(unit: str, units: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for each window, [W], that consecutive windows share if they form a run.

    Args:
        unit: The name of the units, of `interval_units`.
        units: The number of each window's unit, [W].
    """
    return np.zeros_like(units) if unit == _WINDOWS else units
