"""Random circuits are determined by seed and number, of sizes that are made, and of all kinds.

Those that are simulated solve, conserve, and meet closed forms.
"""

import math
import pickle
from collections import Counter

import numpy as np
import pytest
from tests.support.simulated_balance import balance
from tests.support.steady_circuits import steady

from hydrascope.schemas import ComponentType, EdgeType
from hydrascope.simulation.build import Build
from hydrascope.simulation.estimation.series import (
    ACCUMULATORS_L,
    BORES_MM,
    HOSES_MM,
    MOTORS_KW,
    PREFERRED,
    RODS_MM,
)
from hydrascope.simulation.faults import Fault
from hydrascope.simulation.parameters import ACTUATORS, DRIVES, QUANTITIES, VALVES
from hydrascope.simulation.random_circuits import RandomBuilds, draw_build, draw_circuit

SEED, MANY = 5, 150
SIMULATED = range(12)
SIZES: dict[str, dict[str, tuple[float, ...]]] = {
    ComponentType.PUMP: {"displacement_cm3": PREFERRED},
    ComponentType.CYLINDER: {"bore_mm": BORES_MM, "rod_mm": RODS_MM, "stroke_mm": PREFERRED},
    ComponentType.HYDRAULIC_MOTOR: {"displacement_cm3": PREFERRED},
    ComponentType.ACCUMULATOR: {"volume_l": ACCUMULATORS_L},
    ComponentType.TANK: {"volume_l": PREFERRED},
    ComponentType.ELECTRIC_MOTOR: {"power_kw": MOTORS_KW},
    **{
        kind: {"flow_l_min": PREFERRED}
        for kind in (
            *VALVES,
            ComponentType.FILTER,
            ComponentType.COOLER,
            ComponentType.RELIEF_VALVE,
        )
    },
}


@pytest.fixture(scope="module")
def builds() -> list[Build]:
    return [draw_build(SEED, number) for number in range(MANY)]


def test_a_circuit_is_determined_by_seed_and_number() -> None:
    first = draw_circuit(3, 7)
    assert draw_circuit(3, 7) == first
    assert draw_circuit(3, 8) != first
    assert draw_circuit(4, 7) != first
    few, many = RandomBuilds(3, 8), RandomBuilds(3, 20)
    assert few["circuit_3_0007"].machine == many["circuit_3_0007"].machine == first.machine
    assert list(many)[:8] == list(few)


def test_another_process_draws_the_same_circuit() -> None:
    build = draw_build(3, 7)
    draw_build.cache_clear()
    again = pickle.loads(pickle.dumps(build))
    assert again is not build
    assert (again.machine, again.duty, again.digest) == (build.machine, build.duty, build.digest)


def test_every_kind_that_can_be_simulated_is_drawn(builds: list[Build]) -> None:
    found = Counter(kind for build in builds for kind in set(build.circuit.kinds.values()))
    assert found.keys() == QUANTITIES.keys()
    assert min(found.values()) >= MANY / 10


def test_circuits_have_one_to_three_pumps_of_each_kind_and_one_to_eight_actuators(
    builds: list[Build],
) -> None:
    mains = [[each for each in build.circuit.pumps if each != "loop_pump"] for build in builds]
    assert {len(pumps) for pumps in mains} == {1, 2, 3}
    assert {len(build.circuit.actuators) for build in builds} == set(range(1, 9))
    pumps = [build.circuit.values[pump] for build, names in zip(builds, mains, strict=True)
             for pump in names]  # fmt: skip
    fixed = sum(math.isinf(each["cutoff_bar"]) for each in pumps)
    on_demand = sum(each["standby"] < 1.0 for each in pumps)
    assert min(fixed, on_demand, len(pumps) - fixed - on_demand) > len(pumps) / 20
    assert any("loop_pump" in build.circuit.pumps for build in builds)


def test_sizes_are_made(builds: list[Build]) -> None:
    for build in builds:
        for name, kind in build.circuit.kinds.items():
            for value, series in SIZES.get(kind, {}).items():
                assert build.circuit.values[name][value] in series, (build.name, name, value)
        for edge in build.machine.topology.edges:
            assert edge.kind is EdgeType.MECHANICAL or edge.diameter_mm in HOSES_MM


def test_sensors_are_few_or_many_and_all_are_simulated(builds: list[Build]) -> None:
    counts = [len(build.channels) for build in builds]
    assert min(counts) <= 3
    assert max(counts) >= 40
    assert not any(build.left_out for build in builds)
    measured = {(build.circuit.kinds[each.component], each.sensor.kind, each.sensor.position)
                for build in builds for each in build.channels}  # fmt: skip
    for kind in (*ACTUATORS, *VALVES, *DRIVES):
        assert any(each[0] == kind for each in measured)
    assert (ComponentType.CYLINDER, "pressure", "b") in measured
    assert (ComponentType.COOLER, "temperature", "coolant") in measured


def test_all_faults_occur_and_only_components_with_sensors_have_them(builds: list[Build]) -> None:
    assert {fault for build in builds for fault in build.faults} == set(Fault)
    for build in builds:
        seen = {each.component for each in build.channels}
        assert {name for names in build.faults.values() for name in names} <= seen


def test_duties_differ_in_what_they_ask_for(builds: list[Build]) -> None:
    phases = [phase for build in builds for phase in build.duty.phases]
    assert any(len(phase.to) > 1 for phase in phases)
    assert any(phase.hold for phase in phases)
    assert any(phase.pumps for phase in phases)
    assert {build.duty.pause is None for build in builds} == {True, False}
    assert len({build.duty.weather.mean_c for build in builds}) >= 3
    assert max(build.duty.duration_s for build in builds) <= 76.0


@pytest.mark.parametrize("number", SIMULATED)
def test_a_circuit_solves_conserves_and_meets_closed_forms(number: int) -> None:
    build = draw_build(SEED, number)
    closed = balance(build, 120.0)
    assert closed.unsolved == 0
    assert np.isfinite(closed.record).all()
    assert closed.energy == pytest.approx(0.0, abs=1e-3)
    assert closed.volume == pytest.approx(0.0, abs=1e-3)
    assert 0.0 < closed.record[:, -3:].min() < closed.record[:, -3:].max() < 90.0  # °C of the oil
    assert max(steady(build)) < 0.01
