"""Learning from one thing, judged by another: from telemetry of several machines to the report."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fans import LEARNED, MACHINES, STRIDE_S, WINDOW_S, learn, record
from jobs import Train, composed, evaluate_settings

from hydrascope.experiment import evaluate
from hydrascope.experiment.job_settings import validate_evaluate
from hydrascope.experiment.restore import restore
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import MACHINE
from hydrascope.training.fit_normality import calibrate


@pytest.fixture(scope="module")
def run_dir(run_training: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn(run_training, record(tmp_path_factory.mktemp("fans") / "alike"))


def test_the_first_windows_are_learned_from_and_all_others_judged_by_their_labels(
    run_dir: Path,
) -> None:
    settings, diagnoser, data = restore(str(run_dir / "checkpoints" / "best.ckpt"))
    number = data.table.groupby("equipment_id").cumcount().to_numpy()
    assert (number[np.concatenate(data.split[:2])] < LEARNED).all()
    assert np.isin(np.flatnonzero(number >= LEARNED), data.split.test).all()
    assert settings.task.normality is not None
    assert diagnoser.normality is not None
    assert diagnoser.normality.level_share == 1.0
    report = json.loads((run_dir / "results.json").read_text())["normality"]["mahalanobis"]
    tested = data.table.iloc[data.split.test]
    assert report["faults"].keys() == {"any", "anomaly=1"}
    assert report["faults"]["any"]["windows"] == (tested["anomaly"] == 1).sum()
    assert report["false_alarms"]["windows"] == (tested["anomaly"] == 0).sum()
    assert report["events"]["count"] == 3 * MACHINES
    assert report["events"]["detected"] == 3 * MACHINES
    assert 0 <= report["events"]["median_delay_s"] <= WINDOW_S
    assert report["overall"]["recall"] > 0.9
    assert report["overall"]["auroc"] > 0.9
    rows = report["rows"]
    tested = WINDOW_S + STRIDE_S * (len(data.split.test) // MACHINES - 1)  # s of each machine
    assert rows["healthy"] + rows["unhealthy"] == tested * MACHINES
    assert rows["unhealthy"] == 120 * MACHINES
    assert rows["overall"]["auroc"] > 0.8
    assert report["differing_machines"] == []


def test_windows_that_overlap_count_as_what_they_are_worth(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alarms = json.loads((run_dir / "results.json").read_text())["normality"]["mahalanobis"]
    alarms = alarms["false_alarms"]
    assert alarms["sharing"] == MACHINES  # one window of each begins before the training ends
    assert alarms["adjoining"] == MACHINES
    assert alarms["held_out"] == (alarms["held_out_windows"] - alarms["sharing"] + MACHINES) // 2
    evaluate.run(evaluate_settings(str(run_dir / "checkpoints" / "best.ckpt"), tmp_path))
    printed = " ".join(capsys.readouterr().out.split())
    line = (
        f"Normality: {alarms['held_out']} held-out healthy windows set the threshold (that is what "
        f"{alarms['held_out_windows']} windows are worth that share samples; 3 that share samples "
        f"with training windows do not count; 3 of {alarms['held_out_windows']} windows adjoin "
        "training windows, and healthy windows of other times may raise more alarms); requested "
        "false-alarm rate: 5 %"
    )
    assert line in printed
    page = " ".join((tmp_path / "report.html").read_text("utf-8").split())
    assert line in page
    assert "without point adjustment" in page
    assert "set anew" not in page


def test_thresholds_are_set_anew_without_another_fit_and_the_page_says_so(
    run_dir: Path, tmp_path: Path
) -> None:
    ckpt = run_dir / "checkpoints" / "best.ckpt"
    before = ckpt.read_bytes()
    reports = {}
    for rate, smoothing in ((0.05, 0.0), (0.3, 0.0), (0.3, 0.6)):
        folder = tmp_path / f"{rate}_{smoothing}"
        changed = evaluate_settings(str(ckpt), folder, false_alarm_rate=rate, smoothing=smoothing)
        evaluate.run(changed, quiet=True)
        reports[rate, smoothing] = json.loads((folder / "evaluation.json").read_text())["normality"]
    assert ckpt.read_bytes() == before
    trained = json.loads((run_dir / "results.json").read_text())["normality"]["mahalanobis"]
    same, often, smooth = reports.values()
    assert same["thresholds_reset"] == {}
    assert same["overall"] == trained["overall"]
    assert often["thresholds_reset"] == {"false_alarm_rate": [0.05, 0.3]}
    assert often["false_alarms"]["asked"] == 0.3
    assert often["overall"]["false_alarm_rate"] > same["overall"]["false_alarm_rate"]
    assert often["overall"]["auroc"] == pytest.approx(same["overall"]["auroc"])
    assert smooth["thresholds_reset"].keys() == {"false_alarm_rate", "smoothing"}
    assert smooth["overall"]["auroc"] != often["overall"]["auroc"]
    page = " ".join((tmp_path / "0.3_0.6" / "report.html").read_text("utf-8").split())
    assert "with false_alarm_rate 0.3 instead of 0.05, smoothing 0.6 instead of 0. They" in page


def test_the_weight_of_levels_may_be_another_after_the_training(
    run_dir: Path, tmp_path: Path
) -> None:
    ckpt, scores = str(run_dir / "checkpoints" / "best.ckpt"), []
    for share in (1.0, 0.1):
        evaluate.run(evaluate_settings(ckpt, tmp_path / f"{share}", level_share=share), quiet=True)
        table = pd.read_csv(tmp_path / f"{share}" / "normality.csv")
        scores.append(table.loc[table["level"] == MACHINE, "score"].to_numpy())
    found = json.loads((tmp_path / "0.1" / "evaluation.json").read_text())["normality"]
    assert found["thresholds_reset"] == {"level_share": [1.0, 0.1]}
    assert not np.allclose(*scores, rtol=0.01, equal_nan=True)


@pytest.mark.parametrize("rule", ["quantile", "sigma", "gamma"])
def test_the_rule_of_the_threshold_may_be_another_after_the_training(
    run_dir: Path, tmp_path: Path, rule: str
) -> None:
    ckpt = str(run_dir / "checkpoints" / "best.ckpt")
    evaluate.run(evaluate_settings(ckpt, tmp_path, threshold=rule), quiet=True)
    found = json.loads((tmp_path / "evaluation.json").read_text())["normality"]
    assert found["thresholds_reset"] == {"threshold": ["conformal", rule]}
    assert found["false_alarms"]["rule"] == rule
    assert found["false_alarms"]["resolved"] is None
    trained = json.loads((run_dir / "results.json").read_text())["normality"]["mahalanobis"]
    assert found["overall"]["auroc"] == pytest.approx(trained["overall"]["auroc"])
    page = " ".join((tmp_path / "report.html").read_text("utf-8").split())
    assert f"by the rule {rule}; the requested false-alarm rate of 5 % holds if" in page
    assert f"with threshold {rule} instead of conformal" in page


def test_the_last_window_of_each_machine_is_judged_by_a_key_of_the_evaluation(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ckpt = run_dir / "checkpoints" / "best.ckpt"
    given = (f"ckpt={ckpt}", f"run_dir={tmp_path}", "data.split.test=last")
    evaluate.run(validate_evaluate(composed(*given, job="evaluate")))
    scores = pd.read_csv(tmp_path / "normality.csv")
    data = restore(str(ckpt)).data
    tested = data.table.iloc[data.split.test]
    last = tested.groupby("equipment_id")["start"].max()
    assert len(tested) > len(last) == MACHINES
    assert sorted(scores["window"].unique()) == sorted(
        tested.index[tested["start"] == tested["equipment_id"].map(last)]
    )
    assert json.loads((tmp_path / "evaluation.json").read_text())["test_windows"] == "last"


def test_other_telemetry_is_judged_though_nothing_in_it_could_be_learned_from(
    run_dir: Path, tmp_path: Path
) -> None:
    ckpt, judged = str(run_dir / "checkpoints" / "best.ckpt"), tmp_path / "judged"
    other = record(tmp_path / "others", last_noise=1.1, seconds=500)
    evaluate.run(evaluate_settings(ckpt, judged, judge="all", folder=other), quiet=True)
    found = json.loads((judged / "evaluation.json").read_text())["normality"]
    windows = found["false_alarms"]["windows"] + found["faults"]["any"]["windows"]
    assert windows == MACHINES * ((500 - WINDOW_S) // STRIDE_S + 1)
    assert found["overall"]["auroc"] > 0.9
    assert found["rows"]["healthy"] + found["rows"]["unhealthy"] == MACHINES * 500
    assert found["differing_machines"] == []
    with pytest.raises(SpecError, match=r"normality\.smoothing: .*accepted: null with judge=all"):
        evaluate.run(evaluate_settings(ckpt, judged, judge="all", folder=other, smoothing=0.3))


def test_thresholds_that_are_set_again_with_the_same_settings_are_the_same(run_dir: Path) -> None:
    settings, diagnoser, data = restore(str(run_dir / "checkpoints" / "best.ckpt"))
    assert settings.task.normality is not None
    assert diagnoser.normality is not None
    before = {name: each.clone() for name, each in diagnoser.normality.thresholds().items()}
    calibrate(diagnoser, data, settings.task.normality)
    for name, table in diagnoser.normality.thresholds().items():
        torch.testing.assert_close(table, before[name], rtol=0, atol=0, equal_nan=True)


def test_a_task_without_normality_has_no_thresholds_to_set(light: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"normality\.smoothing: the checkpoint's task has no norm"):
        evaluate.run(evaluate_settings(light, tmp_path, smoothing=0.3))


@pytest.mark.parametrize(
    ("unlike", "differ_in", "highest"),
    [({"last_noise": 4.0}, "scores", "fan_2"), ({"offset": 40.0}, "p", "fan_2")],
)
def test_machines_that_differ_more_from_each_other_than_within_themselves_are_named(
    run_training: Train,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    unlike: dict[str, float],
    differ_in: str,
    highest: str,
) -> None:
    run_dir = learn(run_training, record(tmp_path / "fans", **unlike))
    printed = " ".join(capsys.readouterr().out.split())
    said = "the 3 machines of fan differ more from each other than within themselves"
    assert said in printed
    report = json.loads((run_dir / "results.json").read_text())["normality"]["mahalanobis"]
    (found,) = report["differing_machines"]
    assert found["build"] == "fan"
    spread = found["differ_in"][differ_in]
    assert spread["between_sd"] > spread["within_sd"]
    assert list(spread["means"])[-1] == highest
    evaluate.run(
        evaluate_settings(str(run_dir / "checkpoints" / "best.ckpt"), tmp_path / "judged"),
        quiet=True,
    )
    assert said in (tmp_path / "judged" / "report.html").read_text("utf-8")
