"""From a machine file to the network that the solver knows; impossible machines are refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import ComponentSpec, ComponentType, EdgeSpec, EdgeType, Machine, SpecError
from hydrascope.simulation.parameters import QUANTITIES, nominal_values
from hydrascope.simulation.solver import LINE, REDUCING, RELIEF, Wiring

TANK = -1
VALVES = (
    ComponentType.DIRECTIONAL_VALVE,
    ComponentType.PROPORTIONAL_VALVE,
    ComponentType.SERVO_VALVE,
)
ACTUATORS = (ComponentType.CYLINDER, ComponentType.HYDRAULIC_MOTOR)
DRIVES = (ComponentType.ELECTRIC_MOTOR, ComponentType.COMBUSTION_ENGINE)
_HYDRAULIC = (EdgeType.PRESSURE_LINE, EdgeType.RETURN_LINE, EdgeType.SUCTION_LINE)
_PORTS: Mapping[str, tuple[str, ...]] = {
    ComponentType.PUMP: ("inlet", "outlet"),
    **dict.fromkeys(VALVES, ("supply", "back")),
    **dict.fromkeys(ACTUATORS, ("a", "b")),
    ComponentType.TANK: (),
    **dict.fromkeys(DRIVES, ()),
}
_ONE_PORT = ("outlet",)


class Branch(NamedTuple):
    """Oil flows from one node to another, through a line and what stands at its end."""

    kind: int
    start: int
    end: int
    line: EdgeSpec | None
    component: str | None
    """Whose law it is beside the line's."""
    water: bool


class Section(NamedTuple):
    """An actuator and the valve that moves it."""

    actuator: str
    valve: str
    line: EdgeSpec


@dataclass(frozen=True)
class Circuit:
    """A machine's network."""

    machine: Machine
    values: Mapping[str, Mapping[str, float]]
    """Nominal values of each component, defaults filled in."""
    node: Mapping[tuple[str, str], int]
    """By component and port: inlet, outlet (pumps; others have an outlet only), supply, back
    (valves), a, b (actuators)."""
    branches: tuple[Branch, ...]
    pumps: tuple[str, ...]
    drives: tuple[str, ...]
    """Of each pump."""
    sections: tuple[Section, ...]
    accumulators: tuple[str, ...]
    wiring: Wiring

    @property
    def kinds(self) -> Mapping[str, str]:
        """The kind of each component."""
        return {each.id: each.kind for each in self.machine.topology.components}

    def branch_of(self, component: str) -> int:
        """Return the branch that bears a component's law (filter, cooler, relief valve …)."""
        return next(n for n, branch in enumerate(self.branches) if branch.component == component)


def build_circuit(machine: Machine, source: str = "") -> Circuit:
    """Return the network of a machine file.

    Args:
        machine: The machine.
        source: Where it was read from; leads the message of an error.

    Raises:
        SpecError: The machine cannot work, each fault with its path.
    """
    faults = list(_faults(machine))
    if faults:
        raise SpecError.of(source or machine.equipment.equipment_id, faults)
    return _wire(machine)


def _faults(machine: Machine) -> Iterable[str]:
    topology = machine.topology
    kind_of = {each.id: each.kind for each in topology.components}
    for number, component in enumerate(topology.components):
        path = f"topology.components[{number}]"
        if component.kind not in QUANTITIES:
            yield (
                f"{path}.kind: {component.kind!r} cannot be simulated; accepted: "
                f"{', '.join(QUANTITIES)}"
            )
            continue
        for name, message in nominal_values(component)[1]:
            yield f"{path}.nominal.{name}: {message}"
        for message in _missing_lines(component, topology.edges, kind_of):
            yield f"{path}: {message}"
    if ComponentType.TANK not in kind_of.values():
        yield "topology.components: expected a tank"


def _missing_lines(
    component: ComponentSpec, edges: Iterable[EdgeSpec], kind_of: Mapping[str, str]
) -> Iterable[str]:
    into = [edge for edge in edges if edge.target == component.id]
    out = [edge for edge in edges if edge.source == component.id]
    if component.kind == ComponentType.PUMP:
        if not any(edge.kind is EdgeType.SUCTION_LINE for edge in into):
            yield f"{component.id} has no inlet; expected a suction_line that ends there"
        if not any(edge.kind is EdgeType.PRESSURE_LINE for edge in out):
            yield f"{component.id} has no outlet; expected a pressure_line that starts there"
        if sum(edge.kind is EdgeType.MECHANICAL and kind_of.get(edge.source) in DRIVES
               for edge in into) != 1:  # fmt: skip
            yield f"{component.id} is not driven; expected one mechanical line from a motor"
    elif component.kind in ACTUATORS:
        if sum(edge.kind is EdgeType.PRESSURE_LINE and kind_of.get(edge.source) in VALVES
               for edge in into) != 1:  # fmt: skip
            yield f"{component.id} is not fed; expected one pressure_line from a valve"
    elif component.kind in VALVES:
        if not any(edge.kind is EdgeType.PRESSURE_LINE for edge in into):
            yield f"{component.id} has no supply; expected a pressure_line that ends there"
        if not any(edge.kind is EdgeType.RETURN_LINE for edge in out):
            yield f"{component.id} has no return; expected a return_line that starts there"
    elif component.kind not in (*DRIVES, ComponentType.TANK, ComponentType.ACCUMULATOR):
        if not any(edge.kind in _HYDRAULIC for edge in into):
            yield f"{component.id} has no inlet; expected a line that ends there"
        if not any(edge.kind in _HYDRAULIC for edge in out):
            yield f"{component.id} has no outlet; expected a line that starts there"


def _wire(machine: Machine) -> Circuit:
    topology = machine.topology
    components = {each.id: each for each in topology.components}
    values = {each.id: nominal_values(each)[0] for each in topology.components}
    # Chambers first: eliminated first, they fill in least of the matrix.
    ordered = sorted(components.values(), key=lambda each: each.kind not in ACTUATORS)
    ports = [(each.id, port) for each in ordered for port in _PORTS.get(each.kind, _ONE_PORT)]
    node = {port: number for number, port in enumerate(ports)}
    edges = [edge for edge in topology.edges if edge.kind in _HYDRAULIC]
    water = _water(edges, components, values)
    branches = []
    sections = []
    for edge in edges:
        source, target = components[edge.source], components[edge.target]
        if target.kind in ACTUATORS:
            sections.append(Section(target.id, source.id, edge))
            continue
        law = {ComponentType.REDUCING_VALVE: REDUCING}.get(ComponentType(target.kind), LINE)
        start = _start(node, source, edge)
        bearer: str | None = target.id if target.kind in _BEARERS else None
        if source.kind == ComponentType.RELIEF_VALVE:
            law, bearer = RELIEF, source.id
        branches.append(Branch(law, start, _end(node, target), edge, bearer, source.id in water))
    for each in components.values():
        if each.kind in VALVES and values[each.id]["relief_bar"] < 1e6:
            supply, back = node[each.id, "supply"], node[each.id, "back"]
            branches.append(Branch(RELIEF, supply, back, None, each.id, water=False))
    pumps = [each.id for each in components.values() if each.kind == ComponentType.PUMP]
    accumulators = [c.id for c in components.values() if c.kind == ComponentType.ACCUMULATOR]
    coolers = [
        number
        for number, branch in enumerate(branches)
        if branch.component and components[branch.component].kind == ComponentType.COOLER
    ]
    drive_of = {e.target: e.source for e in topology.edges if e.kind is EdgeType.MECHANICAL}
    tank = len(node)  # the solver's number of it
    wiring = Wiring(
        branch_kind=_ints(branch.kind for branch in branches),
        branch_from=_ints(tank if branch.start == TANK else branch.start for branch in branches),
        branch_to=_ints(tank if branch.end == TANK else branch.end for branch in branches),
        branch_water=_ints(int(branch.water) for branch in branches),
        cooler=coolers[0] if coolers else -1,
        pump_inlet=_ints(node[each, "inlet"] for each in pumps),
        pump_outlet=_ints(node[each, "outlet"] for each in pumps),
        pump_water=_ints(int(values[each]["water"]) for each in pumps),
        section=_ints(
            node[port]
            for each in sections
            for port in (
                (each.valve, "supply"),
                (each.valve, "back"),
                (each.actuator, "a"),
                (each.actuator, "b"),
            )
        ).reshape(-1, 4),
        accumulator=_ints(node[each, "outlet"] for each in accumulators),
    )
    return Circuit(
        machine,
        values,
        node,
        tuple(branches),
        tuple(pumps),
        tuple(drive_of[each] for each in pumps),
        tuple(sections),
        tuple(accumulators),
        wiring,
    )


_BEARERS = (
    ComponentType.FILTER,
    ComponentType.COOLER,
    ComponentType.REDUCING_VALVE,
    ComponentType.FLOW_CONTROL_VALVE,
)


def _start(node: Mapping[tuple[str, str], int], source: ComponentSpec, edge: EdgeSpec) -> int:
    if source.kind == ComponentType.TANK:
        return TANK
    if source.kind in VALVES:
        return node[source.id, "back" if edge.kind is EdgeType.RETURN_LINE else "supply"]
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
    """Return the components in which coolant flows: those that pumps of coolant are joined to."""
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
