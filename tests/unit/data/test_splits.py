"""Splits: nothing in two parts, nothing lost, no condition and no future seen in training."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.split_spec import CONDITION, PUBLISHED_FOLD, Split, SplitSpec
from hydrascope.data.splits import (
    SPLITS,
    by_machine,
    chronological,
    random_windows,
    time_blocks,
    unseen_conditions,
)
from hydrascope.schemas import SpecError


def spec(folds: int, fold: int, val_fraction: float, **fields: Any) -> SplitSpec:
    return SplitSpec("", folds, fold, val_fraction, **fields)


def assert_parts(split: Split, rows: int) -> None:
    """Disjoint, complete, ascending and none of them empty."""
    assert sorted(np.concatenate(split).tolist()) == list(range(rows))
    for part in split:
        assert len(part)
        assert (np.diff(part) > 0).all()


@pytest.fixture(scope="module")
def table(rig: HydraulicDataModule) -> pd.DataFrame:
    return rig.table


@pytest.fixture(scope="module")
def unpublished(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=PUBLISHED_FOLD)


@pytest.mark.parametrize("fold", range(5))
@pytest.mark.parametrize("published", [True, False])
def test_no_condition_is_in_two_parts(
    table: pd.DataFrame, unpublished: pd.DataFrame, published: bool, fold: int
) -> None:
    split = unseen_conditions(table if published else unpublished, spec(5, fold, 0.1))
    assert_parts(split, len(table))
    conditions = [set(table[CONDITION].iloc[part]) for part in split]
    for one, other in combinations(conditions, 2):
        assert not one & other


def test_published_folds_are_the_test_sets(table: pd.DataFrame) -> None:
    for fold in range(5):
        test = unseen_conditions(table, spec(5, fold, 0.1)).test
        assert test.tolist() == np.flatnonzero(table[PUBLISHED_FOLD] == fold).tolist()


@pytest.mark.parametrize("folds", [3, 5, 8])
def test_dealt_folds_are_balanced_and_cover_all_windows(
    table: pd.DataFrame, unpublished: pd.DataFrame, folds: int
) -> None:
    # Three or eight folds have to be dealt even where five are published.
    source = unpublished if folds == 5 else table
    tests = [unseen_conditions(source, spec(folds, fold, 0.1)).test for fold in range(folds)]
    assert sorted(np.concatenate(tests).tolist()) == list(range(len(table)))
    sizes = [len(test) for test in tests]
    assert max(sizes) - min(sizes) <= table[CONDITION].value_counts().max()


def test_about_the_asked_share_of_the_training_conditions_is_held_back(table: pd.DataFrame) -> None:
    largest = table[CONDITION].value_counts().max()
    for fold in range(5):
        split = unseen_conditions(table, spec(5, fold, 0.1))
        asked = 0.1 * (len(split.train) + len(split.val))
        assert asked <= len(split.val) < asked + largest


def test_a_split_is_the_same_whenever_it_is_made(table: pd.DataFrame) -> None:
    for name, split in SPLITS.items():
        if name in ("by_machine", "column"):  # the rig is one machine, and names no parts
            continue
        once, again = split(table, spec(5, 0, 0.1)), split(table, spec(5, 0, 0.1))
        for one, other in zip(once, again, strict=True):
            np.testing.assert_array_equal(one, other)


def test_windows_of_unknown_condition_are_in_no_part(unpublished: pd.DataFrame) -> None:
    gaps = unpublished.copy()
    gaps.loc[::7, CONDITION] = None
    split = unseen_conditions(gaps, spec(5, 0, 0.1))
    assert (
        sorted(np.concatenate(split).tolist()) == np.flatnonzero(gaps[CONDITION].notna()).tolist()
    )


def test_one_condition_always_trains_even_where_a_small_one_is_drawn_first() -> None:
    for fold in range(3):
        table = pd.DataFrame({CONDITION: ["a"] * 90 + ["b"] * 2 + ["c"] * 50})
        assert_parts(unseen_conditions(table, spec(3, fold, 0.4)), 142)


@pytest.mark.parametrize(
    ("conditions", "folds", "message"),
    [
        (["a", "b", "c"], 4, "data.split.folds is 4; accepted: 2 to 3"),
        (["a", "b", "c"], 2, "one is needed to train on and one to validate on"),
        (["a", "b"], 2, "the windows are of 2 condition; accepted: 3 or more"),
    ],
)
def test_too_few_conditions_are_refused(conditions: list[str], folds: int, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        unseen_conditions(pd.DataFrame({CONDITION: conditions}), spec(folds, 0, 0.1))


def test_a_source_without_conditions_is_refused_with_what_it_has(table: pd.DataFrame) -> None:
    with pytest.raises(SpecError, match=r"needs a label column 'condition'; .*cooler, valve"):
        unseen_conditions(table.drop(columns=CONDITION), spec(5, 0, 0.1))


def test_random_windows_are_dealt_into_complete_folds(table: pd.DataFrame) -> None:
    tests = []
    for fold in range(4):
        split = random_windows(table, spec(4, fold, 0.2))
        assert_parts(split, len(table))
        assert len(split.val) == round(0.2 * (len(table) - len(split.test)))
        tests.append(split.test)
    assert sorted(np.concatenate(tests).tolist()) == list(range(len(table)))


def test_a_chronological_split_never_trains_on_the_future() -> None:
    rng = np.random.default_rng(0)
    start = pd.Timestamp("2024-01-01", tz="UTC")
    table = pd.DataFrame(
        {
            "equipment_id": ["old"] * 50 + ["new"] * 31,
            "start": [start + pd.Timedelta(hours=h) for h in [*range(50), *range(400, 431)]],
        }
    ).iloc[rng.permutation(81)]
    table = table.reset_index(drop=True)
    split = chronological(table, spec(5, 0, 0.25))
    assert_parts(split, len(table))
    for machine, count in (("old", 50), ("new", 31)):
        starts = table["start"].where(table["equipment_id"] == machine)
        train, val, test = (starts.iloc[part].dropna() for part in split)
        assert train.max() < val.min()
        assert val.max() < test.min()
        assert len(test) == count // 5
        assert len(val) == round(0.25 * (count - len(test)))


def test_a_chronological_split_has_one_fold() -> None:
    with pytest.raises(SpecError, match=r"data.fold is 2; accepted .*chronological: 0"):
        chronological(pd.DataFrame(), spec(5, 2, 0.1))


def fleet_table(machines: int, windows: int, stride_s: float) -> pd.DataFrame:
    start = pd.Timestamp("2024-01-01", tz="UTC")
    seconds = [window * stride_s for window in range(windows)]
    tables = [
        pd.DataFrame(
            {
                "equipment_id": f"m{machine}",
                "start": [start + pd.Timedelta(seconds=second) for second in seconds],
                "site": "abcd"[machine % 4],
            }
        )
        for machine in range(machines)
    ]
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("fold", range(3))
def test_no_machine_is_in_two_parts(fold: int) -> None:
    table = fleet_table(7, 10, 60.0)
    split = by_machine(table, spec(3, fold, 0.2))
    assert_parts(split, len(table))
    machines = [set(table["equipment_id"].iloc[part]) for part in split]
    for one, other in combinations(machines, 2):
        assert not one & other


@pytest.mark.parametrize("machines", [1, 2])
def test_too_few_machines_are_counted_and_the_splits_for_them_are_named(machines: int) -> None:
    with pytest.raises(
        SpecError,
        match=rf"are of {machines} equipment_id; accepted: 3 or more, or .*chronological or time_",
    ):
        by_machine(fleet_table(machines, 10, 60.0), spec(5, 0, 0.1))


def test_two_groups_suffice_if_others_are_held_back() -> None:
    table = fleet_table(8, 10, 60.0).assign(site=["a"] * 40 + ["b"] * 40)
    sites = spec(2, 0, 0.2, group="site", val_group="equipment_id")
    assert_parts(unseen_conditions(table, sites), len(table))


def test_groups_may_be_any_label_column() -> None:
    table = fleet_table(8, 10, 60.0)
    split = unseen_conditions(table, spec(4, 1, 0.2, group="site"))
    assert_parts(split, len(table))
    sites = [set(table["site"].iloc[part]) for part in split]
    assert sorted(site for part in sites for site in part) == ["a", "b", "c", "d"]


def test_machines_may_be_held_back_where_a_kind_is_too_much_to_give_up() -> None:
    table = fleet_table(machines=12, windows=4, stride_s=60.0)
    number = pd.factorize(table["equipment_id"])[0]
    table["kind"] = np.array(["a", "b", "c"])[number % 3]
    given = spec(3, 1, 0.2, group="kind", val_group="equipment_id")
    split = unseen_conditions(table, given)
    assert_parts(split, len(table))
    assert table["kind"].iloc[split.test].nunique() == 1
    others = table.iloc[np.concatenate([split.train, split.val])]
    assert set(others["kind"]) == {"a", "b", "c"} - set(table["kind"].iloc[split.test])
    machines = [set(table["equipment_id"].iloc[part]) for part in split]
    assert all(one.isdisjoint(other) for one, other in combinations(machines, 2))
    assert len(machines[1]) == 2  # of eight
    assert table["kind"].iloc[split.train].nunique() == 2


def test_a_column_to_hold_back_by_has_to_be_there(table: pd.DataFrame) -> None:
    with pytest.raises(SpecError, match=r"data.split.val_group is 'lost'; the source has: "):
        unseen_conditions(table, spec(5, 0, 0.1, val_group="lost"))


def test_a_share_is_learned_from_and_all_of_the_fold_is_judged() -> None:
    table = fleet_table(machines=40, windows=3, stride_s=60.0)
    splits = [by_machine(table, spec(5, 2, 0.2, share=share)) for share in (0.25, 0.5, 1.0)]
    learned = []
    for split, machines in zip(splits, (8, 16, 32), strict=True):
        assert split.test.tolist() == splits[-1].test.tolist()
        rows = np.concatenate([split.train, split.val])
        learned.append(set(table["equipment_id"].iloc[rows]))
        assert len(learned[-1]) == machines
        assert not len(np.intersect1d(rows, split.test))
    assert learned[0] < learned[1] < learned[2]


@pytest.mark.parametrize("fold", range(4))
@pytest.mark.parametrize("stride_s", [60.0, 20.0, 300.0])
def test_blocks_of_time_leave_a_window_between_any_two_parts(fold: int, stride_s: float) -> None:
    table = fleet_table(2, 80, stride_s).sample(frac=1.0, random_state=0).reset_index(drop=True)
    split = time_blocks(table, spec(4, fold, 0.25, window_s=60.0))
    assert len(split.test) == 2 * 20
    for part in split:
        assert len(part)
        assert (np.diff(part) > 0).all()
    start_s = (table["start"] - table["start"].min()).dt.total_seconds()
    for machine in ("m0", "m1"):
        mine = [part[(table["equipment_id"].iloc[part] == machine).to_numpy()] for part in split]
        for one, other in combinations(mine, 2):
            distance = np.subtract.outer(start_s[one].to_numpy(), start_s[other].to_numpy())
            assert np.abs(distance).min() >= 120.0  # from an end to the next start: a window
    # No more is given up than the gaps need: at most four borders a machine.
    lost = len(table) - sum(len(part) for part in split)
    assert lost <= 2 * 4 * int(np.ceil(120.0 / stride_s))


def test_each_window_is_tested_in_one_block_of_time() -> None:
    table = fleet_table(2, 40, 60.0)
    tests = [time_blocks(table, spec(4, fold, 0.2, window_s=60.0)).test for fold in range(4)]
    assert sorted(np.concatenate(tests).tolist()) == list(range(80))


def test_too_few_windows_for_blocks_are_refused() -> None:
    with pytest.raises(SpecError, match="too few for blocks with a gap of 60 s"):
        time_blocks(fleet_table(1, 4, 60.0), spec(4, 0, 0.1, window_s=60.0))
