"""The machines, faults and training of the benchmark of the blame."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import _blame_store, _blame_training
from benchmarks._blame_builds import BuildDraw
from benchmarks._blame_cases import cases
from benchmarks._blame_recordings import Blamed, Machine, faults_of, measurable, record
from benchmarks._blame_rig import pooled
from benchmarks._blame_training import Cases, ranks, train

from hydrascope.schemas import SensorKind
from hydrascope.simulation.duty import Operator, Setting

STEADY = Setting(pressure=0.9, speed=0.9, reach=0.8)


def machine(number: int) -> Machine:
    kind = BuildDraw(np.random.default_rng(number), f"build_{number}").build()
    operator = Operator(pace=1.0, load=1.0, scatter=0.02)
    return Machine(kind, kind.nominal, tuple(measurable(kind)), STEADY, operator, (number,))


def test_drawn_builds_work_and_differ() -> None:
    sizes = {len(machine(number).kind.circuit.machine.topology.components) for number in range(8)}
    assert len(sizes) > 2
    read = record(machine(0), [[]], np.random.default_rng(0))
    assert np.isfinite(read).mean() > 0.95


def test_a_drive_that_loses_efficiency_takes_more_power_for_the_same_oil() -> None:
    drawn = machine(1)
    worn = [Blamed("motor", "drive_loss", 1.0)]
    sound, faulty = (record(drawn, [faults], np.random.default_rng(3))[0] for faults in ([], worn))
    for row, (component, sensor) in enumerate(drawn.sensors):
        rise = np.nanmean(faulty[row]) / np.nanmean(sound[row])
        if (component, sensor.kind) == ("motor", SensorKind.POWER):
            assert rise == pytest.approx(1.25, rel=0.01)
        elif sensor.kind == SensorKind.FLOW:
            assert rise == pytest.approx(1.0, rel=0.01)


def test_every_component_that_can_be_faulty_has_a_fault_that_sensors_notice() -> None:
    drawn = machine(0)
    plant = drawn.plant._replace(valve_stiction=drawn.plant.valve_stiction + 0.025)
    drawn = Machine(drawn.kind, plant, drawn.sensors, STEADY, drawn.operator, drawn.seed)
    sound = record(drawn, [[]], np.random.default_rng(5))[0]
    for component, faults in faults_of(drawn.kind.circuit).items():
        # Not every one: a pump far below its cut-off pressure does not miss it.
        failed = ([Blamed(component, fault, 1.0)] for fault in faults)
        read = [record(drawn, [each], np.random.default_rng(5))[0] for each in failed]
        assert max(np.nanmax(np.abs(each - sound)) for each in read) > 0.0, component


def test_training_repeats_exactly_and_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_blame_training, "_STEPS", 40)
    monkeypatch.setattr(_blame_training, "SEEDS", (0,))
    found = Cases.of(list(cases(0, 80)))
    networks = train(found)
    for first, second in zip(
        networks[0].state_dict().values(), train(found)[0].state_dict().values(), strict=True
    ):
        assert torch.equal(first, second)
    rank = ranks(networks, found, torch.arange(len(found.evidence)))
    assert (rank == 0).double().mean() > 2.0 / found.present.sum(1).double().mean()


def test_kept_machines_are_read_as_they_were_simulated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_blame_store, "_FOLDER", tmp_path)
    first = _blame_store.simulated(1, 60)
    (file,) = tmp_path.rglob("*.safetensors")
    written = file.stat().st_mtime_ns
    again = _blame_store.simulated(1, 60)
    assert file.stat().st_mtime_ns == written
    assert len(first) == len(again) == len(list(cases(0, 60))) > 0
    for own, kept in zip(cases(0, 60), again, strict=True):
        assert torch.equal(own.evidence, kept.evidence)
        assert torch.equal(own.detected, kept.detected)
        assert (own.topology, own.faulty, own.faults) == (kept.topology, kept.faulty, kept.faults)


def test_shares_are_of_windows_and_their_intervals_of_conditions() -> None:
    folds = [{"a": [10, 10, 10], "b": [10, 0, 10]}, {"a": [10, 10, 10]}]
    found = pooled(folds)
    assert found.windows == 30
    assert found.first == pytest.approx((2 / 3, 0.0, 1.0))  # of two conditions, one is right
    assert found.second == (1.0, 1.0, 1.0)
    assert pooled([]).windows == 0
