"""Windows to learn from that are chosen apart from what is healthy."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from hydrascope.data.healthy import (
    healthy_windows,
    learned_windows,
    split_learned,
    true_labels,
)
from hydrascope.data.split_spec import SplitSpec
from hydrascope.schemas import SpecError, TaskSpec, validate

WINDOW_S = 60.0
LABELS = {"valve": [100.0] * 4 + [73.0] * 6, "anomaly": [0, 0, 1, 0, 0, 0, 1, 1, np.nan, 0]}


def table(*machines: str) -> pd.DataFrame:
    """Ten windows of each machine, a minute each, from midnight on."""
    start = pd.date_range("2026-01-01", periods=10, freq="60s", tz="UTC")
    rows = pd.DataFrame({"start": start, **LABELS})
    return pd.concat([rows.assign(equipment_id=name) for name in machines], ignore_index=True)


def task(**normality: Any) -> TaskSpec:
    return validate(TaskSpec, {"name": "press", "normality": normality})


def learned(windows: pd.DataFrame, **fit: Any) -> list[int]:
    return np.flatnonzero(learned_windows(task(fit=fit), windows, WINDOW_S)).tolist()


def test_without_a_choice_the_healthy_windows_are_learned_from() -> None:
    healthy = learned_windows(task(healthy={"valve": 100}), table("a"), WINDOW_S)
    assert np.flatnonzero(healthy).tolist() == [0, 1, 2, 3]
    assert learned_windows(task(), table("a"), WINDOW_S).all()


def test_the_first_windows_are_those_of_each_machine_in_time_whatever_their_labels() -> None:
    windows = table("a", "b")
    assert learned(windows, first_windows=3) == [0, 1, 2, 10, 11, 12]
    backwards = windows[::-1].reset_index(drop=True)
    assert learned(backwards, first_windows=3) == [7, 8, 9, 17, 18, 19]


def test_a_share_is_of_the_windows_of_each_machine_in_time() -> None:
    windows = pd.concat([table("a"), table("b")[:4]], ignore_index=True)
    assert learned(windows, first_share=0.5) == [0, 1, 2, 3, 4, 10, 11]
    assert learned(windows[::-1].reset_index(drop=True), first_share=0.25) == [3, 12, 13]


def test_a_period_holds_the_windows_that_lie_in_it_completely() -> None:
    period = {"start": "2026-01-01T00:02:00Z", "end": "2026-01-01T01:06:30+01:00"}
    assert learned(table("a"), **period) == [2, 3, 4, 5]
    assert learned(table("a"), start="2026-01-01T00:07:30Z") == [8, 9]
    assert learned(table("a"), end="2026-01-01T00:02:00Z") == [0, 1]


def test_windows_meet_all_conditions_that_are_given() -> None:
    chosen = learned(
        table("a", "b"),
        healthy={"valve": [73, 80], "anomaly": 0},
        first_windows=6,
        start="2026-01-01T00:03:00Z",
    )
    assert chosen == [4, 5, 14, 15]


def test_truth_judges_and_healthy_is_used_without_it() -> None:
    both = task(healthy={"valve": 100}, truth={"anomaly": 0})
    assert true_labels(both, table("a")) == ({"anomaly": 0}, "task.normality.truth")
    alone = task(healthy={"valve": 100}, fit={"first_windows": 1})
    assert true_labels(alone, table("a")) == ({"valve": 100}, "task.normality.healthy")


def test_all_windows_of_known_truth_that_are_not_learned_from_are_tested() -> None:
    windows = table("a")
    chosen = learned_windows(task(fit={"first_windows": 8}), windows, WINDOW_S)
    state = healthy_windows(windows, {"anomaly": 0})
    split = split_learned(windows, chosen, state, SplitSpec("chronological", 4, 0, 0.3))
    assert split.train.tolist() == [0, 1, 2, 3]
    assert split.val.tolist() == [4, 5]
    assert split.test.tolist() == [6, 7, 9]  # of 8 nobody knows


@pytest.mark.parametrize(
    ("fit", "said"),
    [
        ({"healthy": {"valves": 100}}, r"fit\.healthy: 'valves' is no label .* mean 'valve'"),
        ({"healthy": {"valve": 1}}, r"fit\.healthy: none of 20 windows is healthy by {'valve': 1"),
        ({"first_windows": 11}, r"fit\.first_windows: 11 is more than the 10 windows of 'a'; .*10"),
        ({"start": "2026-02-01T00:00Z"}, r"fit: no window is between .* 2026-01-01T00:10:00\+00"),
        (
            {"healthy": {"valve": 73}, "first_windows": 4},
            "fit: no window meets all conditions at once: healthy, first_windows",
        ),
    ],
)
def test_a_choice_that_leaves_nothing_is_refused(fit: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=rf"^task\.normality\.{said}"):
        learned(table("a", "b"), **fit)


@pytest.mark.parametrize(
    ("normality", "said"),
    [
        (
            {"fit": {}},
            r"fit: {} is not .* at least one of healthy, first_windows, first_share, start, end$",
        ),
        ({"fit": {"first_windows": 0}}, r"fit\.first_windows"),
        ({"fit": {"first": 3}}, r"fit\.first: .*first_windows"),
        ({"fit": {"start": "2026-01-01T00:00"}}, r"fit\.start: .*timezone"),
        (
            {"fit": {"start": "2026-02-01T00:00Z", "end": "2026-01-01T00:00Z"}},
            r"fit\.end: .* expected a time after start, 2026-02-01",
        ),
        ({"level_share": 0.0}, "level_share"),
    ],
)
def test_bad_values_are_refused_by_name(normality: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=rf"normality\.{said}"):
        task(**normality)
