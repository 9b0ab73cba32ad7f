"""The network of a machine file, as the solver needs it; impossible machines are refused."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import ComponentSpec, ComponentType, EdgeSpec, EdgeType, Machine, SpecError
from hydrascope.simulation.flow_paths import HYDRAULIC
from hydrascope.simulation.parameters import ACTUATORS, DRIVES, VALVES, nominal_values
from hydrascope.simulation.refusals import refusals
from hydrascope.simulation.solver import LINE, REDUCING, RELIEF, Wiring

TANK = -1
_PORTS: Mapping[str, tuple[str, ...]] = {
    ComponentType.PUMP: ("inlet", "outlet"),
    **dict.fromkeys(VALVES, ("supply", "return")),
    **dict.fromkeys(ACTUATORS, ("a", "b")),
    ComponentType.TANK: (),
    **dict.fromkeys(DRIVES, ()),
}
_ONE_PORT = ("outlet",)


class Branch(NamedTuple):
    """A connection of two nodes: a line and the component at its end."""

    kind: int
    start: int
    end: int
    line: EdgeSpec | None
    component: str | None
    """The component whose law adds to the line's."""
    water: bool
    """Whether coolant flows, not oil."""


class Section(NamedTuple):
    """A section of a valve and the actuator that it moves."""

    actuator: str
    valve: str
    line: EdgeSpec


@dataclass(frozen=True)
class Circuit:
    """A machine's network."""

    machine: Machine
    values: Mapping[str, Mapping[str, float]]
    """The nominal values of each component, with defaults filled in."""
    node: Mapping[tuple[str, str], int]
    """The node of each component and port: inlet and outlet of pumps, supply and return of valves,
    a and b of actuators, outlet of others."""
    branches: tuple[Branch, ...]
    pumps: tuple[str, ...]
    drives: tuple[str, ...]
    """The drive of each pump."""
    sections: tuple[Section, ...]
    accumulators: tuple[str, ...]
    wiring: Wiring

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """The kind of each component."""
        return {each.id: each.kind for each in self.machine.topology.components}

    @cached_property
    def actuators(self) -> tuple[str, ...]:
        """The actuator of each section."""
        return tuple(section.actuator for section in self.sections)

    def driven_by(self, drive: str) -> list[str]:
        """Return the pumps of a motor or an engine."""
        return [p for p, own in zip(self.pumps, self.drives, strict=True) if own == drive]

    def moved_by(self, valve: str, actuator: str | None) -> int | None:
        """Return the number of an actuator that a valve moves; its only one if none is named."""
        mine = [n for n, section in enumerate(self.sections) if section.valve == valve
                and actuator in (None, section.actuator)]  # fmt: skip
        return mine[0] if len(mine) == 1 else None

    def has_branch(self, component: str) -> bool:
        """Return whether a component's law is that of a branch."""
        return any(branch.component == component for branch in self.branches)

    def branch_of(self, component: str) -> int:
        """Return the branch with a component's law (filter, cooler, relief valve …)."""
        return next(n for n, branch in enumerate(self.branches) if branch.component == component)


def build_circuit(machine: Machine, source: str = "") -> Circuit:
    """Return the network of a machine file.

    Args:
        machine: The machine.
        source: The file it was read from; begins the message of an error.

    Raises:
        SpecError: The machine cannot work; names every fault with its path.
    """
    faults = list(refusals(machine))
    if faults:
        raise SpecError(*faults, source=source or machine.equipment.equipment_id)
    return _wire(machine)


def _wire(machine: Machine) -> Circuit:
    components = {each.id: each for each in machine.topology.components}
    values = {name: nominal_values(each)[0] for name, each in components.items()}
    # Chambers come first: eliminated first, they cause the least fill-in.
    ordered = sorted(components.values(), key=lambda each: each.kind not in ACTUATORS)
    ports = [(each.id, port) for each in ordered for port in _PORTS.get(each.kind, _ONE_PORT)]
    node = {port: number for number, port in enumerate(ports)}
    edges = [edge for edge in machine.topology.edges if edge.kind in HYDRAULIC]
    sections = [Section(edge.target, edge.source, edge) for edge in edges
                if components[edge.target].kind in ACTUATORS]  # fmt: skip
    water = _water(edges, components, values)
    branches = [_branch(node, components[edge.source], components[edge.target], edge, water)
                for edge in edges if components[edge.target].kind not in ACTUATORS]  # fmt: skip
    for name, each in components.items():
        if each.kind in VALVES and values[name]["relief_bar"] < 1e6:
            ends = node[name, "supply"], node[name, "return"]
            branches.append(Branch(RELIEF, *ends, None, name, water=False))
    pumps = [name for name, each in components.items() if each.kind == ComponentType.PUMP]
    gases = [name for name, each in components.items() if each.kind == ComponentType.ACCUMULATOR]
    drive_of = {e.target: e.source for e in machine.topology.edges if e.kind is EdgeType.MECHANICAL}
    coolers = (number for number, branch in enumerate(branches)
               if branch.component and components[branch.component].kind == ComponentType.COOLER
    )  # fmt: skip
    tank = len(node)  # its number in the solver
    wiring = Wiring(
        branch_kind=_ints(branch.kind for branch in branches),
        branch_from=_ints(tank if branch.start == TANK else branch.start for branch in branches),
        branch_to=_ints(tank if branch.end == TANK else branch.end for branch in branches),
        branch_water=_ints(int(branch.water) for branch in branches),
        cooler=next(coolers, -1),
        pump_inlet=_ints(node[name, "inlet"] for name in pumps),
        pump_outlet=_ints(node[name, "outlet"] for name in pumps),
        pump_water=_ints(int(values[name]["water"]) for name in pumps),
        section=_ints(
            node[component, port]
            for each in sections
            for component in (each.valve, each.actuator)
            for port in _PORTS[components[component].kind]
        ).reshape(-1, 4),
        accumulator=_ints(node[name, "outlet"] for name in gases),
    )
    drives = tuple(drive_of[name] for name in pumps)
    return Circuit(
        machine, values, node, tuple(branches), tuple(pumps), drives, tuple(sections),
        tuple(gases), wiring,
    )  # fmt: skip


_RESISTANCES = (
    ComponentType.FILTER,
    ComponentType.COOLER,
    ComponentType.REDUCING_VALVE,
    ComponentType.FLOW_CONTROL_VALVE,
)


def _branch(
    node: Mapping[tuple[str, str], int],
    source: ComponentSpec,
    target: ComponentSpec,
    line: EdgeSpec,
    water: Collection[str],
) -> Branch:
    law = REDUCING if target.kind == ComponentType.REDUCING_VALVE else LINE
    component = target.id if target.kind in _RESISTANCES else None
    if source.kind == ComponentType.RELIEF_VALVE:
        law, component = RELIEF, source.id
    ends = _start(node, source, line), _end(node, target)
    return Branch(law, *ends, line, component, source.id in water)


def _start(node: Mapping[tuple[str, str], int], source: ComponentSpec, edge: EdgeSpec) -> int:
    if source.kind == ComponentType.TANK:
        return TANK
    if source.kind in VALVES:
        return node[source.id, "return" if edge.kind is EdgeType.RETURN_LINE else "supply"]
    return node[source.id, "outlet"]


def _end(node: Mapping[tuple[str, str], int], target: ComponentSpec) -> int:
    if target.kind == ComponentType.TANK:
        return TANK
    if target.kind in VALVES:
        return node[target.id, "supply"]
    return node[target.id, "inlet" if target.kind == ComponentType.PUMP else "outlet"]


def _water(
    edges: Iterable[EdgeSpec],
    components: Mapping[str, ComponentSpec],
    values: Mapping[str, Mapping[str, float]],
) -> set[str]:
    """Return the components with coolant: pumps of coolant, and all that lines join to them."""
    wet = {name for name in components if values[name].get("water")}
    while True:
        more = {
            name
            for edge in edges
            if {edge.source, edge.target} & wet
            for name in (edge.source, edge.target)
        }
        if more <= wet:
            return wet
        wet |= more


def _ints(numbers: Iterable[int]) -> np.ndarray:
    return np.array(list(numbers), dtype=np.uintp)
