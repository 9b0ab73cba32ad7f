"""Splits of windows into training, validation and test.

Neighbouring windows are alike, so a random split puts near copies of test windows into training and
overrates every model. It exists to demonstrate this, not to be reported.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from hydrascope.data.windows import WindowNumbers, microseconds
from hydrascope.schemas.arguments import checked_fields
from hydrascope.schemas.errors import SpecError

CONDITION = "condition"
"""The column with the combination of labelled conditions of a window."""
EQUIPMENT = "equipment_id"
PUBLISHED_FOLD = "unseen_condition_fold"
"""The column with the published folds of a data set's unseen-conditions protocol."""


class Split(NamedTuple):
    """Disjoint sets of rows of the window table, each ascending."""

    train: WindowNumbers
    val: WindowNumbers
    test: WindowNumbers

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the rows of all parts."""
        digest = hashlib.sha256()
        for rows in self:
            digest.update(f"{len(rows)} ".encode())
            digest.update(rows.astype("<i8").tobytes())
        return digest.hexdigest()


@checked_fields
@dataclass(frozen=True)
class SplitSpec:
    """Settings of a split.

    Attributes:
        name: One of `SPLITS`.
        folds: Number of folds.
        fold: The fold to test on.
        val_fraction: Share of the other folds used for validation.
        group: Group column of `unseen_conditions`.
        window_s: Length of a window, which is the gap in `time_blocks`.
        val_group: Column of the groups held back for validation, in place of `group`, for
            `unseen_conditions`. If few groups are left to train on, none has to be given up.
        share: Share of the data outside the test set to use, for `unseen_conditions` and
            `by_machine`.
    """

    name: str
    folds: Annotated[int, Field(ge=1)]
    fold: Annotated[int, Field(ge=0)]
    val_fraction: Annotated[float, Field(ge=0, lt=1)]
    group: str = CONDITION
    window_s: float = 0.0
    val_group: str | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def unit(self) -> str:
        """The units that are never divided between parts, in the plural."""
        return {"unseen_conditions": "conditions", "by_machine": "machines"}.get(
            self.name, "windows"
        )


def make_split(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Split a window table.

    Raises:
        SpecError: The table does not allow such a split.
    """
    if spec.name not in SPLITS:
        raise SpecError(f"split.name: {spec.name!r} is not accepted; expected {', '.join(SPLITS)}")
    return SPLITS[spec.name](table, spec)


def unseen_conditions(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Split so that no group of the group column is in two parts.

    Published folds are used if their number matches. Otherwise, the groups are assigned to the
    smallest fold, the largest group first. A window of unknown group is in no part.

    Raises:
        SpecError: The windows have no groups, or too few for three parts.
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
    """Return the number of each window's `SplitSpec.unit`, [W]."""
    match spec.unit:
        case "conditions":
            return pd.factorize(table[spec.group])[0]
        case "machines":
            return pd.factorize(table[EQUIPMENT])[0]
    return np.arange(len(table))


def by_machine(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Split so that no machine is in two parts, to test on unseen machines.

    Raises:
        SpecError: There are too few machines for three parts.
    """
    machines = table[EQUIPMENT]
    return _grouped(machines, spec, _fold_of_row(machines, spec.folds), machines)


def random_windows(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Split at random. This leaks, so do not report its results."""
    order = np.random.default_rng(0).permutation(len(table))
    parts = np.array_split(order, spec.folds)
    rest = np.concatenate([part for number, part in enumerate(parts) if number != spec.fold])
    cut = round(len(rest) * spec.val_fraction)
    return Split(train=np.sort(rest[cut:]), val=np.sort(rest[:cut]), test=np.sort(parts[spec.fold]))


def chronological(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Train on the past and test on the future: the last 1/`folds` of each machine's windows."""
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
    """Divide each machine's windows into `folds` blocks of time; block `fold` is the test set.

    Validation uses the windows just before the test block, or the last windows if the first block
    is tested. Between two parts, windows are left out for at least one window's length. The parts
    thus share no samples, and no state of a machine that changes slowly.

    Raises:
        SpecError: No machine has enough windows for all parts.
    """
    start_s = microseconds(table["start"]) / 1e6
    parts: list[list[WindowNumbers]] = [[], [], []]
    for rows in _machines_in_time(table):
        blocks = np.array_split(rows, spec.folds)
        test = blocks[spec.fold]
        # In circular order, so that it ends just before the test block.
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
    """Keep the `rows` that are at least a window's length away from all `others`."""
    if not len(others) or not len(rows):
        return rows
    start, other = start_s[rows], np.sort(start_s[others])
    after = np.searchsorted(other, start)
    nearest = np.minimum(
        np.abs(start - other[np.maximum(after - 1, 0)]),
        np.abs(start - other[np.minimum(after, len(other) - 1)]),
    )
    return rows[nearest >= 2 * window_s - 1e-6]


def _grouped(
    groups: pd.Series, spec: SplitSpec, fold_of_row: NDArray[np.int64], held_by: pd.Series
) -> Split:
    """Test on the windows of a fold and hold back values of `held_by` for validation."""
    known = groups.notna().to_numpy()
    test = np.flatnonzero(known & (fold_of_row == spec.fold))
    rest = np.flatnonzero(known & held_by.notna().to_numpy() & (fold_of_row != spec.fold))
    # The held-back groups depend on the fold alone: seeds vary the network, not the data.
    value = held_by.iloc[rest]
    order = np.random.default_rng(spec.fold).permutation(value.unique())
    if len(order) < 2:
        raise SpecError(
            f"data.split.folds is {spec.folds}: {len(order)} {held_by.name} is left beside fold "
            f"{spec.fold}, but one is needed to train on and one to validate on"
        )
    if spec.share < 1.0:
        order = order[: max(2, round(len(order) * spec.share))]
        rest = rest[value.isin(order).to_numpy()]
        value = held_by.iloc[rest]
    share = value.value_counts().loc[order].cumsum() / len(rest)
    # At least one group is held back, and at least one is not.
    held = order[: min(int(np.searchsorted(share, spec.val_fraction)) + 1, len(order) - 1)]
    in_val = value.isin(held).to_numpy()
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
