"""False alarms of one model for many healthy recordings, as `python -m benchmarks false_alarms`.

The benchmark repeats this over seeds, with three times the windows.
"""

from pathlib import Path

import numpy as np
import pytest
from benchmarks import false_alarms
from benchmarks.false_alarms import ALIKE, LEAST, MOST, OWN, RULES, SEEDS, judged

SEED, WINDOWS = max(SEEDS) + 1, 100


def test_noise_is_stationary_with_its_time_constant() -> None:
    noise = false_alarms.stationary_noise(np.random.default_rng(0), 100_000, 2, 3.0)
    assert noise[:1000].std() == pytest.approx(1.0, rel=0.1)
    assert noise.std() == pytest.approx(1.0, rel=0.02)
    for column in noise.T:
        lagged = np.corrcoef(column[:-1], column[1:])[0, 1]
        assert lagged == pytest.approx(np.exp(-1 / 3), abs=0.01)


def test_recordings_that_are_alike_raise_about_as_many_alarms_as_asked_for(tmp_path: Path) -> None:
    found = [judged(ALIKE, seed, tmp_path, windows=WINDOWS) for seed in range(SEED, SEED + 3)]
    for each in found:
        assert each["windows"] == 30 * WINDOWS // 5
        assert each["resolved"] == pytest.approx(0.01)
        assert each["rates"].keys() == set(RULES)
        assert not each["names"]
    # A hundred held-out windows set a threshold of 1 %, so a single training may have none or 3 %.
    rates = {rule: np.mean([each["rates"][rule] for each in found]) for rule in RULES}
    assert LEAST <= rates["conformal"] <= MOST
    assert all(0 < rate <= MOST for rate in rates.values()), rates


def test_recordings_with_offsets_of_their_own_are_named(tmp_path: Path) -> None:
    assert judged(OWN, SEED, tmp_path, windows=WINDOWS)["names"]
