"""Random circuits are a source of telemetry, and are written as files that are simulated again."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas import SpecError
from hydrascope.telemetry.random_circuits import RandomCircuitSource
from hydrascope.telemetry.simulated import SimulatedSource

SMALL = {"machines_per_kind": 1, "hours": 0.05, "recording_min": 1.0}


def source(circuits: int = 3, **settings: Any) -> RandomCircuitSource:
    return RandomCircuitSource(circuits, **(SMALL | settings))


def test_each_circuit_is_a_kind_of_its_own() -> None:
    circuits = source()
    assert list(circuits.machines()) == [f"circuit_0_000{n}_000" for n in range(3)]
    kinds = [set(circuits.labels(name)["kind"]) for name in circuits.machines()]
    assert kinds == [{"circuit_0_0000"}, {"circuit_0_0001"}, {"circuit_0_0002"}]
    name, machine = next(iter(circuits.machines().items()))
    signals = circuits.read(name, circuits.extents(name)[0])
    assert set(signals) == {sensor.id for _, sensor in machine.topology.sensors}


def test_a_machine_is_the_same_however_many_circuits_there_are_and_in_every_process() -> None:
    few, many = source(), source(5)
    name = "circuit_0_0002_000"
    assert few.machine_fingerprint(name) == many.machine_fingerprint(name)
    assert few.fingerprint != many.fingerprint
    assert source(seed=1).fingerprint != few.fingerprint
    window = few.extents(name)[0]
    expected = few.read(name, window)
    sent = pickle.loads(pickle.dumps(many)).read(name, window)
    for sensor, signal in expected.items():
        np.testing.assert_array_equal(sent[sensor].values, signal.values)


@pytest.mark.parametrize(
    ("circuits", "seed", "message"),
    [
        (0, 0, r"fleet\.circuits: 0 is not accepted; expected 1 to 10000"),
        (10_001, 0, r"fleet\.circuits: 10001 is not accepted"),
        (3, -1, r"fleet\.seed: -1 is not accepted; expected 0 or more"),
    ],
)
def test_circuits_that_cannot_be_named_are_refused(circuits: int, seed: int, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        source(circuits, seed=seed)


def test_circuits_are_written_as_files_and_simulated_again(tmp_path: Path) -> None:
    into = tmp_path / "circuits"
    done = CliRunner().invoke(app, ["simulate", str(into), "--random", "3", "--builds-only"])
    assert done.exit_code == 0, done.output
    assert [each.name for each in into.iterdir()] == ["builds"]
    again = SimulatedSource(str(into / "builds"), **SMALL)
    drawn = source()
    assert list(again.machines()) == list(drawn.machines())
    for name in again.machines():
        window = drawn.extents(name)[0]
        expected = drawn.read(name, window)
        for sensor, signal in again.read(name, window).items():
            np.testing.assert_array_equal(signal.values, expected[sensor].values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--random", "3", "--kind", "robot"], "--kind: expected without --random"),
        (["--random", "3", "--duty", "duty.yaml"], "--duty: expected with a machine file"),
    ],
)
def test_options_that_do_not_belong_to_random_circuits_are_refused(
    options: list[str], message: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["simulate", str(tmp_path / "new"), *options])
    assert isinstance(done.exception, SpecError)
    assert message in str(done.exception)
