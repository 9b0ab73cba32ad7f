"""Machines that run to failure: recorded from new until the first component fails."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.simulation.trajectory import ground_truth
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.fleet import START, FleetSource

APART_H = 200.0


def fleet(machines: int = 5, **settings: object) -> FleetSource:
    small = {"kinds": ["robot"], "hours": 0.5, "recording_min": 3.0, "seed": 4}
    return FleetSource(machines, **(small | {"run_to_failure": True} | settings))  # type: ignore[arg-type]


def first_failure_h(source: FleetSource, name: str) -> float:
    """Return when the health of a machine, minute by minute, first falls to 0."""
    hours = np.arange(0.0, 4_000.0, 1 / 60)
    components = [each.id for each in source.machines()[name].topology.components]
    courses = source.member(name).courses
    severity = np.max([course.growth(hours) for course in courses], axis=0)
    truth = ground_truth(courses, components, hours)
    assert (truth["health"] >= 1.0 - severity - 1e-12).all()  # intermittent faults come and go
    return float(hours[np.argmax(severity > 0.9995)])


@pytest.mark.parametrize("fault_rate", [0.0, 2.5])
def test_each_machine_is_recorded_from_new_to_its_failure_and_ends_there(fault_rate: float) -> None:
    source = fleet(fault_rate=fault_rate)
    lives = []
    for name in source.machines():
        failure_h = first_failure_h(source, name)
        extents, labels = source.extents(name), source.labels(name)
        start_h = [(each.start - START) / timedelta(hours=1) for each in extents]
        np.testing.assert_allclose(np.diff(start_h), APART_H, rtol=1e-6)
        assert start_h[0] == 0.0
        assert start_h[-1] < failure_h <= start_h[-1] + APART_H + 0.05 + 1.0
        expected = (failure_h - np.array(start_h)) / 1e3
        np.testing.assert_allclose(labels["remaining_life"], expected, atol=2e-3)
        assert labels["health"].iloc[0] == 1.0
        assert (labels["health"] > 0.0).all()
        lives.append(failure_h)
    assert len({len(source.extents(name)) for name in source.machines()}) > 1
    assert np.ptp(lives) > 100.0


def test_a_new_machine_has_no_wear_and_no_fault_that_began_before() -> None:
    source, others = fleet(20), fleet(20, run_to_failure=False)
    for name in source.machines():
        assert source.member(name).age == 0.0
        assert min(course.onset_h for course in source.member(name).courses) >= 0.0
    ages = [others.member(name).age for name in others.machines()]
    onsets = [
        course.onset_h for name in others.machines() for course in others.member(name).courses
    ]
    assert min(ages) > 0.0
    assert min(onsets) < 0.0


def test_commissioning_is_recorded_before_the_first_hour() -> None:
    source = fleet(commissioning=3)
    for name in source.machines():
        labels = source.labels(name)
        before = labels["commissioning"] == 1
        assert before.tolist() == [True] * 3 + [False] * (len(labels) - 3)
        assert (labels["start"][before] < START).all()
        assert (labels["health"][before] == 1.0).all()
        assert (np.diff(labels["remaining_life"]) < 0).all()
    assert source.machine_fingerprint("robot_000") != fleet().machine_fingerprint("robot_000")


def test_what_is_recorded_is_that_of_the_machine_as_it_is_then() -> None:
    source = fleet(1)
    first, *_, last = source.extents("robot_000")
    new, worn = source.read("robot_000", first), source.read("robot_000", last)
    assert set(new) == set(worn)
    assert any(not np.array_equal(new[name].values, worn[name].values) for name in new)
    assert (source.labels("robot_000")["health"].iloc[[0, -1]].diff().iloc[1]) < -0.2


def test_the_command_writes_the_same_lives(tmp_path: Path) -> None:
    options = ["--machines=1", "--kind=robot", "--hours=0.1", "--recording-min=1", "--seed=4"]
    folder = tmp_path / "fleet"
    result = CliRunner().invoke(app, ["simulate", str(folder), *options, "--run-to-failure"])
    assert result.exit_code == 0, result.output
    source = fleet(1, hours=0.1, recording_min=1.0)
    own, count = ParquetSource(folder), len(source.extents("robot_000"))
    assert f"1 machines, {count / 60:g} h" in result.output
    assert len(own.labels("robot_000")) == count
    theirs = own.labels("robot_000")["remaining_life"]
    np.testing.assert_allclose(theirs, source.labels("robot_000")["remaining_life"])
