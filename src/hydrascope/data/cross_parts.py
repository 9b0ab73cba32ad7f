"""The windows that set the thresholds of normality, and what was learned when they were held out.

Besides the validation windows, parts of the training windows can be held out in turn, each from a
fit of its own (V. Vovk, "Cross-conformal predictors", Ann. Math. Artif. Intell. 74, 2015).
"""

from typing import NamedTuple

import numpy as np

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.windows import EQUIPMENT, WindowNumbers, microseconds
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import NormalitySpec


class HeldOutPart(NamedTuple):
    """Windows that were held out of one fit, as rows of the window table."""

    rows: WindowNumbers
    """The windows to learn from that were held out."""
    train: WindowNumbers
    """The windows that were learned from."""


def held_out_parts(data: HydraulicDataModule, spec: NormalitySpec) -> list[HeldOutPart]:
    """Return all held-out windows: those of validation first, then `training_parts`.

    Data that were not trained on have neither.
    """
    train, val = (part[data.learned[part]] for part in (data.split.train, data.split.val))
    parts = training_parts(data, spec.cross_folds) if spec.cross_folds and len(train) else []
    return [HeldOutPart(val, train), *(HeldOutPart(p, np.setdiff1d(train, p)) for p in parts)]


def training_parts(data: HydraulicDataModule, folds: int) -> list[WindowNumbers]:
    """Divide the training windows to learn from into parts of similar size.

    Windows that the split keeps together stay together; the units are dealt out in random order.
    If each window is a unit, a part is a stretch of time of each machine.

    Raises:
        SpecError: There are fewer units than parts.
    """
    train = data.split.train[data.learned[data.split.train]]
    if data.unit == "windows":
        part = _stretches(data, train, folds)
    else:
        units = np.unique(data.units[train])
        _check(len(units), folds, data.unit)
        order = np.random.default_rng(data.loader.seed).permutation(len(units))
        part = (order % folds)[np.searchsorted(units, data.units[train])]
    return [train[part == each] for each in range(folds)]


def _stretches(data: HydraulicDataModule, train: WindowNumbers, folds: int) -> WindowNumbers:
    """Return the part of each training window, [R]: equal stretches of each machine's windows."""
    start_us, machine = microseconds(data.table["start"])[train], data.table[EQUIPMENT].iloc[train]
    part = np.zeros(len(train), dtype=np.int64)
    for own in machine.reset_index(drop=True).groupby(machine.to_numpy()).indices.values():
        _check(len(own), folds, "windows of a machine")
        ordered = own[np.argsort(start_us[own], kind="stable")]
        part[ordered] = np.arange(len(own)) * folds // len(own)
    return part


def _check(count: int, folds: int, units: str) -> None:
    if count < folds:
        raise SpecError(
            f"{folds} is more than the {count} {units} of the training; accepted: 0, or 2 to "
            f"{count}",
            path="task.normality.cross_folds",
        )
