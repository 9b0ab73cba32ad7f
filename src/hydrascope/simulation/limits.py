"""Which pump feeds a part of a machine, and the highest pressure that there can be."""

from typing import NamedTuple

from hydrascope.schemas import ComponentType, EdgeType
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.flow_paths import downstream, upstream
from hydrascope.simulation.parameters import VALVES

_PRESSURE = (EdgeType.PRESSURE_LINE,)


class Limit(NamedTuple):
    """A highest pressure and the component that holds it."""

    pressure_bar: float
    component: str


def feeding_pumps(circuit: Circuit, component: str) -> list[str]:
    """Return the pumps whose pressure lines lead to a component, nearest first."""
    return [each for each in _before(circuit, component) if each in circuit.pumps]


def supply_limit(circuit: Circuit, valve: str) -> Limit:
    """Return the highest pressure at the supply of a valve, with the nominal settings.

    That of several pumps is the highest of theirs. A pump has that of its compensator, or of the
    lowest relief valve that its pressure lines reach; a reducing valve before the valve limits it
    further.
    """
    highest = max(_pump_limit(circuit, pump) for pump in feeding_pumps(circuit, valve))
    reduced = [Limit(circuit.values[each]["setting_bar"], each)
               for each in _before(circuit, valve)
               if circuit.kinds[each] == ComponentType.REDUCING_VALVE]  # fmt: skip
    return min([highest, *reduced])


def _before(circuit: Circuit, component: str) -> list[str]:
    edges = circuit.machine.topology.edges
    return upstream(edges, component, ends=circuit.pumps.__contains__, kinds=_PRESSURE)


def _pump_limit(circuit: Circuit, pump: str) -> Limit:
    def ends(component: str) -> bool:
        return circuit.kinds[component] in (ComponentType.REDUCING_VALVE, ComponentType.TANK)

    limits = [Limit(circuit.values[pump]["cutoff_bar"], pump)]
    for each in downstream(circuit.machine.topology.edges, pump, ends=ends, kinds=_PRESSURE):
        if circuit.kinds[each] == ComponentType.RELIEF_VALVE:
            limits.append(Limit(circuit.values[each]["setting_bar"], each))
        elif circuit.kinds[each] in VALVES:
            limits.append(Limit(circuit.values[each]["relief_bar"], each))
    return min(limits)
