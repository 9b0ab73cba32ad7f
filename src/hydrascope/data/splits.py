"""Splits of windows into training, validation and test.

Neighbouring windows are alike, so a random split puts near copies of test windows into training and
overrates every model. It exists to demonstrate this, not to be reported.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.named_parts import label_column, parts_in_column, parts_in_lists
from hydrascope.data.split_spec import CONDITION, PUBLISHED_FOLD, Split, SplitSpec
from hydrascope.data.windows import EQUIPMENT, WindowNumbers, microseconds, nearest
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.parts import PARTS


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
        fold_of_row = _fold_of_row(table[spec.group], spec)
    return _grouped(table[spec.group], spec, fold_of_row, _held_by(table, spec, spec.group))


def by_machine(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Split so that no machine is in two parts, to test on unseen machines.

    Raises:
        SpecError: There are too few machines for three parts.
    """
    machines = table[EQUIPMENT]
    held_by = _held_by(table, spec, EQUIPMENT)
    return _grouped(machines, spec, _fold_of_row(machines, spec), held_by)


def column(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Split as a label column or lists of machines and times say.

    If they name no validation windows, values of `val_group` are held back from the training ones.
    A training window that shares samples with a window of another part is in no part, nor is such a
    validation window.

    Raises:
        SpecError: A name is not accepted, or a part has no window.
    """
    if spec.fold != 0:
        raise SpecError(f"data.fold is {spec.fold}; accepted with data.split.name=column: 0")
    if spec.parts is None:
        path, part = "data.split.column", parts_in_column(table, spec.column)
    else:
        path, part = "data.split.parts", parts_in_lists(table, spec.parts, spec.window_s)
    train, val, test = (np.flatnonzero(part == name) for name in PARTS)
    if spec.val_group is not None:
        if len(val):
            raise SpecError(
                f"{spec.val_group!r} is given, but {path} names {len(val)} windows val; accepted: "
                "one of the two",
                path="data.split.val_group",
            )
        train, val = _held_back(train, label_column(table, "val_group", spec.val_group), spec)
    for name, rows in zip(PARTS, (train, val, test), strict=True):
        if not len(rows):
            hint = ", or data.split.val_group=equipment_id" if name == "val" else ""
            raise SpecError(f"no window is in {name}; accepted: one or more{hint}", path=path)
    start_s = microseconds(table["start"]) / 1e6
    place = np.full(len(table), -1)
    for number, rows in enumerate((train, val, test)):
        place[rows] = number
    parts = []
    for rows in _machines_in_time(table):
        train, val, test = (rows[place[rows] == number] for number in range(3))
        train = _apart(start_s, train, np.concatenate([val, test]), spec.window_s)
        parts.append((train, _apart(start_s, val, test, spec.window_s), test))
    return _joined(parts)


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
    parts = []
    for rows in _machines_in_time(table):
        past = len(rows) - len(rows) // spec.folds
        cut = past - round(past * spec.val_fraction)
        parts.append(np.split(rows, [cut, past]))
    return _joined(parts)


def time_blocks(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Divide each machine's windows into `folds` blocks of time; block `fold` is the test set.

    Validation uses the windows just before the test block, or the last windows if the first block
    is tested. Between two parts, windows are left out for at least one window's length. The parts
    thus share no samples, and no state of a machine that changes slowly.

    Raises:
        SpecError: No machine has enough windows for all parts.
    """
    start_s = microseconds(table["start"]) / 1e6
    parts = []
    for rows in _machines_in_time(table):
        blocks = np.array_split(rows, spec.folds)
        test = blocks[spec.fold]
        # In circular order, so that it ends just before the test block.
        rest = np.concatenate([*blocks[spec.fold + 1 :], *blocks[: spec.fold]])
        train, val = np.split(rest, [len(rest) - round(len(rest) * spec.val_fraction)])
        val = _apart(start_s, val, test, 2 * spec.window_s)
        train = _apart(start_s, train, np.concatenate([val, test]), 2 * spec.window_s)
        parts.append((train, val, test))
    split = _joined(parts)
    if not all(len(part) for part in split):
        raise SpecError(
            f"data.split.folds is {spec.folds}: the windows are too few for blocks with a gap of "
            f"{spec.window_s:g} s between them"
        )
    return split


SPLITS: Mapping[str, Callable[[pd.DataFrame, SplitSpec], Split]] = {
    "unseen_conditions": unseen_conditions,
    "by_machine": by_machine,
    "column": column,
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


def _joined(parts: Sequence[Sequence[WindowNumbers]]) -> Split:
    """Join the training, validation and test windows of all machines."""
    return Split(*(np.sort(np.concatenate(part)) for part in zip(*parts, strict=True)))


def _apart(
    start_s: NDArray[np.float64], rows: WindowNumbers, others: WindowNumbers, apart_s: float
) -> WindowNumbers:
    """Keep the `rows` that start at least `apart_s` seconds before or after all `others`."""
    if not len(others) or not len(rows):
        return rows
    return rows[nearest(start_s[rows], start_s[others]) >= apart_s - 1e-6]


def _grouped(
    groups: pd.Series, spec: SplitSpec, fold_of_row: NDArray[np.int64], held_by: pd.Series
) -> Split:
    """Test on the windows of a fold and hold back values of `held_by` for validation."""
    known = groups.notna().to_numpy()
    test = np.flatnonzero(known & (fold_of_row == spec.fold))
    rest = np.flatnonzero(known & (fold_of_row != spec.fold))
    return Split(*_held_back(rest, held_by, spec), test)


def _held_back(
    rest: WindowNumbers, held_by: pd.Series, spec: SplitSpec
) -> tuple[WindowNumbers, WindowNumbers]:
    """Divide windows into training and validation by whole values of `held_by`."""
    rest = rest[held_by.iloc[rest].notna().to_numpy()]
    # The held-back groups depend on the fold alone: seeds vary the network, not the data.
    value = held_by.iloc[rest]
    order = np.random.default_rng(spec.fold).permutation(value.unique())
    if len(order) < 2:
        raise SpecError(
            f"data.split.name is {spec.name!r}: {len(order)} {held_by.name} is left beside the "
            f"test part (fold {spec.fold}), but one is needed to train on and one to validate on"
        )
    if spec.share < 1.0:
        order = order[: max(2, round(len(order) * spec.share))]
        rest = rest[value.isin(order).to_numpy()]
        value = held_by.iloc[rest]
    share = value.value_counts().loc[order].cumsum() / len(rest)
    # At least one group is held back, and at least one is not.
    held = order[: min(int(np.searchsorted(share, spec.val_fraction)) + 1, len(order) - 1)]
    in_val = value.isin(held).to_numpy()
    return rest[~in_val], rest[in_val]


def _held_by(table: pd.DataFrame, spec: SplitSpec, otherwise: str) -> pd.Series:
    return label_column(table, "val_group", otherwise if spec.val_group is None else spec.val_group)


def _fold_of_row(groups: pd.Series, spec: SplitSpec) -> NDArray[np.int64]:
    sizes, folds = groups.value_counts(), spec.folds
    least = 3 if spec.val_group in (None, groups.name) else 2
    if len(sizes) < least:
        raise SpecError(
            f"data.split.name is {spec.name!r}, but the windows are of {len(sizes)} "
            f"{groups.name}; accepted: {least} or more, or data.split.name=chronological or "
            "time_blocks, which divide the time of each machine"
        )
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
