"""Simulated rigs with the four faults of the real one, and the real one in the same form."""

from pathlib import Path

import numpy as np
import pytest

from hydrascope.schemas import SpecError
from hydrascope.simulation.build import Build, read_build
from hydrascope.telemetry.rig.cycles import SOUND, Rig, State, cycle, draw_rig
from hydrascope.telemetry.rig.recorded import RecordedRig, reference_windows
from hydrascope.telemetry.rig.severities import GRADES, label_of
from hydrascope.telemetry.rig.simulated import SimulatedRigs

ROOT = Path(__file__).parents[3]
FILE = ROOT / "examples" / "rig" / "rig.yaml"
PRESS = ROOT / "examples" / "press" / "press.yaml"


@pytest.fixture(scope="module")
def build() -> Build:
    return read_build(FILE, FILE.with_name("duty.yaml"))


@pytest.fixture(scope="module")
def rig(build: Build) -> Rig:
    return draw_rig(build, 0.0, np.random.default_rng(0))


def change(rig: Rig, fault: str) -> dict[str, np.ndarray]:
    sound = cycle(rig, State(SOUND, 20.0))
    faulty = cycle(rig, State({**SOUND, fault: 1.0}, 20.0))
    return {sensor: faulty[sensor] - sound[sensor] for sensor in sound}


def test_a_fouled_cooler_makes_the_oil_hotter(rig: Rig) -> None:
    found = change(rig, "cooler")
    assert all(found[sensor].min() > 3.0 for sensor in ("TS1", "TS3", "TS4"))


def test_a_late_valve_keeps_the_pressure_up_after_it_should_have_opened(rig: Rig) -> None:
    found = change(rig, "valve")["PS1"]
    assert found[9] > 3.0
    assert np.abs(found[15:55]).max() < 0.5
    assert np.abs(found[0]) < 0.5  # it closes in time


def test_a_leaking_pump_delivers_less_while_the_valve_is_open(rig: Rig) -> None:
    found = change(rig, "pump")["FS1"]
    assert -1.3 < found[12:].min() < found[12:].max() < -0.7
    assert np.abs(found[1:9]).max() < 0.1


def test_an_accumulator_that_lost_gas_fills_faster(rig: Rig) -> None:
    found = change(rig, "accumulator")["PS1"]
    assert found[0] > 1.0
    assert np.abs(found[3:9]).max() < 0.1


def test_a_cycle_that_is_late_switches_later(rig: Rig) -> None:
    punctual, late = (cycle(rig, State(SOUND, 20.0, each))["PS1"] for each in (0.0, 0.1))
    assert late[9] > punctual[9] + 1.0
    assert np.abs(late - punctual)[12:18].max() < 0.5


def test_rigs_differ_and_are_the_same_again() -> None:
    one, again, few = (SimulatedRigs(str(FILE), rigs=n, recordings=2) for n in (3, 3, 2))
    first, second, *_ = one.machines()
    window = one.extents(first)[3]
    assert np.array_equal(one.read(first, window)["PS1"].values,
                          again.read(first, window)["PS1"].values)  # fmt: skip
    assert not np.array_equal(one.read(first, window)["PS1"].values,
                              one.read(second, window)["PS1"].values)  # fmt: skip
    assert one.machine_fingerprint(first) == few.machine_fingerprint(first)
    assert one.fingerprint != few.fingerprint
    assert one.fingerprint != SimulatedRigs(str(FILE), rigs=3, recordings=2, seed=1).fingerprint


def test_references_are_sound_and_other_recordings_are_not_all() -> None:
    source = SimulatedRigs(str(FILE), rigs=1, recordings=6, references=2)
    (name,) = source.machines()
    table = source.labels(name)
    severities = table[[label_of(component) for component in GRADES]].to_numpy()
    assert table["reference"].tolist() == [1.0] * 2 + [0.0] * 6
    assert (severities[:2] == 0.0).all()
    assert 0.0 < (severities[2:] > 0.0).mean() < 1.0
    assert severities.max() <= 1.0


@pytest.mark.parametrize(
    ("setting", "value", "accepted"),
    [("rigs", 0, "1 to 100000"), ("spread", -0.1, "0 to 3"), ("sound_share", 1.5, "0 to 1")],
)
def test_a_setting_out_of_range_is_refused(setting: str, value: float, accepted: str) -> None:
    with pytest.raises(SpecError) as error:
        SimulatedRigs(str(FILE), **{setting: value})  # type: ignore[arg-type]
    assert f"data.source.{setting}: {value}" in str(error.value)
    assert accepted in str(error.value)


def test_another_machine_is_no_rig() -> None:
    with pytest.raises(SpecError, match=r"press\.yaml.*'bypass' is missing"):
        SimulatedRigs(str(PRESS))


def test_the_real_rig_has_the_sensors_and_the_build_of_the_simulated_ones() -> None:
    real, simulated = RecordedRig(str(FILE)), SimulatedRigs(str(FILE), rigs=1)
    (mine,), (other,) = real.machines().values(), simulated.machines().values()
    assert mine.topology == other.topology
    ((name,), (extent,)) = real.machines(), real.extents("zema")
    ((drawn,), window) = simulated.machines(), simulated.extents("zema_rig_simulated_00000")[0]
    assert real.read(name, extent).keys() == simulated.read(drawn, window).keys()


def test_the_references_of_the_real_rig_are_its_first_sound_cycles() -> None:
    table = RecordedRig(str(FILE)).labels("zema")
    chosen = table[table["reference"] == 1.0]
    assert (chosen["condition"] == "100/100/0/130").all()
    assert len(chosen) == 10
    windows = reference_windows(table, 120.0)
    assert windows[0].start == chosen["start"].min()
    assert windows[-1].end == chosen["end"].max()


def test_severities_are_0_for_new_and_1_for_the_worst_grade() -> None:
    table = RecordedRig(str(FILE)).labels("zema")
    for component, grades in GRADES.items():
        severity = table[label_of(component)]
        assert (severity[table[component] == grades.sound] == 0.0).all()
        assert (severity[table[component] == grades.worst] == 1.0).all()
        assert severity.between(0.0, 1.0).all()
