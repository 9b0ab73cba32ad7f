"""Alarms that are counted in hours, and windows at operating points that nobody has seen."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from jobs import Train, evaluate_settings, export_settings

from hydrascope.evaluation.detection import machine_scores, score_table
from hydrascope.experiment import evaluate, export
from hydrascope.experiment.restore import Restored, restore
from hydrascope.models.alarm_test import AlarmTest
from hydrascope.notebook.diagnoser import Diagnoser
from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import BLAME, MACHINE, OPERATING_POINT

SECONDS, LEARNED = 720, 480
FAULTY, NEW = slice(540, 600), slice(660, 720)
HOURLY = ("task.normality.false_alarm_rate=null", "task.normality.false_alarms_per_1000_h=1.0")


def record(folder: Path) -> Path:
    """Write three presses: a faulty minute at usual commands, a sound one at unusual commands."""
    (folder / "machines").mkdir(parents=True)
    (folder / "labels").mkdir()
    random, time = np.random.default_rng(1), np.arange(SECONDS)
    stamps = pd.date_range("2026-01-01", periods=SECONDS + 1, freq="1s")
    for name in ("press_0", "press_1", "press_2"):
        command = np.repeat(random.choice([10.0, 20.0, 30.0, 40.0], SECONDS // 10), 10)
        command[NEW] = 95.0
        wrong = np.zeros(SECONDS)
        wrong[FAULTY] = 30.0 * (time[FAULTY] % 3)
        values = {
            "timestamp": stamps[:-1],
            "equipment_id": name,
            "u": command,
            "p": 100 + 2 * command + random.normal(0, 1, SECONDS) + wrong,
        }
        pd.DataFrame(values).to_parquet(folder / f"{name}.parquet", index=False)
        sensors = [
            {"id": "p", "kind": "pressure", "unit": "bar", "rate_hz": 1},
            {"id": "u", "kind": "control_signal", "unit": "%", "rate_hz": 1},
        ]
        machine = {
            "schema_version": 1,
            "equipment": {"equipment_id": name, "name": name},
            "topology": {
                "id": "press",
                "components": [{"id": "valve", "kind": "servo_valve", "sensors": sensors}],
                "edges": [],
            },
        }
        (folder / "machines" / f"{name}.yaml").write_text(yaml.safe_dump(machine), "utf-8")
        bounds = stamps[[0, FAULTY.start, FAULTY.stop, SECONDS]]
        labels = {"equipment_id": name, "start": bounds[:-1], "end": bounds[1:]}
        pd.DataFrame(labels | {"anomaly": [0, 1, 0]}).to_csv(
            folder / "labels" / f"{name}.csv", index=False
        )
    return folder


@pytest.fixture(scope="module")
def presses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("hourly") / "presses")


def learn(run_training: Train, folder: Path, *more: str) -> str:
    run_dir = run_training(
        *("data=parquet", f"data.source.folder={folder}", "data.source.time_zone=UTC"),
        *("task=normality", "model=mahalanobis", "features=short_windows"),
        f"task.normality.fit={{first_windows: {LEARNED // 10}}}",
        "task.normality.truth={anomaly: 0}",
        *("data.window.window_s=10", "data.window.stride_s=10", "data.window.steps=1"),
        *("data.split.val_fraction=0.4", *more),
    )
    return str(run_dir / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def ckpt(run_training: Train, presses: Path) -> str:
    return learn(run_training, presses, *HOURLY)


@pytest.fixture(scope="module")
def restored(ckpt: str) -> Restored:
    return restore(ckpt)


def second(table: pd.DataFrame) -> np.ndarray:
    start = pd.DatetimeIndex(table["start"])
    return np.asarray((start - start.min()).total_seconds() + LEARNED, dtype=np.int64)


def during(table: pd.DataFrame, part: slice) -> pd.DataFrame:
    begin = second(table)
    return table[(begin >= part.start) & (begin + 10 <= part.stop)]


def scored(restored: Restored) -> pd.DataFrame:
    settings, diagnoser, data = restored
    assert settings.task.normality is not None
    rows = np.flatnonzero(~data.learned)
    data.split = data.split._replace(test=rows)
    return score_table(diagnoser, data, settings.task.normality)


def test_a_fault_at_a_known_operating_point_alarms_and_a_sound_machine_at_a_new_one_does_not(
    restored: Restored,
) -> None:
    table = scored(restored)
    machines = table[table["level"] == MACHINE]
    faulty = during(machines, FAULTY)
    assert faulty.groupby("equipment_id")["alarm"].any().all()
    assert faulty["score"].notna().all()
    blamed = table[table["level"] == BLAME]
    assert set(blamed["window"]) == set(machines.loc[machines["alarm"].fillna(False), "window"])
    new = during(machines, NEW)
    assert new["score"].isna().all()
    assert new["alarm"].isna().all()
    points = table[table["level"] == OPERATING_POINT]
    assert (during(points, NEW)["score"] > 1).all()
    known = points.drop(during(points, NEW).index)
    assert (known["score"] <= 1).mean() > 0.95
    assert points["alarm"].isna().all()


def test_without_covariates_the_same_sound_machine_alarms(
    run_training: Train, presses: Path
) -> None:
    table = scored(
        restore(learn(run_training, presses, *HOURLY, "task.normality.operating_point=[]"))
    )
    assert OPERATING_POINT not in set(table["level"])
    machines = table[table["level"] == MACHINE]
    assert during(machines, NEW).groupby("equipment_id")["alarm"].any().all()


def test_the_report_counts_alarms_in_hours_and_says_what_is_new(ckpt: str, tmp_path: Path) -> None:
    evaluate.run(evaluate_settings(ckpt, tmp_path))
    found = json.loads((tmp_path / "evaluation.json").read_text())["normality"]
    hourly = found["hourly"]
    assert hourly["asked"] == 1.0
    assert hourly["every_h"] == pytest.approx(10 / 3600)
    # Some minutes of three machines cannot promise one alarm in 1,000 hours.
    assert hourly["resolved"] > 1000
    assert found["new_operating_points"] > 0
    page = (tmp_path / "report.html").read_text()
    assert "at a new operating point" in page
    assert "false alarms in 1,000 machine-hours" in page


def test_thresholds_can_be_set_anew_for_either_kind_of_budget(ckpt: str, tmp_path: Path) -> None:
    settings = evaluate_settings(ckpt, tmp_path, false_alarm_rate=0.2)
    evaluate.run(settings)
    found = json.loads((tmp_path / "evaluation.json").read_text())["normality"]
    assert found["hourly"] is None
    assert found["thresholds_reset"] == {"false_alarm_rate": [None, 0.2]}
    assert found["false_alarms"]["asked"] == 0.2
    wrong = evaluate_settings(ckpt, tmp_path / "wrong", smoothing=0.5)
    with pytest.raises(SpecError, match=r"smoothing: 0\.5 .* expected 0\.0 with"):
        evaluate.run(wrong)


def test_a_bundle_answers_windows_that_a_watch_joins_as_the_evaluation_does(
    ckpt: str, restored: Restored, presses: Path, tmp_path: Path
) -> None:
    export.run(export_settings(ckpt, tmp_path / "bundle"))
    manifest = read_bundle(tmp_path / "bundle").manifest
    assert manifest.alarm_width == pytest.approx(float(restored.diagnoser.normality.width[0]))
    frame = pd.read_parquet(presses / "press_1.parquet")
    answers = Diagnoser.load(tmp_path / "bundle").predict(frame, reading={"time_zone": "UTC"})
    whole = answers[answers["component"].isna() & answers["label"].isna()]
    windows, expected = machine_scores(scored(restored))
    mine = restored.data.table["equipment_id"].to_numpy()[windows] == "press_1"
    shares = whole.set_index("start")["answer"].astype(float)
    starts = pd.DatetimeIndex(restored.data.table["start"].iloc[windows[mine]])
    sums = AlarmTest(manifest.alarm_width).run(shares.reindex(starts).to_numpy())
    np.testing.assert_allclose(sums, expected[mine], rtol=1e-4, atol=1e-5)
