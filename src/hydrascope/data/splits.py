"""Which windows train, which decide when to stop, and which are judged.

Neighbouring windows are alike: a random split puts near copies of the test windows into training
and flatters every model. It is here to show that, not to be reported.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.schemas.errors import SpecError

Rows = NDArray[np.int64]

CONDITION = "condition"
"""Column that names the combination of labelled conditions a window was recorded under."""
PUBLISHED_FOLD = "unseen_condition_fold"
"""Column of a data set that fixes the folds of its unseen-conditions protocol."""


class Split(NamedTuple):
    """Row numbers of the window table, disjoint, each ascending."""

    train: Rows
    val: Rows
    test: Rows


def unseen_conditions(table: pd.DataFrame, folds: int, fold: int, val_fraction: float) -> Split:
    """Split so that no combination of conditions is in two parts.

    The folds are the published ones where the data set has as many, else the conditions are dealt
    out, the largest first, each to the smallest fold. A window of unknown condition is in no part,
    since it might be of any.

    Raises:
        SpecError: The windows have no condition, or too few to train, validate and test on.
    """
    if CONDITION not in table:
        raise SpecError(
            f"data.split.name=unseen_conditions needs a label column {CONDITION!r}; "
            f"the source has: {', '.join(table.columns)}"
        )
    if PUBLISHED_FOLD in table and table[PUBLISHED_FOLD].nunique() == folds:
        fold_of_row = table[PUBLISHED_FOLD].to_numpy()
    else:
        fold_of_row = _deal(table[CONDITION], folds)
    known = table[CONDITION].notna().to_numpy()
    test = np.flatnonzero(known & (fold_of_row == fold))
    rest = np.flatnonzero(known & (fold_of_row != fold))
    # The held-back conditions depend on the fold alone: seeds vary the network, not the data.
    conditions = table[CONDITION].iloc[rest]
    order = np.random.default_rng(fold).permutation(conditions.unique())
    if len(order) < 2:
        raise SpecError(
            f"data.split.folds is {folds}: {len(order)} condition is left beside fold {fold}, but "
            "one is needed to train on and one to validate on"
        )
    share = conditions.value_counts().loc[order].cumsum() / len(rest)
    # At least one condition is held back, and at least one is not.
    held = order[: min(int(np.searchsorted(share, val_fraction)) + 1, len(order) - 1)]
    in_val = conditions.isin(held).to_numpy()
    return Split(train=rest[~in_val], val=rest[in_val], test=test)


def random_windows(table: pd.DataFrame, folds: int, fold: int, val_fraction: float) -> Split:
    """Deal windows out at random. Leaks: report nothing from it."""
    order = np.random.default_rng(0).permutation(len(table))
    parts = np.array_split(order, folds)
    rest = np.concatenate([part for number, part in enumerate(parts) if number != fold])
    cut = round(len(rest) * val_fraction)
    return Split(train=np.sort(rest[cut:]), val=np.sort(rest[:cut]), test=np.sort(parts[fold]))


def chronological(table: pd.DataFrame, folds: int, fold: int, val_fraction: float) -> Split:
    """Train on the past, judge on the future: the last 1/`folds` of each machine's windows."""
    if fold != 0:
        raise SpecError(f"data.fold is {fold}; accepted with data.split.name=chronological: 0")
    parts: list[list[Rows]] = [[], [], []]
    order = table["start"].argsort(kind="stable").to_numpy()
    for equipment_id in table["equipment_id"].unique():
        rows = order[table["equipment_id"].to_numpy()[order] == equipment_id]
        past = len(rows) - len(rows) // folds
        cut = past - round(past * val_fraction)
        for part, chosen in zip(parts, np.split(rows, [cut, past]), strict=True):
            part.append(chosen)
    train, val, test = (np.sort(np.concatenate(part)) for part in parts)
    return Split(train=train, val=val, test=test)


SPLITS = {
    "unseen_conditions": unseen_conditions,
    "random": random_windows,
    "chronological": chronological,
}


def _deal(conditions: pd.Series, folds: int) -> Rows:
    sizes = conditions.value_counts()
    if len(sizes) < folds:
        raise SpecError(f"data.split.folds is {folds}; accepted: 2 to {len(sizes)} (conditions)")
    load = np.zeros(folds)
    fold_of: dict[object, int] = {}
    for condition, size in sizes.items():
        fold_of[condition] = smallest = int(load.argmin())
        load[smallest] += size
    return np.array([fold_of.get(condition, -1) for condition in conditions], dtype=np.int64)
