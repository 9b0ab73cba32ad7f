"""A regression on a log scale with a cap, from the training to the bundle, in its unit."""

import json
from pathlib import Path

import pandas as pd
import pytest
from jobs import QUICK, Train, evaluate_settings, export_settings

from hydrascope.evaluation.verdict.sentence import words
from hydrascope.experiment import evaluate, export
from hydrascope.notebook.diagnoser import Diagnoser
from hydrascope.schemas import SpecError

COOLER = (
    "{name: cooler, level: component, components: [cooler], kind: regression, unit: '%', "
    "quantiles: [0.1, 0.5, 0.9], scale: log, cap: 50, "
    "metrics: [sklearn.metrics.median_absolute_error]}"
)
METRICS = {"mae", "rmse", "r2", "pinball", "interval_score", "median_absolute_error"}


@pytest.fixture(scope="module")
def best(run_training: Train) -> Path:
    quick = (*QUICK, "trainer.max_epochs=1", "baselines=[ridge,nearest_neighbours,lda]")
    run_dir = run_training(*quick, f"task.heads=[{COOLER}]")
    return run_dir / "checkpoints" / "best.ckpt"


def test_a_regression_is_judged_in_its_unit(best: Path, tmp_path: Path) -> None:
    evaluate.run(evaluate_settings(str(best), tmp_path))
    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert set(report["judged"]["cooler"]) == METRICS
    assert set(report["test"]["cooler"]) == {*METRICS, "rows"}
    for name in METRICS:
        point = report["judged"]["cooler"][name]["value"]
        assert point == pytest.approx(report["test"]["cooler"][name], rel=1e-3)
    rows = pd.read_parquet(tmp_path / "predictions.parquet")
    assert set(rows["target"].str[0]) == {3.0, 20.0, 50.0}  # and 100 in the data
    answers = pd.DataFrame(rows["answer"].tolist())
    assert answers.min(axis=None) >= 0.0
    assert answers.max(axis=None) <= 50.0
    coverage = report["calibration"]["conformal"]["heads"]["cooler"]["exchangeable"]
    assert 0.95 < coverage <= 1.0
    text = (tmp_path / "report.html").read_text()
    assert [name for name in METRICS if words(name) not in text] == []


def test_classical_models_stand_beside_it_on_the_same_rows_and_scores(
    best: Path, tmp_path: Path
) -> None:
    tested = json.loads((best.parents[1] / "results.json").read_text())["test"]
    assert {name: set(heads) for name, heads in tested.items()} == {
        "gatv2_arma": {"cooler"},
        "ridge": {"cooler"},
        "nearest neighbours": {"cooler"},
    }  # shrinkage LDA answers classes only
    assert set(tested["ridge"]["cooler"]) == {*METRICS, "rows"}
    assert tested["ridge"]["cooler"]["rows"] == tested["gatv2_arma"]["cooler"]["rows"]
    assert tested["ridge"]["cooler"]["r2"] > 0.9 > tested["gatv2_arma"]["cooler"]["r2"]
    evaluate.run(evaluate_settings(str(best), tmp_path))
    assert " is ahead on head cooler by " in (tmp_path / "report.html").read_text()


def test_a_bundle_answers_as_its_checkpoint_within_the_cap(best: Path, tmp_path: Path) -> None:
    gate = "+gate={cooler: {rmse: 60, median_absolute_error: 60}}"
    export.run(export_settings(str(best), tmp_path / "bundle", gate))
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert set(manifest["metrics"]["heads"]["cooler"]) == {*METRICS, "rows"}
    assert Diagnoser.load(tmp_path / "bundle").manifest.task.heads[0].cap == 50.0
    too_strict = "+gate={cooler: {median_absolute_error: 0.001}}"
    with pytest.raises(SpecError, match=r"median_absolute_error: .* measured; at most 0.001"):
        export.run(export_settings(str(best), tmp_path / "other", too_strict))


def test_a_metric_that_is_not_there_is_refused_before_the_data_are_read(
    run_training: Train,
) -> None:
    wrong = COOLER.replace("sklearn.metrics.median", "my_metrics.median")
    with pytest.raises(
        SpecError, match=r"metrics of head 'cooler': .*No module named 'my_metrics'"
    ):
        run_training(f"task.heads=[{wrong}]", "data.source={_target_: no.Such}")
