"""Windows from which neither of two models has learned."""

import numpy as np
import pandas as pd
import pytest

from hydrascope.data.split_spec import Split, SplitSpec
from hydrascope.data.unseen import Times, learned_times, unseen_windows

WINDOW_S = 60.0
START = pd.Timestamp("2026-01-01T00:00:00Z")


def _table(random: np.random.Generator, windows: int) -> pd.DataFrame:
    """Return windows of three machines that begin at any second, some of them overlapping."""
    starts = np.sort(random.integers(0, 7200, windows))
    return pd.DataFrame(
        {
            "equipment_id": random.choice(["a", "b", "c"], windows),
            "start": START + pd.to_timedelta(starts, unit="s"),
            "condition": random.choice(["x", "y", "z", None], windows, p=[0.3, 0.3, 0.3, 0.1]),
        }
    )


def _overlap(table: pd.DataFrame, row: int, learned: Times, apart_s: float) -> bool:
    start = table["start"].iloc[row].timestamp()
    return any(
        begin / 1e6 < start + WINDOW_S + apart_s and start - apart_s < end / 1e6
        for begin, end in learned.get(table["equipment_id"].iloc[row], [])
    )


@pytest.mark.parametrize("name", ["chronological", "by_machine", "unseen_conditions"])
@pytest.mark.parametrize("seed", range(5))
def test_what_is_held_out_was_learned_from_by_neither(name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    old, new = _table(random, 12), _table(random, 60)
    parts = np.array_split(random.permutation(len(old)), 3)
    learned = learned_times(old, Split(*map(np.sort, parts)), WINDOW_S)
    for row in (*parts[0], *parts[1]):
        assert _overlap(old, int(row), learned, 0)
    test = np.sort(random.choice(len(new), 30, replace=False))
    none = np.empty(0, dtype=np.int64)
    spec = SplitSpec(name=name, folds=5, fold=0, val_fraction=0.1, window_s=WINDOW_S)
    found = unseen_windows(new, Split(none, none, test), spec, learned)

    if name == "chronological":
        expected = [row for row in test if not _overlap(new, int(row), learned, WINDOW_S)]
    else:
        column = "condition" if name == "unseen_conditions" else "equipment_id"
        seen = [row for row in range(len(new)) if _overlap(new, row, learned, 0)]
        groups = set(new[column].iloc[seen].dropna())
        expected = [r for r in test if r not in seen and new[column].iloc[r] not in groups]
    assert found.tolist() == expected


def test_windows_without_a_gap_are_one_learned_time() -> None:
    starts = START + pd.to_timedelta([0, 60, 90, 300, 360], unit="s")
    table = pd.DataFrame({"equipment_id": "a", "start": starts})
    split = Split(np.array([0, 1, 3]), np.array([2]), np.array([4]))
    first = int(START.timestamp())
    expected = {"a": [[first, first + 150], [first + 300, first + 360]]}
    found = learned_times(table, split, WINDOW_S)
    assert {name: [[a / 1e6, b / 1e6] for a, b in each] for name, each in found.items()} == expected
