"""Alarms judged row by row agree with a loop over every row."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, recall_score, roc_auc_score

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.evaluation.detection_rows import RowRuns, row_intervals, row_metrics

RATE_HZ, WINDOW_S, SECONDS = 2.0, 10.0, 200
START = pd.Timestamp("2026-01-01", tz="UTC")


def seconds(values: np.ndarray | list[float]) -> pd.Series:
    return pd.Series(START + pd.to_timedelta(np.asarray(values), "s"))


def label_table(random: np.random.Generator) -> pd.DataFrame:
    """Return intervals of uneven length with a gap, not in order of time."""
    edges = np.sort(random.choice(np.arange(1, 2 * SECONDS), 9, replace=False)) / 2
    kept = np.array([0, 1, 2, 4, 5, 6, 7])
    table = pd.DataFrame({"start": seconds(edges[:-1][kept]), "end": seconds(edges[1:][kept])})
    table["anomaly"] = kept % 2
    return table.iloc[::-1].reset_index(drop=True)


@pytest.mark.parametrize("stride_s", [3.0, 10.0, 14.0])
def test_each_row_has_its_own_label_and_the_first_window_that_contains_it(stride_s: float) -> None:
    random = np.random.default_rng(round(stride_s))
    names = ("a", "b")
    labels = {name: label_table(random) for name in names}
    starts = np.arange(0.0, SECONDS - WINDOW_S + 1e-9, stride_s)
    table = pd.concat(
        [pd.DataFrame({"equipment_id": name, "start": seconds(starts)}) for name in names],
        ignore_index=True,
    )
    test = np.sort(random.choice(len(table), len(table) * 3 // 4, replace=False))
    sensors = [(0, SimpleNamespace(rate_hz=rate)) for rate in (0.5, RATE_HZ)]
    machine = SimpleNamespace(topology=SimpleNamespace(sensors=sensors))
    data = SimpleNamespace(
        source=SimpleNamespace(labels=labels.__getitem__),
        machines=dict.fromkeys(names, machine),
        healthy_labels={"anomaly": 0},
        table=table,
        split=SimpleNamespace(test=test),
        window=SimpleNamespace(window_s=WINDOW_S),
    )
    rows = RowRuns.of(cast(HydraulicDataModule, data))
    scores = random.uniform(0.0, 2.0, len(test))
    scores[::11] = np.nan

    truth, said, window = [], [], []
    missing = 0
    for name in names:
        own = [row for row in test if table["equipment_id"][row] == name]
        for step in range(round(SECONDS * RATE_HZ)):
            time = START + pd.Timedelta(step / RATE_HZ, "s")
            holders = [
                row
                for row in own
                if table["start"][row] <= time < table["start"][row] + pd.Timedelta(WINDOW_S, "s")
            ]
            covering = labels[name].query("start <= @time and @time < end")
            if not holders or covering.empty:
                continue
            score = scores[np.searchsorted(test, holders[0])]
            if np.isnan(score):
                missing += 1
                continue
            truth.append(bool(covering["anomaly"].iloc[0]))
            said.append(score)
            window.append(holders[0])
    expected, alarm = np.array(truth), np.array(said) > 1
    found = row_metrics(rows, test, scores)
    assert found["unhealthy"] == expected.sum() > 0
    assert found["healthy"] == (~expected).sum() > 0
    assert found["not_scored"] == missing > 0
    overall = found["overall"]
    assert overall["f1"] == pytest.approx(f1_score(expected, alarm))
    assert overall["missed_alarm_rate"] == pytest.approx(1 - recall_score(expected, alarm))
    assert overall["false_alarm_rate"] == pytest.approx(alarm[~expected].mean())
    assert overall["auroc"] == pytest.approx(roc_auc_score(expected, said))
    bootstrap = Bootstrap.of("windows", np.arange(len(table)), rows.window)
    for name, interval in row_intervals(rows, test, scores, bootstrap).items():
        assert interval is not None
        assert interval[0] <= overall[name] <= interval[1], name
        assert interval[0] < interval[1], name


def test_without_unhealthy_rows_there_is_no_area_and_nothing_missed() -> None:
    windows = np.arange(3)
    rows = RowRuns(windows, np.ones(3, dtype=np.float32), np.full(3, 10.0))
    found = row_metrics(rows, windows, np.array([0.5, 1.5, np.nan]))
    assert (found["healthy"], found["unhealthy"], found["not_scored"]) == (20, 0, 10)
    assert found["overall"]["false_alarm_rate"] == 0.5
    assert found["overall"]["auroc"] is None
    assert found["overall"]["f1"] is None
