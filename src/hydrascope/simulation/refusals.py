"""Why a machine cannot work: parts that lack an inlet, an outlet, a drive, a tank or a limit."""

import math
from collections.abc import Iterator, Mapping, Sequence

from hydrascope.schemas import ComponentSpec, ComponentType, EdgeSpec, EdgeType, Machine
from hydrascope.simulation.flow_paths import HYDRAULIC, downstream, upstream
from hydrascope.simulation.parameters import ACTUATORS, DRIVES, QUANTITIES, VALVES, nominal_values

_PRESSURE = (EdgeType.PRESSURE_LINE,)
_SUCTION = (EdgeType.SUCTION_LINE,)
_ENDLESS = (*DRIVES, ComponentType.TANK, ComponentType.ACCUMULATOR)
"""The kinds of components that need no line on either side."""


def refusals(machine: Machine) -> Iterator[str]:
    """Yield every reason why a machine cannot work, each with its path in the machine file."""
    components, edges = machine.topology.components, machine.topology.edges
    kinds = {each.id: each.kind for each in components}
    for number, edge in enumerate(edges):
        for name in ("diameter_mm", "length_m"):
            if edge.kind in HYDRAULIC and getattr(edge, name) is None:
                yield f"topology.edges[{number}].{name}: missing; expected greater than 0"
    for number, component in enumerate(components):
        path = f"topology.components[{number}]"
        if component.kind not in QUANTITIES:
            yield (
                f"{path}.kind: {component.kind!r} cannot be simulated; accepted: "
                f"{', '.join(QUANTITIES)}"
            )
            continue
        for name, message in nominal_values(component)[1]:
            yield f"{path}.nominal.{name}: {message}"
        missing = list(_missing_lines(component, edges, kinds))
        linked = any(edge.kind is EdgeType.LINK and component.id in (edge.source, edge.target)
                     for edge in edges)  # fmt: skip
        hint = "; a link does not say what flows in it" if linked else ""
        yield from (f"{path}: {message}{hint}" for message in missing)
        if not missing:
            yield from (f"{path}: {each}" for each in _broken_ways(component, components, edges))
    if ComponentType.TANK not in kinds.values():
        yield "topology.components: expected a tank"
    coolers = [name for name, kind in kinds.items() if kind == ComponentType.COOLER]
    if len(coolers) > 1:
        yield f"topology.components: expected one cooler at most, but there are {coolers}"


def _missing_lines(
    component: ComponentSpec, edges: Sequence[EdgeSpec], kinds: Mapping[str, str]
) -> Iterator[str]:
    """Yield the lines that a component lacks."""
    into = [edge for edge in edges if edge.target == component.id]
    out = [edge for edge in edges if edge.source == component.id]
    if component.kind == ComponentType.PUMP:
        if not any(edge.kind is EdgeType.SUCTION_LINE for edge in into):
            yield f"{component.id} has no inlet; expected a suction_line that ends there"
        if not any(edge.kind is EdgeType.PRESSURE_LINE for edge in out):
            yield f"{component.id} has no outlet; expected a pressure_line that starts there"
        if sum(edge.kind is EdgeType.MECHANICAL and kinds.get(edge.source) in DRIVES
               for edge in into) != 1:  # fmt: skip
            yield f"{component.id} is not driven; expected one mechanical line from a motor"
    elif component.kind in ACTUATORS:
        if sum(edge.kind is EdgeType.PRESSURE_LINE and kinds.get(edge.source) in VALVES
               for edge in into) != 1:  # fmt: skip
            yield f"{component.id} is not fed; expected one pressure_line from a valve"
    elif component.kind in VALVES:
        if not any(edge.kind is EdgeType.PRESSURE_LINE for edge in into):
            yield f"{component.id} has no supply; expected a pressure_line that ends there"
        if not any(edge.kind is EdgeType.RETURN_LINE for edge in out):
            yield f"{component.id} has no return; expected a return_line that starts there"
    elif component.kind not in _ENDLESS:
        if not any(edge.kind in HYDRAULIC for edge in into):
            yield f"{component.id} has no inlet; expected a line that ends there"
        if not any(edge.kind in HYDRAULIC for edge in out):
            yield f"{component.id} has no outlet; expected a line that starts there"


def _broken_ways(
    component: ComponentSpec, components: Sequence[ComponentSpec], edges: Sequence[EdgeSpec]
) -> Iterator[str]:
    """Yield what lies wrong further along the lines of a component that has all of its own."""
    specs = {each.id: each for each in components}

    def is_a(*kinds: str) -> Sequence[str]:
        return [name for name, each in specs.items() if each.kind in kinds]

    tanks, pumps = is_a(ComponentType.TANK), is_a(ComponentType.PUMP)
    if component.kind == ComponentType.PUMP:
        before = upstream(edges, component.id, ends=tanks.__contains__, kinds=_SUCTION)
        if not set(before) & set(tanks):
            yield f"{component.id} draws from no tank; expected suction lines from one"
        values = component.nominal
        if math.isinf(values.get("cutoff_bar", math.inf)) and not values.get("water"):
            after = downstream(edges, component.id, ends=tanks.__contains__, kinds=_PRESSURE)
            if not any(_relieves(specs[each]) for each in after):
                yield (
                    f"nothing limits the pressure of {component.id}; expected its cutoff_bar, or a "
                    "relief_valve that its pressure lines reach"
                )
    elif component.kind in VALVES:
        before = upstream(edges, component.id, ends=pumps.__contains__, kinds=_PRESSURE)
        if not set(before) & set(pumps):
            yield f"{component.id} is fed by no pump; expected pressure lines from one"
    if component.kind in (*ACTUATORS, *_ENDLESS):
        return
    after = downstream(edges, component.id, ends=tanks.__contains__)
    if not set(after) & set(tanks):
        yield f"the oil of {component.id} reaches no tank; expected lines that lead to one"


def _relieves(component: ComponentSpec) -> bool:
    return component.kind == ComponentType.RELIEF_VALVE or "relief_bar" in component.nominal
