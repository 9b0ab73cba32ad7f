"""Splits that the user names: in a label column, or as lists of machines and times."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from hydrascope.data.healthy import split_learned
from hydrascope.data.interval_units import interval_units
from hydrascope.data.split_spec import Split, SplitSpec
from hydrascope.data.splits import make_split
from hydrascope.schemas import SpecError

WINDOW_S = 60.0
START = pd.Timestamp("2026-01-01T00:00:00Z")


def windows(machines: int = 4, each: int = 10, stride_s: float = WINDOW_S) -> pd.DataFrame:
    seconds = np.tile(np.arange(each) * stride_s, machines)
    return pd.DataFrame(
        {
            "equipment_id": np.repeat([f"m{number}" for number in range(machines)], each),
            "start": START + pd.to_timedelta(seconds, unit="s"),
        }
    )


def spec(**fields: Any) -> SplitSpec:
    return SplitSpec("column", 5, 0, 0.25, window_s=WINDOW_S, **fields)


def time(first_min: int, last_min: int) -> str:
    ends = (START + pd.Timedelta(minutes=minute) for minute in (first_min, last_min))
    return "/".join(end.isoformat() for end in ends)


def named(column: str = "split") -> pd.DataFrame:
    """Machines 0 and 1 for training, 2 for validation, half of 3 for the test."""
    table = windows()
    table[column] = [*["train"] * 20, *["val"] * 10, *["test"] * 5, *[None] * 5]
    return table


@pytest.mark.parametrize("column", ["split", "fold_1"])
def test_the_parts_are_those_that_a_label_column_names(column: str) -> None:
    split = make_split(named(column), spec(column=column))
    assert [part.tolist() for part in split] == [
        list(range(20)),
        list(range(20, 30)),
        list(range(30, 35)),
    ]


def test_lists_of_machines_and_times_name_the_parts() -> None:
    lists = {"train": ["m0", "m1"], "val": ["m2"], "test": ["m3"]}
    by_machines = make_split(windows(), spec(parts=lists))
    assert [len(part) for part in by_machines] == [20, 10, 10]
    lists = {"train": [time(0, 5)], "val": [time(5, 7)], "test": [time(7, 10)]}
    by_times = make_split(windows(2), spec(parts=lists))
    assert [part.tolist() for part in by_times] == [
        [0, 1, 2, 3, 4, 10, 11, 12, 13, 14],
        [5, 6, 15, 16],
        [7, 8, 9, 17, 18, 19],
    ]
    assert by_machines.fingerprint != by_times.fingerprint


def test_the_fingerprint_depends_on_the_lists() -> None:
    def fingerprint(test: list[str]) -> str:
        lists = {"train": ["m0"], "val": ["m1"], "test": test}
        return make_split(windows(), spec(parts=lists)).fingerprint

    assert fingerprint(["m2"]) != fingerprint(["m2", "m3"]) == fingerprint(["m3", "m2"])


def test_a_window_across_the_end_of_a_time_is_in_no_part() -> None:
    lists = {"train": [time(0, 4)], "val": [time(4, 6)], "test": [time(6, 10)]}
    split = make_split(windows(1, 19, stride_s=30.0), spec(parts=lists))
    minutes = [(rows / 2).tolist() for rows in split]
    assert minutes[0] == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert minutes[1] == [4, 4.5, 5]
    assert minutes[2] == [6, 6.5, 7, 7.5, 8, 8.5, 9]


def test_no_sample_of_the_test_is_trained_or_validated_on() -> None:
    table = windows(1, 20, stride_s=20.0)
    table["split"] = [*["train"] * 8, *["val"] * 6, *["test"] * 6]
    split = make_split(table, spec())
    assert [part.tolist() for part in split] == [
        list(range(6)),
        list(range(8, 12)),
        list(range(14, 20)),
    ]


def test_machines_are_held_back_where_no_window_is_named_val() -> None:
    table = windows()
    table["split"] = np.repeat(["train", "train", "train", "test"], 10)
    split = make_split(table, spec(val_group="equipment_id"))
    assert table["equipment_id"].iloc[split.val].nunique() == 1
    assert table["equipment_id"].iloc[split.train].nunique() == 2
    assert split.test.tolist() == list(range(30, 40))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            "learn",
            r"data.split.column: 'split' has the value 'learn', of m1 at the end of the window "
            r"from 2026-01-01 .*; accepted: train, val, test",
        ),
        ("train", "data.split.column: no window is in val; accepted: one or more, or data.split."),
    ],
)
def test_a_column_with_another_value_or_an_empty_part_is_refused(values: str, message: str) -> None:
    table = windows()
    table["split"] = np.repeat(["train", values, "train", "test"], 10)
    with pytest.raises(SpecError, match=message):
        make_split(table, spec())


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(SpecError, match=r"data.split.column is 'spilt'; .* mean 'split'\?"):
        make_split(named(), spec(column="spilt"))


def test_a_group_to_hold_back_beside_named_windows_is_refused() -> None:
    with pytest.raises(SpecError, match=r"val_group: 'equipment_id' is given, but .* 10 windows"):
        make_split(named(), spec(val_group="equipment_id"))


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("m9", r"data.split.parts.test: 'm9' is no machine and no time; accepted: m0, m1"),
        ("m1", r"data.split.parts.test: 'm1' shares windows of 'm1' with 'm1' in val"),
        (time(0, 2), r"shares windows of 'm0' with 'm0' in train; accepted: each window in one"),
        (time(99, 101), r"parts.test: .* has no window; accepted: recorded times"),
        ("2026-01-01/2025-01-01", r"is no time: .*; accepted: start/end, such as 2026"),
    ],
)
def test_an_entry_of_a_list_that_is_not_accepted_is_named(test: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_split(windows(), spec(parts={"train": ["m0"], "val": ["m1"], "test": [test]}))


def test_faulty_windows_stay_where_they_are_named() -> None:
    table = named()
    state = np.ones(40, dtype=np.float32)
    state[[3, 25, 31]] = 0.0
    split = split_learned(table, state == 1, state, spec())
    assert 3 not in np.concatenate(split)
    assert 25 not in np.concatenate(split)
    assert 31 in split.test


@pytest.mark.parametrize(
    ("test", "group", "unit", "count"),
    [
        (range(20, 40), None, "machines", 4),
        (range(30, 40), None, "windows", 40),
        (range(30, 40), "equipment_id", "machines", 4),
        (range(30, 40), "site", "values of site", 2),
    ],
)
def test_intervals_resample_machines_or_the_named_group(
    test: range, group: str | None, unit: str, count: int
) -> None:
    table = windows()
    table["site"] = np.repeat(["a", "b"], 20)
    split = Split(np.arange(10), np.arange(10, 20), np.array(test))
    name, number = interval_units(table, spec(interval_group=group), split)
    assert (name, len(np.unique(number))) == (unit, count)


def test_a_group_of_intervals_that_is_not_there_is_refused() -> None:
    split = Split(np.arange(10), np.arange(10, 20), np.arange(20, 40))
    with pytest.raises(SpecError, match=r"data.split.interval_group is 'lost'; the source has: "):
        interval_units(windows(), spec(interval_group="lost"), split)
