"""The figures of the rig from simulation, on answers whose figures are known."""

import numpy as np
import pytest
from benchmarks._rig_answers import Answers, figures, rank_correlation
from scipy.stats import spearmanr

from hydrascope.telemetry.rig.severities import GRADES


def answers_of(score: np.ndarray, truth: np.ndarray) -> Answers:
    sound = np.zeros_like(truth)
    others = {name: sound for name in GRADES if name != "pump"}
    return Answers({"pump": score, **others}, {"pump": truth, **others}, np.arange(len(truth)) // 2)


def test_the_rank_correlation_is_that_of_rows_repeated_by_their_weights() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 5, 40).astype(float), rng.integers(0, 3, 40).astype(float)
    weights = rng.integers(0, 4, (3, 40))
    found = rank_correlation(one, other, weights.astype(float))
    for value, each in zip(found, weights, strict=True):
        repeated = spearmanr(np.repeat(one, each), np.repeat(other, each)).statistic
        assert value == pytest.approx(repeated)


def test_right_answers_reach_everything_and_wrong_ones_nothing() -> None:
    truth = np.repeat([0.0, 0.5, 1.0], 20)
    right = figures(answers_of(truth, truth), "pump")
    assert right.others_any == right.all_new == right.rank == (1.0, 1.0, 1.0)
    assert right.by_grade == (0.0, 0.5, 1.0)
    wrong = figures(answers_of(-truth, truth), "pump")
    assert wrong.others_any.value == 0.0
    assert wrong.rank.value == pytest.approx(-1.0)


def test_an_interval_holds_the_value_of_noisy_answers() -> None:
    truth = np.repeat([0.0, 0.5, 1.0], 40)
    noisy = truth + np.random.default_rng(0).normal(0.0, 0.7, len(truth))
    found = figures(answers_of(noisy, truth), "pump")
    for each in (found.others_any, found.all_new, found.rank):
        assert each.low < each.value < each.high
        assert 0.3 < each.value < 0.99
