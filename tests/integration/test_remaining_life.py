"""Remaining life of machines that ran to failure: trained, and judged beside others."""

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import remaining_life
from benchmarks._lives import INTERVAL, LIFE, of_network
from benchmarks.remaining_life import MEAN, TOLD, TREES, Judged
from jobs import Train

pytest.importorskip("lightgbm")
SMALL_FLEET = (
    remaining_life.EXPERIMENT,
    "data.source.seed=2",
    "data.source.kinds=[robot,machining_centre]",
    "data.source.machines_per_kind=10",
    "data.source.hours=0.2",
    "data.source.recording_min=1.0",
    "data.source.commissioning=1",
    "data.split.folds=4",
    "data.window.window_s=60.0",
    "data.window.stride_s=60.0",
    "data.window.steps=2",
    "data.store.n_jobs=1",
    "trainer.max_epochs=2",
    "baselines=[ridge]",
)
NETWORK = "gatv2_arma"


@pytest.fixture(scope="module")
def run_dir(run_training: Train) -> Path:
    return run_training(*SMALL_FLEET)


@pytest.fixture(scope="module")
def judged(run_dir: Path) -> dict[str, Judged]:
    return remaining_life.compare({NETWORK: run_dir}, run_dir)[0]


def test_the_figures_are_those_of_the_training_on_the_same_rows(
    run_dir: Path, judged: dict[str, Judged]
) -> None:
    tested = json.loads((run_dir / "results.json").read_text())["test"]
    assert set(tested) == {NETWORK, "ridge"}
    assert tested["ridge"][LIFE]["rows"] == tested[NETWORK][LIFE]["rows"] > 40
    for name, heads in tested.items():
        for metric in ("rmse", "mae"):
            assert judged[name].point[metric] == pytest.approx(1e3 * heads[LIFE][metric], rel=1e-3)
        score = 1e3 * heads[INTERVAL]["interval_score"]
        assert judged[name].point["interval_score"] == pytest.approx(score, rel=1e-3)


def test_the_table_has_every_model_with_its_interval(judged: dict[str, Judged]) -> None:
    assert list(judged) == [NETWORK, *remaining_life.BASELINES, MEAN, TOLD]
    lines = remaining_life.tables(judged)
    for name, found in judged.items():
        first, second = (line for line in lines if line.startswith(f"| {name} |"))
        assert f"| {found.point['rmse']:.1f} (" in first
        assert ("| – |" in first) == (name == TREES)
        assert second.count("|") == 2 + len(remaining_life.BANDS_H)
        low, high = np.quantile(found.drawn["rmse"], [0.025, 0.975])
        assert low < found.point["rmse"] < high
    assert judged[MEAN].point["r2"] < 0.05
    assert judged[TOLD].point["rmse"] < 0.95 * judged[MEAN].point["rmse"]


def test_a_random_window_of_each_machine_has_the_error_that_drawing_gives(run_dir: Path) -> None:
    restored, answers = of_network(run_dir)
    data, rows = restored.data, answers[LIFE]
    error = 1e3 * (rows.prediction[:, 0] - rows.target[:, 0]).double().numpy()
    machine = data.table["equipment_id"].iloc[data.split.test].to_numpy()
    rng = np.random.default_rng(0)
    drawn = [
        [rng.choice(error[machine == name]) ** 2 for name in np.unique(machine)]
        for _ in range(4_000)
    ]
    found = remaining_life.judge(data, answers).truncated
    assert found == pytest.approx(np.sqrt(np.mean(drawn)), rel=0.02)
