"""Machines that differ more from each other than within themselves are named, others are not."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import f_oneway

from hydrascope.evaluation.machine_spread import SCORES, spread, spread_remarks


def scores(
    offsets: NDArray[np.float64], windows: int, seed: int
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Scores around 0.6 of the threshold, each machine with its offset, and a deviation of 0.1."""
    names = np.array([f"press_{number}" for number in range(len(offsets))], dtype=object)
    noise = np.random.default_rng(seed).normal(0.6, 0.1, (len(offsets), windows))
    return names.repeat(windows), (noise + offsets[:, None]).reshape(-1, 1)


def test_exchangeable_machines_are_not_named() -> None:
    for seed in range(200):
        for machines, windows in ((30, 20), (5, 4)):
            assert spread(*scores(np.zeros(machines), windows, seed), 1) is None
    named = [spread(*scores(np.zeros(2), 3, seed), 1) is not None for seed in range(1000)]
    assert np.mean(named) < 0.02


def test_machines_with_their_own_offset_are_named_from_the_lowest_to_the_highest() -> None:
    offsets = np.random.default_rng(1).normal(0, 0.5, 30)
    found = spread(*scores(offsets, 20, 0), 1)
    assert found is not None
    assert found["between_sd"] == pytest.approx(offsets.std(ddof=1), rel=0.1)
    assert found["within_sd"] == pytest.approx(0.1, rel=0.1)
    lowest, highest = f"press_{offsets.argmin()}", f"press_{offsets.argmax()}"
    assert [next(iter(found["means"])), list(found["means"])[-1]] == [lowest, highest]
    named = {"build": "press", "differ_in": {SCORES: found, "p_out": found}}
    (line,) = spread_remarks([named])
    assert "the 30 machines of press differ more from each other than within themselves" in line
    assert "in scores, p_out. Means of scores: " in line
    assert lowest in line
    assert highest in line
    assert len(line) < 400


def test_offsets_below_the_spread_of_a_machine_are_no_reason_to_name_it() -> None:
    offsets = np.random.default_rng(1).normal(0, 0.05, 30)
    machine, score = scores(offsets, 200, 0)
    each = [score[machine == name, 0] for name in np.unique(machine)]
    assert f_oneway(*each).pvalue < 1e-6
    assert spread(machine, score, 1) is None


def test_the_value_that_differs_most_is_reported_unless_as_many_would_differ_by_chance() -> None:
    offsets = np.array([0.0, 0.2, 0.4])
    machine, weak = scores(offsets, 4, 0)
    _, strong = scores(3 * offsets, 4, 1)
    _, same = scores(0 * offsets, 4, 2)
    assert spread(machine, np.hstack([weak, strong, same]), 3) == spread(machine, strong, 3)
    pvalue = f_oneway(*weak[:, 0].reshape(3, 4)).pvalue
    few, many = int(0.01 / pvalue), int(0.01 / pvalue) + 1
    assert few > 1
    assert spread(machine, weak, few) is not None
    assert spread(machine, weak, many) is None


def test_missing_scores_and_single_windows_do_not_count() -> None:
    machine, score = scores(np.array([0.0, 1.0, 2.0]), 10, 0)
    more = np.append(machine, ["press_0", "alone"]), np.vstack([score, [[np.nan], [50.0]]])
    found, expected = spread(*more, 1), spread(machine, score, 1)
    assert found is not None
    assert expected is not None
    assert found["means"] == pytest.approx(expected["means"])
    assert found["within_sd"] == pytest.approx(expected["within_sd"])
    assert spread(machine[:10], score[:10], 1) is None


def test_machines_whose_scores_never_change_differ_by_any_offset() -> None:
    machine = np.array(["a", "a", "b", "b"], dtype=object)
    found = spread(machine, np.array([[0.5], [0.5], [0.75], [0.75]]), 1)
    assert found is not None
    assert found["within_sd"] == 0
    assert spread(machine, np.full((4, 1), 0.5), 1) is None
