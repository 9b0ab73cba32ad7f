"""Normality from telemetry to a bundle: alone without labels, on a short recording, and beside
heads."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from jobs import Train, evaluate_settings, export_settings
from sklearn.metrics import roc_auc_score

from hydrascope.evaluation.detection import machine_scores, score_table
from hydrascope.experiment import evaluate, export
from hydrascope.experiment.restore import restore
from hydrascope.models.detectors.mahalanobis import Mahalanobis
from hydrascope.packaging.bundle import read_bundle
from hydrascope.packaging.card import model_card
from hydrascope.schemas import TimeWindow
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import BLAME, COMPONENT, LEVELS, MACHINE, SENSOR
from hydrascope.serving.diagnosis.diagnosis import build_diagnosis
from hydrascope.serving.http.views import findings
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import TelemetryWindow
from hydrascope.telemetry import ZemaSource
from hydrascope.training.checkpoint import read_checkpoint
from hydrascope.training.fit_normality import held_out_scores

SECONDS = 300


@pytest.fixture(scope="module")
def short_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 samples of the rig's pump at 1 Hz, and not a label."""
    folder = tmp_path_factory.mktemp("short") / "press"
    (folder / "machines").mkdir(parents=True)
    rig = ZemaSource()
    (extent,) = rig.extents("zema")
    signals = rig.read("zema", extent)
    names = {"p_out": "PS1", "q_out": "FS1", "t_oil": "TS1"}
    table = pd.DataFrame({name: signals[own].values[:SECONDS] for name, own in names.items()})
    table.insert(0, "timestamp", pd.date_range("2026-01-01", periods=SECONDS, freq="1s"))
    table.insert(1, "equipment_id", "press_7")
    table.to_parquet(folder / "january.parquet", index=False)
    sensor = {"rate_hz": 1}
    machine = {
        "schema_version": 1,
        "equipment": {"equipment_id": "press_7", "name": "Press 7"},
        "topology": {
            "id": "press",
            "components": [
                {
                    "id": "pump",
                    "kind": "pump",
                    "sensors": [
                        {"id": "p_out", "kind": "pressure", "unit": "bar", **sensor},
                        {"id": "q_out", "kind": "flow", "unit": "l/min", **sensor},
                    ],
                },
                {
                    "id": "tank",
                    "kind": "tank",
                    "sensors": [{"id": "t_oil", "kind": "temperature", "unit": "degC", **sensor}],
                },
            ],
            "edges": [
                {
                    "source": "tank",
                    "target": "pump",
                    "kind": "suction_line",
                    "diameter_mm": 25,
                    "length_m": 1.0,
                    "material": "steel",
                }
            ],
        },
    }
    (folder / "machines" / "press.yaml").write_text(yaml.safe_dump(machine), "utf-8")
    return folder


@pytest.fixture(scope="module")
def short_run(short_folder: Path, run_training: Train) -> Path:
    return run_training(
        "data=parquet",
        f"data.source.folder={short_folder}",
        "data.source.time_zone=UTC",
        "task=normality",
        "model=mahalanobis",
        "data.window.window_s=10",
        "data.window.stride_s=10",
        "data.window.steps=5",
        "data.split.val_fraction=0.4",
        "features=short_windows",
        "features.patch_length=2",
        "baselines=true",
    )


def test_a_folder_of_300_samples_without_labels_trains_and_says_what_rate_it_resolves(
    short_run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    report = json.loads((short_run / "results.json").read_text())["normality"]
    # Of 30 windows the last 6 are tested on; of the 24 before them 10 set the threshold.
    assert report["mahalanobis"]["false_alarms"]["windows"] == 6
    assert report["mahalanobis"]["false_alarms"]["held_out"] == 10
    assert report["mahalanobis"]["false_alarms"]["resolved"] == pytest.approx(1 / 11)
    assert {"PCA T²", "PCA SPE", "nearest neighbours", "isolation forest"} < set(report)
    ckpt = str(short_run / "checkpoints" / "best.ckpt")
    evaluate.run(evaluate_settings(ckpt, tmp_path, missing_sensors=True))
    printed = " ".join(capsys.readouterr().out.split())
    assert "they resolve a false-alarm rate of 9.1 % at best; the requested 1 % takes 99" in printed
    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert "missing_sensors" not in report  # without heads there is nothing to judge
    judged = report["normality"]
    low, high = judged["intervals"]["false_alarm_rate"]
    assert low <= judged["false_alarms"]["rate"] <= high
    table = pd.read_csv(tmp_path / "normality.csv")
    scores = table[table["level"] != BLAME]
    assert set(scores["id"]) == {"press_7", "pump", "tank", "p_out", "q_out", "t_oil"}
    assert len(scores) == 6 * 6
    assert scores["score"].notna().all()
    assert (scores["alarm"] == (scores["score"] > 1)).all()
    # Components are blamed in the windows with an alarm, and in no others.
    blamed, machine = table[table["level"] == BLAME], scores[scores["level"] == MACHINE]
    assert set(blamed["window"]) == set(machine.loc[machine["score"] > 1, "window"])
    assert blamed.groupby("window")["score"].sum().to_numpy() == pytest.approx(1.0)


def test_a_fault_of_one_sensor_raises_its_score_above_all_others_and_the_alarm(
    short_run: Path,
) -> None:
    _, diagnoser, data = restore(str(short_run / "checkpoints" / "best.ckpt"))
    inputs = data.dataset.gather(data.split.test).inputs
    sensors = [sensor.id for _, sensor in data.machines["press_7"].topology.sensors]
    assert diagnoser.normality is not None
    before = diagnoser.predict(inputs)
    half = inputs.sensor_features.shape[1] // 2
    for number, name in enumerate(sensors):
        at = torch.arange(number, len(inputs.sensor_kind), len(sensors))
        scale = diagnoser.normalizer.scale[inputs.sensor_slot[at]]
        for first in (0, half):  # wrong all the time, or from the middle of the window on
            features = inputs.sensor_features.clone()
            features[at, first:] += 15 * (scale if scale.shape[1] == 1 else scale[:, first:])
            after = diagnoser.predict(inputs._replace(sensor_features=features))
            assert (after[MACHINE] > 1).all(), name
            assert (after[MACHINE] > before[MACHINE]).all()
        # Levels count little, so it is the fault that sets in which tells its sensor.
        raised = (after[SENSOR] / before[SENSOR]).reshape(-1, len(sensors))
        assert (raised.argmax(1) == number).float().mean() > 0.5, name


def test_the_scores_travel_in_the_bundle_and_are_served(short_run: Path, tmp_path: Path) -> None:
    ckpt = str(short_run / "checkpoints" / "best.ckpt")
    export.run(export_settings(ckpt, tmp_path / "bundle"))
    opened = read_bundle(tmp_path / "bundle")
    assert opened.manifest.parity <= 1e-4
    assert opened.manifest.task.normality is not None
    answers_of = opened.diagnoser.predict
    _, diagnoser, data = restore(ckpt)
    for rows in (data.split.test[:1], data.split.test):
        inputs = data.dataset.gather(rows).inputs
        observed = inputs.sensor_observed.clone()
        observed[1] = False
        for given in (inputs, inputs._replace(sensor_observed=observed)):
            exported, eager = answers_of(given), diagnoser.predict(given)
            assert {*LEVELS, BLAME} == exported.keys()
            for level in exported:
                torch.testing.assert_close(
                    exported[level], eager[level], atol=1e-4, rtol=0, equal_nan=True
                )
            assert not eager[MACHINE].isnan().any()
    metrics = opened.manifest.metrics.heads
    assert metrics.keys() == {"normality"}
    assert 0 <= metrics["normality"]["false_alarm_rate"] <= 1
    card = model_card(opened.manifest)
    assert "a healthy machine exceeds in at most 1 %" in card
    assert "fitted beside" not in card  # the model itself scores

    # Served of telemetry, it says the same; of a sensor without a sample there is nothing to say.
    served = ServedModel(opened)
    served.warm_up([1], opened.manifest.machines)
    (machine,) = opened.manifest.machines
    row = int(data.split.test[0])
    start = data.table["start"].iloc[row]
    signals = data.source.read(
        "press_7", TimeWindow(start=start, end=start + timedelta(seconds=10))
    )
    eager = diagnoser.predict(data.dataset.gather([row]).inputs)
    for missing in ((), ("q_out",)):
        given = {name: each for name, each in signals.items() if name not in missing}
        window = TelemetryWindow(machine, start, given)
        (answer,), _ = served.answer([window])
        said = build_diagnosis(window, answer, opened.manifest, opened.version)
        found = said.normality
        assert found is not None
        assert list(found.sensors) == ["p_out", "q_out", "t_oil"]
        assert list(found.components) == ["pump", "tank"]
        assert (found.sensors["q_out"] is None) == bool(missing)
        assert found.machine is not None
        beyond = sum(
            score > 1 for score in (found.machine, *found.components.values()) if score is not None
        )
        assert len(findings(said)) == beyond + (found.blame is not None)
        assert (found.blame is not None) == (found.machine > 1)
        if found.blame is not None:
            assert sum(found.blame.values()) == pytest.approx(1.0, abs=1e-5)
        if not missing:
            assert found.machine == pytest.approx(float(eager[MACHINE]), abs=1e-5)
            assert [*found.components.values()] == pytest.approx(eager[COMPONENT][:, 0].tolist())
            assert [*found.sensors.values()] == pytest.approx(eager[SENSOR][:, 0].tolist())


@pytest.fixture(scope="module")
def beside(run_training: Train) -> Path:
    """A network with heads, and the scores of Mahalanobis beside it."""
    keys = "healthy: {valve: 100, pump: [0, 1]}, false_alarm_rate: 0.1, cross_folds: 3"
    return run_training(
        f"+task.normality={{{keys}}}",
        "trainer.max_epochs=1",
        "data.window.steps=3",
        "features.patch=false",
    )


def test_normality_stands_beside_heads_and_learns_from_healthy_windows_alone(beside: Path) -> None:
    results = json.loads((beside / "results.json").read_text())
    assert set(results["test"]["gatv2_arma"]) == {
        "cooler",
        "valve",
        "pump",
        "accumulator",
        "stable",
    }
    faults = results["normality"]["Mahalanobis"]["faults"]  # that is what scores
    assert set(faults) == {"any", "valve=73", "valve=80", "valve=90", "pump=2"}
    healthy_tested = results["normality"]["Mahalanobis"]["false_alarms"]["windows"]
    assert faults["any"]["windows"] + healthy_tested == 440
    settings, diagnoser, data = restore(str(beside / "checkpoints" / "best.ckpt"))
    assert settings.task.normality is not None
    assert diagnoser.normality is not None
    # Validation sets the thresholds, and so does the training, in three parts held out in turn.
    healthy = np.sort(np.concatenate([data.split.train, data.split.val]))
    healthy = healthy[data.healthy[healthy] == 1]
    held_out = data.table["condition"].iloc[healthy].nunique()
    assert int(diagnoser.normality.held_out) == held_out
    found = held_out_scores(diagnoser, data, settings.task.normality)[MACHINE]
    np.testing.assert_array_equal(found.window, healthy)
    answers = diagnoser.predict(data.dataset.gather(data.split.test[:4]).inputs)
    assert {"valve", MACHINE, COMPONENT, SENSOR} < answers.keys()
    threshold = float(diagnoser.normality.threshold_machine[0])
    alarms = pd.Series(found.score > threshold).groupby(data.units[healthy]).mean()
    assert len(alarms) == held_out
    assert alarms.sum() <= 0.1 * (held_out + 1)


def test_a_checkpoint_without_thresholds_is_refused(beside: Path) -> None:
    last = beside / "checkpoints" / "last.ckpt"
    assert not int(read_checkpoint(last).weights["normality.held_out"])
    with pytest.raises(SpecError, match="no thresholds of normality yet"):
        restore(str(last))


def test_a_network_without_heads_is_one_line(run_training: Train) -> None:
    with pytest.raises(SpecError, match="model: gatv2_arma answers heads, and the task has none"):
        run_training("task=normality")


def test_nothing_held_out_to_learn_from_is_one_line_before_a_training(run_training: Train) -> None:
    with pytest.raises(SpecError, match="no validation window is healthy, but they set the thresh"):
        run_training("+task.normality={fit: {first_windows: 3}}")


def test_what_answers_on_the_rig_is_what_was_learned(run_training: Train) -> None:
    """With noise of the same size in its place, hardly a fault is told from a healthy cycle."""
    run_dir = run_training(
        *("experiment=zema_normality", "model=mahalanobis_cycle"),
        "task.normality.cross_folds=0",
    )
    settings, diagnoser, data = restore(str(run_dir / "checkpoints" / "best.ckpt"))
    spec = settings.task.normality
    assert spec is not None
    assert isinstance(diagnoser.model, Mahalanobis)

    def auroc() -> float:
        windows, scores = machine_scores(score_table(diagnoser, data, spec))
        judged = ~np.isnan(scores)
        return float(roc_auc_score(data.healthy[windows[judged]] == 0, scores[judged]))

    learned = auroc()
    assert learned > 0.9
    noise = torch.randn(diagnoser.model.whiten.shape, dtype=torch.float64)
    diagnoser.model.whiten.copy_(noise * diagnoser.model.whiten.square().mean().sqrt())
    assert auroc() < learned - 0.2
