"""Valves of a random circuit, with the actuators that they move and what stands before them."""

import math
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import ComponentType, EdgeType
from hydrascope.simulation.estimation.series import PREFERRED, at_least
from hydrascope.simulation.random_circuits.actuators import Actuator, add_actuator
from hydrascope.simulation.random_circuits.power import Feed
from hydrascope.simulation.random_circuits.sketch import Sketch


class _Make(NamedTuple):
    """What valves of a kind have in common."""

    rated_drop_bar: float
    """Over an edge at the nominal flow, as data sheets give it."""
    drop_share: tuple[float, float]
    """Over an edge at the usual flow, as a share of the highest pressure."""
    response_s: tuple[float, float]
    leakage_share: tuple[float, float]
    """Over a closed edge at 100 bar, as a share of the nominal flow."""


_MAKES = {
    ComponentType.DIRECTIONAL_VALVE: _Make(5.0, (0.02, 0.08), (0.03, 0.08), (0.0005, 0.0015)),
    ComponentType.PROPORTIONAL_VALVE: _Make(5.0, (0.03, 0.1), (0.04, 0.12), (0.0005, 0.002)),
    ComponentType.SERVO_VALVE: _Make(35.0, (0.08, 0.18), (0.01, 0.03), (0.003, 0.008)),
}
_SHARES = (0.35, 0.4, 0.25)
_MOBILE_SHARES = (0.2, 0.8, 0.0)
"""Of the kinds."""
_FLOW_SHARE = (0.25, 0.9)
"""What an actuator takes up, as a share of its pumps' flow."""


class Valve(NamedTuple):
    """A valve that has been drawn."""

    name: str
    flow_l_min: float
    """The highest flow in its return line."""
    actuators: tuple[Actuator, ...]


def add_valve(
    sketch: Sketch,
    name: str,
    feed: Feed,
    source: str,
    names: list[str],
    rng: np.random.Generator,
) -> Valve:
    """Add a valve with its actuators.

    Args:
        sketch: The machine.
        name: Of the valve.
        feed: Its pumps.
        source: What feeds it.
        names: The numbers of its actuators.
        rng: The source of its values.
    """
    mobile = bool(sketch.of_kind(ComponentType.COMBUSTION_ENGINE))
    source, limit_bar, most = _before(sketch, name, feed, source, rng)
    kinds = list(_MAKES)
    kind = kinds[int(rng.choice(len(kinds), p=_MOBILE_SHARES if mobile else _SHARES))]
    make = _MAKES[kind]
    flows = [max(1.5, float(rng.uniform(*_FLOW_SHARE)) * most) for _ in names]
    drawn = [add_actuator(sketch, each, limit_bar, flow, rng)
             for each, flow in zip(names, flows, strict=True)]  # fmt: skip
    rated = []
    for actuator, left_bar in drawn:
        drop_bar = min(float(rng.uniform(*make.drop_share)) * limit_bar, 0.4 * left_bar)
        rated.append(actuator.flow_l_min * math.sqrt(make.rated_drop_bar / drop_bar))
    size = at_least(PREFERRED, max(rated))
    nominal = {
        "flow_l_min": size,
        "drop_bar": make.rated_drop_bar,
        "response_s": float(rng.uniform(*make.response_s)),
        "leakage_ml_min": min(1e3 * float(rng.uniform(*make.leakage_share)) * size, 1e4),
    }
    if rng.random() < 0.3:
        nominal["relief_bar"] = 1.12 * feed.pressure_bar
    if mobile:
        nominal["port_relief_bar"] = 1.2 * feed.pressure_bar
    sketch.add(name, kind, **nominal)
    sketch.join(source, name, EdgeType.PRESSURE_LINE, most)
    for (actuator, _), flow in zip(drawn, rated, strict=True):
        sketch.set_nominal(actuator.name, "valve_share", max(0.01, flow / size))
        sketch.join(name, actuator.name, EdgeType.PRESSURE_LINE, actuator.flow_l_min)
    actuators = tuple(actuator for actuator, _ in drawn)
    return Valve(name, 1.3 * max(each.flow_l_min for each in actuators), actuators)


def _before(
    sketch: Sketch, valve: str, feed: Feed, source: str, rng: np.random.Generator
) -> tuple[str, float, float]:
    """Add what stands before a valve; return what feeds it, its highest pressure and its flow."""
    chance, flow = rng.random(), feed.flow_l_min
    if chance < 0.15:
        setting = at_least(PREFERRED, float(rng.uniform(0.4, 0.7)) * feed.pressure_bar)
        name = f"{valve}_reducing"
        sketch.add(name, ComponentType.REDUCING_VALVE, setting_bar=setting,
                   flow_l_min=at_least(PREFERRED, flow),
                   drop_bar=float(rng.uniform(0.03, 0.06)) * feed.pressure_bar)  # fmt: skip
        sketch.join(source, name, EdgeType.PRESSURE_LINE, flow, short=True)
        return name, setting, flow
    if chance < 0.3:
        most = at_least(PREFERRED, float(rng.uniform(0.3, 0.7)) * flow)
        name = f"{valve}_throttle"
        sketch.add(name, ComponentType.FLOW_CONTROL_VALVE, flow_l_min=most,
                   drop_bar=float(rng.uniform(0.03, 0.08)) * feed.pressure_bar)  # fmt: skip
        sketch.join(source, name, EdgeType.PRESSURE_LINE, flow, short=True)
        return name, feed.pressure_bar, min(most, flow)
    return source, feed.pressure_bar, flow
