"""The draw of a circuit and its duty, each part from a stream of its own."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import Machine
from hydrascope.schemas.duty import DutyCycle
from hydrascope.simulation.build import Build, assemble
from hydrascope.simulation.random_circuits.duty import Moved, draw_duty
from hydrascope.simulation.random_circuits.plan import Plan, draw_plan
from hydrascope.simulation.random_circuits.power import Feed, add_power
from hydrascope.simulation.random_circuits.return_line import Returns, add_return
from hydrascope.simulation.random_circuits.sensors import add_sensors
from hydrascope.simulation.random_circuits.sketch import Sketch
from hydrascope.simulation.random_circuits.supply import add_accumulators, add_supply
from hydrascope.simulation.random_circuits.valves import Valve, add_valve

_KEPT = 4_096
"""How many circuits a process keeps."""


MOST_CIRCUITS = 10_000
"""The most circuits of a seed, which the width of their names allows."""


class Drawn(NamedTuple):
    """A circuit as its files would describe it."""

    machine: Machine
    duty: DutyCycle


def circuit_name(seed: int, number: int) -> str:
    """Return the name of a circuit, which is its topology's id."""
    return f"circuit_{seed}_{number:04d}"


def draw_circuit(seed: int, number: int) -> Drawn:
    """Draw circuit `number` of a seed, whatever the others are.

    Sizes, sensors and duty are drawn from streams of their own: a change of the choice of sensors
    leaves all else as it is.
    """
    name = circuit_name(seed, number)
    streams = np.random.SeedSequence([seed, number]).spawn(4)
    of_plan, of_sizes, of_sensors, of_duty = (np.random.default_rng(each) for each in streams)
    plan = draw_plan(of_plan)
    sketch = Sketch(of_sizes, plan.mobile)
    feeds = add_power(sketch, plan, of_sizes)
    moved: list[Moved] = []
    valves: list[Valve] = []
    reliefs: list[tuple[str, Feed]] = []
    for number_of_feed, (feed, actuators) in enumerate(zip(feeds, plan.valves, strict=True)):
        suffix = "" if len(feeds) == 1 else f"_{number_of_feed + 1}"
        mine, limits = _add_feed(sketch, suffix, feed, actuators, of_sizes)
        reliefs += [(relief, feed) for relief in limits]
        moved += [Moved(actuator, feed) for valve in mine for actuator in valve.actuators]
        valves += mine
    add_return(sketch, plan, feeds, Returns(valves, reliefs), of_sizes)
    add_sensors(sketch, feeds, plan.pressure_bar, of_sensors)
    machine = sketch.machine(name, _title(plan, len(moved)), plan.pressure_bar)
    return Drawn(machine, draw_duty(plan, moved, name, of_duty))


@lru_cache(maxsize=_KEPT)
def draw_build(seed: int, number: int) -> Build:
    """Draw a circuit and return its build, checked as one from files is.

    Raises:
        SpecError: The circuit cannot work, which would be a mistake of the generator.
    """
    machine, duty = draw_circuit(seed, number)
    content = machine.model_dump_json() + duty.model_dump_json()
    digest = hashlib.sha256(content.encode()).hexdigest()
    name = machine.topology.id
    again = draw_build, (seed, number)
    return assemble(machine, duty, (name, f"duty of {name}"), digest, again)


def _add_feed(
    sketch: Sketch, suffix: str, feed: Feed, actuators: tuple[int, ...], rng: np.random.Generator
) -> tuple[list[Valve], list[str]]:
    """Add what the pumps of a feed supply; return its valves and its relief valves."""
    hub, reliefs = add_supply(sketch, suffix, feed, len(actuators), rng)
    valves = []
    for at, count in enumerate(actuators):
        number = f"{suffix}_{at + 1}" if len(actuators) > 1 else suffix
        names = [f"{number}_{each + 1}".lstrip("_") for each in range(count)]
        valves.append(add_valve(sketch, f"valve{number}", feed, hub, names, rng))
    add_accumulators(sketch, suffix, feed, hub, [valve.name for valve in valves], rng)
    return valves, reliefs


def _title(plan: Plan, actuators: int) -> str:
    pumps = f"{len(plan.pumps)} pump" + "s" * (len(plan.pumps) > 1)
    moved = f"{actuators} actuator" + "s" * (actuators > 1)
    return f"Random {'mobile' if plan.mobile else 'industrial'} circuit, {pumps}, {moved}"


class RandomBuilds(Mapping[str, Build]):
    """The builds of a seed's first circuits by name; each is drawn when it is asked for.

    Args:
        seed: The seed.
        count: The number of circuits, at most `MOST_CIRCUITS`. With more, the first stay the same.
    """

    def __init__(self, seed: int, count: int) -> None:
        self._seed = seed
        self._numbers = {circuit_name(seed, number): number for number in range(count)}

    def __getitem__(self, name: str) -> Build:
        return draw_build(self._seed, self._numbers[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)
