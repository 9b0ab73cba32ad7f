"""Each machine may have thresholds of its own, in evaluation, bundle and service alike."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from fans import MACHINES, WINDOW_S, learn, record
from jobs import Train, evaluate_settings, export_settings

from hydrascope.evaluation.detection import machine_scores, score_table
from hydrascope.experiment import evaluate, export
from hydrascope.experiment.restore import Restored, restore
from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas import TimeWindow
from hydrascope.schemas.normality import LEVELS, MACHINE
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import TelemetryWindow
from hydrascope.training.fit_normality import held_out_scores

NOISY = MACHINES - 1
"""The number of the machine with four times the noise."""


@pytest.fixture(scope="module")
def run_dir(run_training: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = record(tmp_path_factory.mktemp("fans") / "unlike", last_noise=4.0)
    return learn(run_training, folder, "task.normality.threshold_by=machine")


@pytest.fixture(scope="module")
def restored(run_dir: Path) -> Restored:
    return restore(str(run_dir / "checkpoints" / "best.ckpt"))


def test_each_machine_has_its_own_threshold_on_its_own_held_out_windows(
    restored: Restored,
) -> None:
    settings, diagnoser, data = restored
    spec, normality = settings.task.normality, diagnoser.normality
    assert spec is not None
    assert normality is not None
    table = normality.thresholds()[MACHINE].numpy()
    assert len(table) == 1 + MACHINES  # of the build, and of each machine
    score, key, build, window = held_out_scores(diagnoser, data, spec)[MACHINE]
    assert set(build) == {0}
    names = list(data.machines)
    units = []
    for number, name in enumerate(names):
        own = score[(data.table["equipment_id"].iloc[window] == name).to_numpy()]
        np.testing.assert_array_equal(own, score[key == 1 + number])
        rank = int(np.ceil((len(own) + 1) * (1 - spec.false_alarm_rate) - 1e-9))
        assert table[1 + number] == pytest.approx(np.sort(own)[min(rank, len(own)) - 1], rel=1e-6)
        units.append(len(own))
    assert table[1 + NOISY] > 1.5 * table[1]
    assert table[1] < table[0] < table[1 + NOISY]
    # Windows that overlap count half, so the machine with the fewest has fewer than its windows.
    assert 0 < int(normality.held_out) < min(units)


def test_a_machine_that_was_not_trained_on_has_the_thresholds_of_its_build(
    restored: Restored,
) -> None:
    _, diagnoser, data = restored
    normality = diagnoser.normality
    assert normality is not None
    own = data.dataset.gather(data.split.test).inputs
    assert own.machine_number.unique().tolist() == list(range(MACHINES))
    unknown = own._replace(machine_number=torch.full_like(own.machine_number, MACHINES))
    by_own, by_build = diagnoser.predict(own), diagnoser.predict(unknown)
    table = normality.thresholds()[MACHINE]
    expected = by_own[MACHINE][:, 0] * table[1 + own.machine_number] / table[0]
    torch.testing.assert_close(by_build[MACHINE][:, 0], expected)
    for level in LEVELS:
        assert not torch.allclose(by_build[level], by_own[level])


def test_the_report_says_what_the_machine_with_the_fewest_windows_resolves(
    run_dir: Path, restored: Restored, tmp_path: Path
) -> None:
    ckpt = str(run_dir / "checkpoints" / "best.ckpt")
    evaluate.run(evaluate_settings(ckpt, tmp_path), quiet=True)
    found = json.loads((tmp_path / "evaluation.json").read_text())["normality"]
    assert found["false_alarms"]["threshold_by"] == "machine"
    page = " ".join((tmp_path / "report.html").read_text("utf-8").split())
    least = found["false_alarms"]["held_out"]
    assert f"{least} held-out healthy windows or more of each machine set its threshold" in page
    settings, diagnoser, data = restored
    assert settings.task.normality is not None
    scores = score_table(diagnoser, data, settings.task.normality)
    windows, own = machine_scores(scores)
    healthy = data.healthy[windows] == 1
    noisy = (data.table["equipment_id"].iloc[windows] == list(data.machines)[NOISY]).to_numpy()
    for chosen in (noisy, ~noisy):
        assert (own[healthy & chosen] > 1).mean() < 0.2


def test_bundle_and_service_know_the_machines_apart(
    run_dir: Path, restored: Restored, tmp_path: Path
) -> None:
    export.run(export_settings(str(run_dir / "checkpoints" / "best.ckpt"), tmp_path / "bundle"))
    served = ServedModel(read_bundle(tmp_path / "bundle"))
    _, diagnoser, data = restored
    windows, expected = [], []
    for row in data.split.test[:: len(data.split.test) // 9]:
        name, start = data.table.loc[row, ["equipment_id", "start"]]
        span = TimeWindow(start=start, end=start + timedelta(seconds=WINDOW_S))
        signals = data.source.read(name, span)
        windows.append(TelemetryWindow(data.machines[name], start, signals))
        answers = diagnoser.predict(data.dataset.gather([row]).inputs)
        expected.append(float(answers[MACHINE]))
    answered, _ = served.answer(windows)
    found = [float(each.normality[MACHINE][0]) for each in answered]
    assert found == pytest.approx(expected, abs=1e-4)
    assert len({window.machine.equipment.equipment_id for window in windows}) == MACHINES
