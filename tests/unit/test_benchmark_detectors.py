"""What the comparison of detectors on random circuits makes of their scores."""

import numpy as np
import pytest
from benchmarks.detectors import Judged


def test_circuits_count_alike_and_slight_faults_are_no_part_of_the_auroc() -> None:
    severity = np.array([0.0, 0.0, 0.1, 0.6, 0.0, 0.3, 0.3, 0.3])
    circuit = np.array(["a", "a", "a", "a", "b", "b", "b", "b"])
    score = np.array([0.5, 1.2, 0.0, 2.0, 0.9, 0.8, 1.0, 1.1])
    found = Judged(severity, circuit, score, np.full(8, np.nan))
    assert found.auroc() == pytest.approx((1.0 + 2 / 3) / 2)
    assert found.false_alarms() == pytest.approx(1 / 3)  # a score of 1 is none
    assert found.detected(0.25) == 0.5
    assert found.detected(0.25, 0.5) == pytest.approx(1 / 3)


def test_a_circuit_without_sound_or_faulty_windows_has_no_auroc() -> None:
    severity = np.array([0.0, 0.0, 0.5, 0.5])
    circuit = np.array(["a", "b", "a", "c"])
    found = Judged(severity, circuit, np.array([0.1, 9.0, 2.0, 0.1]), np.full(4, np.nan))
    assert found.auroc() == 1.0
