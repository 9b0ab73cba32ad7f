"""A recording streams: memory does not grow with its hours; machines do not know of each other."""

import tracemalloc

import numpy as np

from hydrascope.simulation.build import load_kind
from hydrascope.simulation.duty import Operator, ReferenceGenerator
from hydrascope.simulation.fleet import draw_member
from hydrascope.simulation.recording import STEP_S, Run
from hydrascope.simulation.solver import Plant, Reference, State, advance, empty_state


def test_memory_does_not_grow_with_the_hours() -> None:
    member = draw_member(load_kind("robot"), 0, seed=1, fault_rate=2.5, life_h=2e3)
    pieces = Run(member, 0, 0.0).pieces(3600.0)
    for _ in range(5):
        next(pieces)
    tracemalloc.start()
    try:
        next(pieces)
        tracemalloc.reset_peak()
        next(pieces)
        _, minute = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(40):
            next(pieces)
        _, longer = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert longer < 1.2 * minute


def test_a_machine_in_a_batch_gives_bit_for_bit_what_it_gives_alone() -> None:
    build = load_kind("robot")
    plants = [
        draw_member(load_kind("robot"), n, seed=2, fault_rate=2.5, life_h=2e3).plant_at(500.0)
        for n in range(3)
    ]
    generator = ReferenceGenerator(build.cycle, Operator(1.0, 1.0, 0.05), np.random.default_rng(0))
    target, process, pumps = generator.commands(STEP_S * (np.arange(400) + 0.5))

    def run(*which: int) -> tuple[np.ndarray, State]:
        mine = zip(*(plants[n] for n in which), strict=True)
        plant = Plant(*(np.concatenate(values) for values in mine))
        warm = np.full(len(which), 40.0)
        state = empty_state(plant, warm, warm)
        references = [np.stack([each] * len(which)) for each in (target, process, pumps)]
        reference = Reference(*references[:2], build.cycle.open_loop, references[2])
        return advance(build.circuit.wiring, plant, state, reference, STEP_S, 2), state

    together, state = run(0, 1, 2)
    alone, own = run(1)
    np.testing.assert_array_equal(together[1], alone[0])
    assert not np.array_equal(together[0], together[1])
    np.testing.assert_array_equal(state.meter[1], own.meter[0])


def test_the_oil_is_of_one_of_three_grades_and_its_sensor_says_how_thick_it_is() -> None:
    def at(temperature_c: float, oil: np.ndarray) -> float:
        """Walther's equation as ASTM D341 has it."""
        walther, slope, *_ = oil
        return float(10 ** (10 ** (walther - slope * np.log10(temperature_c + 273.15))) - 0.7)

    seen = {32: 0, 46: 0, 68: 0}
    for number in range(24):
        member = draw_member(load_kind("robot"), number, seed=4, fault_rate=0.0, life_h=2e3)
        viscosity = at(40.0, member.plant.oil[0])
        grade = min(seen, key=lambda each: abs(each - viscosity))
        assert abs(viscosity / grade - 1) < 0.1  # ISO 3448
        seen[grade] += 1
        if number < 3:
            minute = next(Run(member, 0, 0.0).pieces(60.0))
            warm = float(np.nanmean(minute["tank_temperature"]))
            said = float(np.nanmean(minute["oil_viscosity"]))
            assert abs(said / at(warm, member.plant.oil[0]) - 1) < 0.08
    assert min(seen.values()) > 2
