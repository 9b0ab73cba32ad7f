"""Alarms by window and by event, against scikit-learn and a loop."""

from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.detection_metrics import (
    Alarms,
    alarm_intervals,
    alarm_metrics,
    weighted_median,
)


def drawn(rig: HydraulicDataModule, seed: int) -> Alarms:
    """Runs of healthy, unhealthy and unknown windows with alarms at random, on tested cycles."""
    random = np.random.default_rng(seed)
    windows = rig.split.test
    lengths = random.integers(1, 9, len(windows))
    values = random.choice([0.0, 1.0, np.nan], len(windows), p=[0.4, 0.5, 0.1])
    state = np.repeat(values, lengths)[: len(windows)].astype(np.float32)
    return Alarms(windows, state, random.random(len(windows)) < np.where(state == 0, 0.3, 0.1))


def runs(alarms: Alarms) -> Iterator[list[int]]:
    """Yield positions of each run of unhealthy cycles that follow each other."""
    run: list[int] = []
    for place, window in enumerate(alarms.windows):
        follows = bool(run) and window == alarms.windows[run[-1]] + 1
        if run and not (alarms.state[place] == 0 and follows):
            yield run
            run = []
        if alarms.state[place] == 0:
            run.append(place)
    if run:
        yield run


@pytest.mark.parametrize("seed", range(4))
def test_metrics_by_window_are_those_of_scikit_learn(rig: HydraulicDataModule, seed: int) -> None:
    alarms = drawn(rig, seed)
    known = ~np.isnan(alarms.state)
    truth, said = alarms.state[known] == 0, alarms.alarm[known]
    found = alarm_metrics(alarms, rig)["overall"]
    assert found["f1"] == pytest.approx(f1_score(truth, said))
    assert found["precision"] == pytest.approx(precision_score(truth, said))
    assert found["recall"] == pytest.approx(recall_score(truth, said))
    assert found["missed_alarm_rate"] == pytest.approx(1 - recall_score(truth, said))
    assert found["false_alarm_rate"] == pytest.approx(said[~truth].mean())


@pytest.mark.parametrize("seed", range(4))
def test_events_are_runs_of_unhealthy_windows_and_late_by_the_windows_before_the_alarm(
    rig: HydraulicDataModule, seed: int
) -> None:
    alarms = drawn(rig, seed)
    every = list(runs(alarms))
    delays = [
        60.0 * min(place - run[0] for place in run if alarms.alarm[place])
        for run in every
        if alarms.alarm[run].any()
    ]
    assert len(every) > len(delays) > 10
    assert alarm_metrics(alarms, rig)["events"] == {
        "count": len(every),
        "detected": len(delays),
        "median_delay_s": np.median(delays),
    }


def test_a_detected_event_does_not_make_its_other_windows_detected(
    rig: HydraulicDataModule,
) -> None:
    windows = rig.split.test[:1] + np.arange(10)
    state = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], dtype=np.float32)
    found = alarm_metrics(Alarms(windows, state, np.arange(10) == 5), rig)
    assert found["events"] == {"count": 1, "detected": 1, "median_delay_s": 180.0}
    assert found["overall"]["recall"] == pytest.approx(1 / 8)


def test_what_cannot_be_computed_is_none(rig: HydraulicDataModule) -> None:
    windows, healthy = rig.split.test[:5], np.ones(5, dtype=np.float32)
    found = alarm_metrics(Alarms(windows, healthy, np.arange(5) == 0), rig)
    assert found["overall"] == {
        "f1": None,
        "precision": None,
        "recall": None,
        "false_alarm_rate": 0.2,
        "missed_alarm_rate": None,
    }
    assert found["events"] == {"count": 0, "detected": 0, "median_delay_s": None}
    bootstrap = Bootstrap.of("conditions", rig.units, rig.split.test)
    intervals = alarm_intervals(Alarms(windows, healthy, healthy == 0), rig, bootstrap)
    assert intervals["events"] == {"detected": None, "median_delay_s": None}
    silent = alarm_metrics(Alarms(windows, 0 * healthy, healthy == 0), rig)["overall"]
    assert silent["f1"] == 0.0
    assert silent["precision"] is None
    assert silent["false_alarm_rate"] is None


def test_intervals_contain_the_values_and_are_drawn_by_units(rig: HydraulicDataModule) -> None:
    alarms = drawn(rig, 0)
    units = Bootstrap.of("conditions", rig.units, rig.split.test)
    single = Bootstrap.of("windows", np.arange(len(rig.table)), rig.split.test)
    found = alarm_metrics(alarms, rig)
    of_units, of_windows = (alarm_intervals(alarms, rig, each) for each in (units, single))
    for name, value in found["overall"].items():
        low, high = of_units["overall"][name]
        assert low < value < high
    share = found["events"]["detected"] / found["events"]["count"]
    low, high = of_units["events"]["detected"]
    assert low < share < high
    low, high = of_units["events"]["median_delay_s"]
    assert low <= found["events"]["median_delay_s"] <= high
    assert of_units["overall"] != of_windows["overall"]


def test_a_weighted_median_is_that_of_the_values_repeated() -> None:
    random = np.random.default_rng(0)
    values, weights = random.normal(size=9), random.integers(0, 4, (50, 9)).astype(float)
    weights[0] = 0.0
    median = weighted_median(values, weights)
    assert np.isnan(median[0])
    for row, found in zip(weights[1:].astype(int), median[1:], strict=True):
        assert found == pytest.approx(np.median(np.repeat(values, row)))
