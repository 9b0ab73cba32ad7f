"""What the benchmarks of alarms in hours count, and the faults that they let grow."""

import numpy as np
import pytest
from benchmarks._alarm_tests import limit, log_p_values, martingale, standardised
from benchmarks._fleet_growing import Growing
from benchmarks._fleet_normality_scores import Machines, Scored
from benchmarks.alarm_tests import CHOSEN, compared
from benchmarks.fleet_normality import judge

from hydrascope.models.alarm_test import alarm_begins

MACHINES, WINDOWS = 20, 60


def machines(random: np.random.Generator, growth: float) -> Machines:
    severity = np.tile(growth * np.arange(WINDOWS), (MACHINES, 1))
    logs = random.normal(-0.2, 0.15, severity.shape) + 2.0 * severity
    return Machines(
        np.full(MACHINES, "press"),
        np.full(MACHINES, "leakage" if growth else ""),
        severity,
        np.exp(logs),
        np.zeros(severity.shape, dtype=bool),
        np.where(logs > 0, np.arange(MACHINES)[:, None] % 4 > 0, np.nan),
    )


@pytest.fixture
def found() -> Scored:
    random = np.random.default_rng(0)
    sound, growing = machines(random, 0.0), machines(random, 0.01)
    return Scored(1.2, {"press": sound.share.ravel()}, {"press": 1.0}, sound, growing)


def test_alarms_of_sound_machines_are_counted_by_hours_and_faults_by_their_severity(
    found: Scored,
) -> None:
    judged = judge(found)
    assert judged.hours.sum() == MACHINES * WINDOWS * 4
    rate, _ = judged.rate(judged.begun >= 0)
    assert rate == pytest.approx(1000 * judged.begun.sum() / judged.hours.sum())
    assert judged.early.all()
    assert (judged.severity > 0).all()
    assert judged.blamed.mean() == 0.75  # of every machine, when its alarm begins
    silent = found._replace(growing=found.growing._replace(share=found.sound.share / 2))
    assert np.isnan(judge(silent).severity).all()
    assert not judge(silent).early.any()
    assert np.isnan(judge(silent).blamed).all()


def test_all_tests_over_windows_find_what_grows_and_raise_as_many_false_alarms(
    found: Scored,
) -> None:
    shares = compared(found)
    assert CHOSEN in shares
    assert min(shares.values()) > 0.9
    scores = standardised(found.held_out["press"], found.sound.share)
    above = limit(scores, 4)
    assert int(alarm_begins(1.0 + scores - above).sum()) <= 4
    assert int(alarm_begins(1.0 + scores - (above - 0.05)).sum()) > 4


def test_a_martingale_of_exchangeable_scores_stays_near_one() -> None:
    random = np.random.default_rng(1)
    log_p = log_p_values(random.normal(size=2000), random.normal(size=(50, 100)))
    assert np.exp(log_p).mean() == pytest.approx(0.5, abs=0.02)
    # A martingale exceeds c with a probability of at most 1/c from each start on (Ville).
    assert (martingale(0.5, log_p)[:, -1] > np.log(100.0)).mean() <= 0.1


def test_faults_and_components_take_turns_and_grow_evenly() -> None:
    source = Growing(machines_per_kind=30, kinds=("robot",), life_h=300.0, growth_h=500.0)
    courses = [source.member(each).courses for each in source.machines()]
    assert {len(each) for each in courses} == {1}
    faults = [each[0].fault for each in courses]
    kinds = len(set(faults))
    assert faults[:kinds] == faults[kinds : 2 * kinds]
    assert len({each[0].component for each in courses}) > 1
    assert courses[0][0].severity(np.array([0.0, 250.0])).tolist() == [0.0, 0.5]
    assert source.machine_fingerprint("robot_000") != source.machine_fingerprint("robot_001")
