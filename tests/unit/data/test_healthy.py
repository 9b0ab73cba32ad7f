"""Which windows are healthy, and how they are split."""

import numpy as np
import pandas as pd
import pytest

from hydrascope.data.healthy import healthy_labels, healthy_windows, split_learned
from hydrascope.data.split_spec import SplitSpec
from hydrascope.schemas import TaskSpec, validate
from hydrascope.schemas.errors import SpecError


def table(**labels: list[object]) -> pd.DataFrame:
    count = len(next(iter(labels.values())))
    start = pd.date_range("2026-01-01", periods=count, freq="60s", tz="UTC")
    return pd.DataFrame({"equipment_id": "press", "start": start, **labels})


def test_a_window_is_healthy_if_all_labels_are_and_unknown_if_one_is_missing() -> None:
    windows = table(
        valve=[100.0, 90.0, 100.0, np.nan, np.nan], state=["ok", "ok", "worn", "ok", "worn"]
    )
    state = healthy_windows(windows, {"valve": 100.0, "state": "ok"})
    np.testing.assert_array_equal(state, [1, 0, 0, np.nan, 0])
    either = healthy_windows(windows, {"valve": (90.0, 100.0)})
    np.testing.assert_array_equal(either, [1, 1, 1, np.nan, np.nan])


def test_without_labels_every_window_is_healthy() -> None:
    assert healthy_windows(table(valve=[1.0, np.nan]), {}).tolist() == [1, 1]


def test_normality_learns_from_what_the_heads_call_healthy_unless_it_has_its_own_word() -> None:
    binary = {"kind": "binary", "healthy": 0}
    task = {
        "name": "press",
        "normality": {},
        "heads": [
            {"name": "leak", "level": "component", **binary},
            {"name": "worn", "level": "component", "components": ["pump"], **binary},
            {"name": "ready", "level": "machine", "kind": "binary", "healthy": 1},
            {"name": "noisy", "level": "machine", "kind": "binary"},
        ],
    }
    labels = {"leak": [0, 0], "pump.leak": [0, 1], "tank.leak": [0, 0], "worn": [0, 0]}
    windows = table(**labels, **{"tank.worn": [1, 1], "ready": [1, 1], "noisy": [1, 0]})
    found = healthy_labels(validate(TaskSpec, task), windows)
    assert found == {"pump.leak": 0, "tank.leak": 0, "worn": 0, "ready": 1}
    assert healthy_windows(windows, found).tolist() == [1, 0]
    for own in ({}, {"noisy": 0}):
        told = validate(TaskSpec, task | {"normality": {"healthy": own}})
        assert healthy_labels(told, windows) == own
    assert healthy_labels(validate(TaskSpec, {"name": "press", "normality": {}}), windows) == {}


def test_an_unknown_label_and_no_healthy_window_are_refused() -> None:
    windows = table(valve=[90.0, 80.0])
    with pytest.raises(SpecError, match=r"'valves' is no label column; .*did you mean 'valve'"):
        healthy_windows(windows, {"valves": 100.0})
    with pytest.raises(SpecError, match=r"none of 2 windows is healthy by {'valve': 100.0}"):
        healthy_windows(windows, {"valve": 100.0})


def test_what_is_not_healthy_is_tested_on_and_never_learned_from() -> None:
    state = np.array([1] * 20 + [0] * 5 + [np.nan] * 3, dtype=np.float32)
    windows = table(valve=list(range(28)))
    split = split_learned(windows, state == 1, state, SplitSpec("chronological", 5, 0, 0.25))
    assert split.train.tolist() == list(range(12))
    assert split.val.tolist() == list(range(12, 16))
    assert split.test.tolist() == list(range(16, 25))


def test_too_few_healthy_windows_are_refused() -> None:
    windows = table(valve=[1, 2, 3])
    state = np.array([1, 1, 1], dtype=np.float32)
    with pytest.raises(SpecError, match="3 windows to learn from leave 3 to train on and 0"):
        split_learned(windows, state == 1, state, SplitSpec("chronological", 5, 0, 0.1))


def test_a_task_has_heads_or_normality() -> None:
    assert validate(TaskSpec, {"name": "press", "normality": {}}).heads == ()
    with pytest.raises(SpecError, match="expected at least one head, or normality"):
        validate(TaskSpec, {"name": "press"})
    with pytest.raises(SpecError, match=r"normality\.false_alarm_rate"):
        validate(TaskSpec, {"name": "press", "normality": {"false_alarm_rate": 0.0}})
