"""Which windows train, which decide when to stop, and which are judged.

Neighbouring windows are alike: a random split puts near copies of the test windows into training
and flatters every model. It is here to show that, not to be reported.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.windows import WindowNumbers, microseconds
from hydrascope.schemas.errors import SpecError

CONDITION = "condition"
"""Column that names the combination of labelled conditions a window was recorded under."""
EQUIPMENT = "equipment_id"
PUBLISHED_FOLD = "unseen_condition_fold"
"""Column of a data set that fixes the folds of its unseen-conditions protocol."""


class Split(NamedTuple):
    """Row numbers of the window table, disjoint, each ascending."""

    train: WindowNumbers
    val: WindowNumbers
    test: WindowNumbers

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the rows of each part."""
        digest = hashlib.sha256()
        for rows in self:
            digest.update(f"{len(rows)} ".encode())
            digest.update(rows.astype("<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class SplitSpec:
    """How to split.

    Attributes:
        name: One of `SPLITS`.
        folds: Number of parts that are the test set in turn.
        fold: Which of them is.
        val_fraction: Share of the others held back to decide when to stop.
        group: Column of `unseen_conditions`.
        window_s: Length of a window: the gap that `time_blocks` leaves.
        val_group: Column whose values are held back whole in place of those that are dealt out:
            where few groups are left to learn from, none need be given up. Of `unseen_conditions`.
        share: Of what is not judged, how much is learned from and validated on. Of
            `unseen_conditions` and `by_machine`.
    """

    name: str
    folds: int
    fold: int
    val_fraction: float
    group: str = CONDITION
    window_s: float = 0.0
    val_group: str | None = None
    share: float = 1.0

    @property
    def unit(self) -> str:
        """What is dealt out whole, in the plural."""
        return {"unseen_conditions": "conditions", "by_machine": "machines"}.get(
            self.name, "windows"
        )


def make_split(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Split a window table.

    Raises:
        SpecError: The table does not allow such a split.
    """
    return SPLITS[spec.name](table, spec)


def unseen_conditions(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Split so that no group of the group column is in two parts.

    The folds are the published ones where the data set has as many, else the groups are dealt
    out, the largest first, each to the smallest fold. A window of unknown group is in no part,
    since it might be of any.

    Raises:
        SpecError: The windows have no group, or too few to train, validate and test on.
    """
    if spec.group not in table:
        raise SpecError(
            f"data.split.name=unseen_conditions needs a label column {spec.group!r}; "
            f"the source has: {', '.join(table.columns)}"
        )
    published = PUBLISHED_FOLD if spec.group == CONDITION and PUBLISHED_FOLD in table else None
    if published and table[published].nunique() == spec.folds:
        fold_of_row = table[published].to_numpy()
    else:
        fold_of_row = _fold_of_row(table[spec.group], spec.folds)
    held_by = spec.group if spec.val_group is None else spec.val_group
    if held_by not in table:
        raise SpecError(
            f"data.split.val_group is {held_by!r}; the source has: {', '.join(table.columns)}"
        )
    return _grouped(table[spec.group], spec, fold_of_row, table[held_by])


def units(table: pd.DataFrame, spec: SplitSpec) -> NDArray[np.int64]:
    """Return the number of the `SplitSpec.unit` that each window belongs to, [W]."""
    match spec.unit:
        case "conditions":
            return pd.factorize(table[spec.group])[0]
        case "machines":
            return pd.factorize(table[EQUIPMENT])[0]
    return np.arange(len(table))


def by_machine(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Split so that no machine is in two parts, to judge on machines never seen.

    Raises:
        SpecError: Too few machines to train, validate and test on.
    """
    machines = table[EQUIPMENT]
    return _grouped(machines, spec, _fold_of_row(machines, spec.folds), machines)


def random_windows(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Deal windows out at random. Leaks: report nothing from it."""
    order = np.random.default_rng(0).permutation(len(table))
    parts = np.array_split(order, spec.folds)
    rest = np.concatenate([part for number, part in enumerate(parts) if number != spec.fold])
    cut = round(len(rest) * spec.val_fraction)
    return Split(train=np.sort(rest[cut:]), val=np.sort(rest[:cut]), test=np.sort(parts[spec.fold]))


def chronological(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Train on the past, judge on the future: the last 1/`folds` of each machine's windows."""
    if spec.fold != 0:
        raise SpecError(f"data.fold is {spec.fold}; accepted with data.split.name=chronological: 0")
    parts: list[list[WindowNumbers]] = [[], [], []]
    for rows in _machines_in_time(table):
        past = len(rows) - len(rows) // spec.folds
        cut = past - round(past * spec.val_fraction)
        for part, chosen in zip(parts, np.split(rows, [cut, past]), strict=True):
            part.append(chosen)
    train, val, test = (np.sort(np.concatenate(part)) for part in parts)
    return Split(train=train, val=val, test=test)


def time_blocks(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Cut each machine's windows into `folds` blocks of time; block `fold` is the test set.

    Validated is on the windows just before the test block, before the first one on the last
    windows of all. Between two parts lies a gap of one window's length at least: the windows in it
    are in no part, so that no two parts share samples, or the state of a machine that changes
    slowly.

    Raises:
        SpecError: No machine has windows enough for all parts.
    """
    start_s = microseconds(table["start"]) / 1e6
    parts: list[list[WindowNumbers]] = [[], [], []]
    for rows in _machines_in_time(table):
        blocks = np.array_split(rows, spec.folds)
        test = blocks[spec.fold]
        # In a circle, what ends with the windows just before the test block.
        rest = np.concatenate([*blocks[spec.fold + 1 :], *blocks[: spec.fold]])
        train, val = np.split(rest, [len(rest) - round(len(rest) * spec.val_fraction)])
        val = _apart(start_s, val, test, spec.window_s)
        train = _apart(start_s, train, np.concatenate([val, test]), spec.window_s)
        for part, chosen in zip(parts, (train, val, test), strict=True):
            part.append(chosen)
    split = Split(*(np.sort(np.concatenate(part)) for part in parts))
    if not all(len(part) for part in split):
        raise SpecError(
            f"data.split.folds is {spec.folds}: the windows are too few for blocks with a gap of "
            f"{spec.window_s:g} s between them"
        )
    return split


SPLITS: Mapping[str, Callable[[pd.DataFrame, SplitSpec], Split]] = {
    "unseen_conditions": unseen_conditions,
    "by_machine": by_machine,
    "time_blocks": time_blocks,
    "chronological": chronological,
    "random": random_windows,
}


def _machines_in_time(table: pd.DataFrame) -> list[WindowNumbers]:
    """Return each machine's rows in order of time."""
    order = table["start"].argsort(kind="stable").to_numpy()
    code = pd.factorize(table[EQUIPMENT])[0][order]
    by_machine = order[np.argsort(code, kind="stable")]
    return np.split(by_machine, np.cumsum(np.bincount(code))[:-1])


def _apart(
    start_s: NDArray[np.float64], rows: WindowNumbers, others: WindowNumbers, window_s: float
) -> WindowNumbers:
    """Keep those of `rows` with a window's length or more between them and any of `others`."""
    if not len(others) or not len(rows):
        return rows
    there, here = np.sort(start_s[others]), start_s[rows]
    after = np.searchsorted(there, here)
    nearest = np.minimum(
        np.abs(here - there[np.maximum(after - 1, 0)]),
        np.abs(here - there[np.minimum(after, len(there) - 1)]),
    )
    return rows[nearest >= 2 * window_s - 1e-6]


def _grouped(
    groups: pd.Series, spec: SplitSpec, fold_of_row: NDArray[np.int64], held_by: pd.Series
) -> Split:
    """Judge the windows of a fold, and hold values of `held_by` back of the others."""
    known = groups.notna().to_numpy()
    test = np.flatnonzero(known & (fold_of_row == spec.fold))
    rest = np.flatnonzero(known & held_by.notna().to_numpy() & (fold_of_row != spec.fold))
    # The held-back groups depend on the fold alone: seeds vary the network, not the data.
    mine = held_by.iloc[rest]
    order = np.random.default_rng(spec.fold).permutation(mine.unique())
    if len(order) < 2:
        raise SpecError(
            f"data.split.folds is {spec.folds}: {len(order)} {held_by.name} is left beside fold "
            f"{spec.fold}, but one is needed to train on and one to validate on"
        )
    if spec.share < 1.0:
        order = order[: max(2, round(len(order) * spec.share))]
        rest = rest[mine.isin(order).to_numpy()]
        mine = held_by.iloc[rest]
    share = mine.value_counts().loc[order].cumsum() / len(rest)
    # At least one group is held back, and at least one is not.
    held = order[: min(int(np.searchsorted(share, spec.val_fraction)) + 1, len(order) - 1)]
    in_val = mine.isin(held).to_numpy()
    return Split(train=rest[~in_val], val=rest[in_val], test=test)


def _fold_of_row(groups: pd.Series, folds: int) -> NDArray[np.int64]:
    sizes = groups.value_counts()
    if len(sizes) < folds:
        raise SpecError(
            f"data.split.folds is {folds}; accepted: 2 to {len(sizes)} (groups of {groups.name!r})"
        )
    load = np.zeros(folds)
    fold_of: dict[object, int] = {}
    for group, size in sizes.items():
        fold_of[group] = smallest = int(load.argmin())
        load[smallest] += size
    return np.array([fold_of.get(group, -1) for group in groups], dtype=np.int64)
