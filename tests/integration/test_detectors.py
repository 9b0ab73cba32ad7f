"""Classical detectors as the model of a training, in its checkpoint, its bundle and its answers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fans import STRIDE_S, learn, record
from jobs import Train, evaluate_settings, export_settings, train_settings
from sklearn.covariance import oas
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.data.cross_parts import held_out_parts
from hydrascope.evaluation.baselines import window_features
from hydrascope.evaluation.detection import machine_scores, score_table
from hydrascope.evaluation.detectors import DETECTORS, detector_scores
from hydrascope.experiment import evaluate, export, train
from hydrascope.experiment.restore import Restored, restore
from hydrascope.notebook.answer_table import BLAMED, NORMALITY
from hydrascope.notebook.diagnoser import Diagnoser
from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import BLAME, LEVELS, MACHINE
from hydrascope.training.fit_normality import calibrate

MODELS = {
    "mahalanobis": "Mahalanobis",
    "pca_t2": "PCA T²",
    "pca_spe": "PCA SPE",
    "nearest_neighbours": "nearest neighbours",
    "isolation_forest": "isolation forest",
}
"""Model → its name beside other models."""
FIRST = "mahalanobis"
FOLDS = 3


@pytest.fixture(scope="module")
def fans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("detectors") / "fans")


@pytest.fixture(scope="module")
def runs(run_training: Train, fans: Path) -> dict[str, Path]:
    """A training of each, the first with parts held out in turn and detectors beside it."""
    first, *others = MODELS
    more = (f"task.normality.cross_folds={FOLDS}", "baselines=true")
    found = {first: learn(run_training, fans, f"model={first}", *more)}
    return found | {name: learn(run_training, fans, f"model={name}") for name in others}


def best(run_dir: Path) -> str:
    return str(run_dir / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def restored(runs: dict[str, Path]) -> Restored:
    return restore(best(runs["mahalanobis"]))


def test_it_finds_the_anomalies_and_the_others_stand_beside_it(runs: dict[str, Path]) -> None:
    for name, run_dir in runs.items():
        report = json.loads((run_dir / "results.json").read_text())
        assert report["test"] == {name: {}}
        assert report["best_epoch"] is None
        assert report["normality"][name]["overall"]["auroc"] > 0.95, name
        assert report["normality"][name]["false_alarms"]["rate"] < 0.2, name
    report = json.loads((runs["mahalanobis"] / "results.json").read_text())["normality"]
    assert set(report) == {"mahalanobis", *MODELS.values()} - {"Mahalanobis"}


def test_its_scores_and_threshold_are_those_of_scikit_learn(restored: Restored) -> None:
    settings, diagnoser, data = restored
    spec = settings.task.normality
    assert spec is not None
    features = window_features(data.dataset.machines, diagnoser.normalizer).double()
    steps = features.transpose(1, 2).flatten(2).numpy()  # of every window, [windows, T, D]
    (_, learned), *in_turn = held_out_parts(data, spec)
    known = np.concatenate(steps[learned])
    center, scale = known.mean(0), known.std(0)
    varies = scale > 1e-6
    shrunk, _ = oas((known - center)[:, varies] / scale[varies], assume_centered=True)
    precision = np.eye(len(scale))
    at = np.ix_(varies, varies)
    precision[at] = np.linalg.inv(shrunk * np.outer(scale, scale)[at])
    deviation = steps - center
    square = np.einsum("wtd,de,wte->w", deviation, precision, deviation)
    windows, scores = machine_scores(score_table(diagnoser, data, spec))
    expected = np.sqrt(square[windows])
    np.testing.assert_allclose(scores / scores[0], expected / expected[0], rtol=1e-4)
    assert len(in_turn) == FOLDS
    # Beside another model, the detector is fitted to the same rows and judged likewise.
    without = spec.model_copy(update={"cross_folds": 0})
    beside = detector_scores("Mahalanobis", data, diagnoser, without, seed=0)
    held_out = np.sort(square[data.split.val])
    rank = int(np.ceil((len(held_out) + 1) * (1 - spec.false_alarm_rate) - 1e-9))
    threshold = held_out[min(rank, len(held_out)) - 1]
    np.testing.assert_allclose(beside, expected / np.sqrt(threshold), rtol=1e-4)
    assert list(DETECTORS) == list(MODELS.values())
    faulty = data.healthy[windows] == 0
    assert roc_auc_score(faulty, beside) == roc_auc_score(faulty, expected)


def test_all_learned_windows_set_its_threshold_held_out_in_turn(restored: Restored) -> None:
    settings, diagnoser, data = restored
    spec, normality = settings.task.normality, diagnoser.normality
    assert spec is not None
    assert normality is not None
    assert normality.in_turn is not None
    held_out = np.sort(np.concatenate([part.rows for part in held_out_parts(data, spec)]))
    np.testing.assert_array_equal(held_out, np.union1d(data.split.train, data.split.val))
    np.testing.assert_array_equal(
        np.sort(normality.in_turn[MACHINE].window.numpy()), data.split.train
    )
    before = {name: each.clone() for name, each in normality.thresholds().items()}
    calibrate(diagnoser, data, spec)
    for name, table in normality.thresholds().items():
        torch.testing.assert_close(table, before[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    "model",
    [pytest.param(each, marks=[pytest.mark.slow] if each != FIRST else []) for each in MODELS],
)
def test_bundle_and_commands_say_what_the_evaluation_says(
    model: str, runs: dict[str, Path], fans: Path, tmp_path: Path
) -> None:
    ckpt = best(runs[model])
    evaluate.run(evaluate_settings(ckpt, tmp_path / "judged"), quiet=True)
    judged = pd.read_csv(tmp_path / "judged" / "normality.csv", parse_dates=["start"])
    judged = judged[judged["score"].notna()]
    blames = model != "isolation_forest"  # its scores have no shares of sensors
    assert set(judged["level"]) == ({*LEVELS, BLAME} if blames else {MACHINE})
    page = (tmp_path / "judged" / "report.html").read_text("utf-8")
    assert ("Most probably to blame" in page) == blames
    export.run(export_settings(ckpt, tmp_path / "bundle", "onnx=true"))
    opened = read_bundle(tmp_path / "bundle")
    assert opened.manifest.parity <= 1e-4  # of ONNX Runtime's answers, too
    assert (tmp_path / "bundle" / "model.onnx").exists()
    for file in (tmp_path / "bundle").iterdir():
        assert file.suffix not in (".pkl", ".pt", ".joblib")

    frame = pd.concat([pd.read_parquet(each) for each in sorted(fans.glob("*.parquet"))])
    answers = Diagnoser.load(tmp_path / "bundle").predict(
        frame, stride_s=STRIDE_S, reading={"time_zone": "UTC"}
    )
    assert set(answers["head"]) == ({NORMALITY, BLAMED} if blames else {NORMALITY})
    told = ["predict", str(tmp_path / "bundle"), str(fans), "--time-zone", "UTC"]
    more = ["--stride", str(STRIDE_S), "--out", str(tmp_path / "answers")]
    result = CliRunner().invoke(app, told + more)
    assert result.exit_code == 0, result.output
    files = sorted((tmp_path / "answers").glob("*.parquet"))
    written = pd.concat([pd.read_parquet(each) for each in files])
    keys = ["equipment_id", "start", "id"]
    of_blame = judged["level"] == BLAME
    for table, head, value in (
        (answers, NORMALITY, "answer"),
        (written, NORMALITY, "value"),
        (answers, BLAMED, "probability"),
        (written, BLAMED, "probability"),
    ):
        own, scores = table[table["head"] == head], judged[of_blame == (head == BLAMED)]
        named = own["label"].fillna(own["component"]).fillna(own["equipment_id"])
        both = scores.merge(own.assign(id=named, start=pd.to_datetime(own["start"])), on=keys)
        assert len(both) == len(scores)
        np.testing.assert_allclose(
            both[value].astype(float), both["score"], rtol=1e-4, atol=1e-5, err_msg=value
        )


def test_what_it_cannot_do_is_one_line(runs: dict[str, Path], fans: Path, tmp_path: Path) -> None:
    forest = best(runs["isolation_forest"])
    expected = "level_share: 1 is not accepted; the scores of isolation_forest have no level"
    with pytest.raises(SpecError, match=expected):
        evaluate.run(evaluate_settings(forest, tmp_path, level_share=1.0))
    given = ("model=pca_t2", "task=zema", f"run_dir={tmp_path / 'run'}")
    with pytest.raises(SpecError, match=r"PcaT2 scores normality and answers no heads"):
        train.run(train_settings(*given), quiet=True)
