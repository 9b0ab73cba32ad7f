"""Parts of the training windows are held out in turn, each from a fit of its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fans import MACHINES, learn, record
from jobs import Train, evaluate_settings

from hydrascope.data.cross_parts import held_out_parts
from hydrascope.evaluation.detection import machine_scores, score_table
from hydrascope.experiment import evaluate
from hydrascope.experiment.restore import Restored, restore
from hydrascope.schemas import SpecError
from hydrascope.schemas.normality import LEVELS, MACHINE
from hydrascope.tasks.alarm_thresholds import conformal_threshold
from hydrascope.training.fit_normality import calibrate, held_out_scores, scored

FOLDS = 3


@pytest.fixture(scope="module")
def run_dir(run_training: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = record(tmp_path_factory.mktemp("fans") / "in_turn")
    return learn(run_training, folder, f"task.normality.cross_folds={FOLDS}")


@pytest.fixture
def restored(run_dir: Path) -> Restored:
    return restore(str(run_dir / "checkpoints" / "best.ckpt"))


def test_all_windows_to_learn_from_set_the_thresholds(restored: Restored) -> None:
    settings, diagnoser, data = restored
    spec, normality = settings.task.normality, diagnoser.normality
    assert spec is not None
    assert normality is not None
    learned = np.sort(np.concatenate([part.rows for part in held_out_parts(data, spec)]))
    np.testing.assert_array_equal(learned, np.union1d(data.split.train, data.split.val))
    found = held_out_scores(diagnoser, data, spec)
    per_window = {level: len(found[level].window) // len(learned) for level in LEVELS}
    assert list(per_window.values()) == [1, 1, 2]
    np.testing.assert_array_equal(found[MACHINE].window, learned)
    score = found[MACHINE].score
    expected = conformal_threshold(score, spec.false_alarm_rate, np.arange(len(score)))
    assert float(normality.threshold_machine[0]) == pytest.approx(expected, rel=1e-6)


def test_windows_score_higher_if_they_were_not_learned_from(restored: Restored) -> None:
    _, diagnoser, data = restored
    assert diagnoser.normality is not None
    assert diagnoser.normality.in_turn is not None
    in_turn = diagnoser.normality.in_turn[MACHINE]
    held_out = diagnoser.normality.score(in_turn.parts[torch.argsort(in_turn.window)])
    learned = diagnoser.normality.score(scored(diagnoser, data, data.split.train)[MACHINE].parts)
    assert len(held_out) == len(learned) == len(data.split.train)
    assert float((held_out > learned).double().mean()) > 0.7


def test_parts_held_out_and_a_few_windows_to_overfit_exclude_each_other(
    run_training: Train,
) -> None:
    beside = "+task.normality={healthy: {valve: 100}, cross_folds: 2}"
    expected = r"trainer\.overfit_windows: 8 is not accepted with task\.normality\.cross_folds=2"
    with pytest.raises(SpecError, match=expected):
        run_training(beside, "trainer.overfit_windows=8")


def test_thresholds_set_again_are_the_same_and_follow_the_run(
    run_dir: Path, restored: Restored, tmp_path: Path
) -> None:
    settings, diagnoser, data = restored
    spec, normality = settings.task.normality, diagnoser.normality
    assert spec is not None
    assert normality is not None
    before = {name: each.clone() for name, each in normality.thresholds().items()}
    calibrate(diagnoser, data, spec)
    for name, table in normality.thresholds().items():
        torch.testing.assert_close(table, before[name], rtol=0, atol=0, equal_nan=True)
    calibrate(diagnoser, data, spec.model_copy(update={"run_windows": 3}))
    assert normality.threshold_machine[0] < before[MACHINE][0]
    # An evaluation judges runs, and says so; each machine's first windows have no score.
    ckpt = str(run_dir / "checkpoints" / "best.ckpt")
    evaluate.run(evaluate_settings(ckpt, tmp_path, run_windows=3), quiet=True)
    judged = spec.model_copy(update={"run_windows": 3})
    _, scores = machine_scores(score_table(diagnoser, data, judged))
    missing = int(np.isnan(scores).sum())
    assert missing >= 2 * MACHINES
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "with run_windows 3 instead of 1. They" in page
    assert f"{missing}" in page
