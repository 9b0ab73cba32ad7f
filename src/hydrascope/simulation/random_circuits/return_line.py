"""The way of the oil back to the tank of a random circuit: filters, cooler, tank."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import ComponentType, EdgeType
from hydrascope.simulation.estimation.series import PREFERRED, at_least, nearest
from hydrascope.simulation.random_circuits.plan import Plan, PumpKind
from hydrascope.simulation.random_circuits.power import TANK, Feed, add_drive
from hydrascope.simulation.random_circuits.sketch import Sketch
from hydrascope.simulation.random_circuits.valves import Valve

_RETURN = EdgeType.RETURN_LINE
_LOST = {PumpKind.FIXED: 0.95, PumpKind.COMPENSATED: 0.35, PumpKind.ON_DEMAND: 0.35}
_FRICTION_BAR = 15.0
"""What warms the oil: a share of a feed's power, and its flow times the friction of the pumps."""
_SLOWED = 0.8
"""How much of it is left if the drives are slow while nothing moves."""
_W_M2_K = 12.0
"""The heat transfer from the wall of a tank to calm air."""
_UNCOOLED_K = 35.0
"""How much warmer than the air the oil of a circuit without a cooler may be."""
_LOOP_BAR = 20.0


class Returns(NamedTuple):
    """What returns oil to the tank."""

    valves: Sequence[Valve]
    reliefs: Sequence[tuple[str, Feed]]
    """Relief valves, each with the pumps that it guards."""


def add_return(
    sketch: Sketch, plan: Plan, feeds: Sequence[Feed], returns: Returns, rng: np.random.Generator
) -> None:
    """Add collector, filter, cooler and tank, and a loop of their own if the plan has one."""
    flow = sum(feed.flow_l_min for feed in feeds)
    lost_kw = (
        sum(_LOST[feed.kind] * feed.power_kw for feed in feeds)
        * (_SLOWED if plan.variable_speed else 1.0)
        + _FRICTION_BAR * flow / 600.0
    )
    minutes = float(rng.uniform(1.0, 1.8) if plan.mobile else rng.uniform(2.5, 5.0))
    volume_l = nearest(PREFERRED, max(minutes * flow, 10.0))
    wall_w_k = 6.0 * (1e-3 * volume_l) ** (2.0 / 3.0) * _W_M2_K * float(rng.uniform(0.8, 1.3))
    sketch.add(TANK, ComponentType.TANK, volume_l=volume_l, w_per_k=wall_w_k)
    small = 1e3 * lost_kw < _UNCOOLED_K * wall_w_k
    cooled = not small or bool(rng.random() < 0.4)
    filtered = not plan.own_loop or bool(rng.random() < 0.7)
    peak = max(1.2 * flow, *(valve.flow_l_min for valve in returns.valves))
    into: list[tuple[str, ComponentType, dict[str, float]]] = []
    if filtered:
        into.append(("return_filter", ComponentType.FILTER, _filter(peak, rng)))
    cooler_of_return = cooled and (not plan.own_loop or bool(rng.random() < 0.3))
    if cooler_of_return:
        into.append(("cooler", ComponentType.COOLER, _cooler(peak, lost_kw, rng)))
    _add_way(sketch, into, returns, peak, rng)
    if plan.own_loop:
        _add_loop(sketch, flow, lost_kw if cooled and not cooler_of_return else None, rng)


def _add_way(
    sketch: Sketch,
    into: Sequence[tuple[str, ComponentType, dict[str, float]]],
    returns: Returns,
    peak: float,
    rng: np.random.Generator,
) -> None:
    """Add what the oil of valves runs through, and all return lines."""
    joined = [(valve.name, valve.flow_l_min) for valve in returns.valves]
    for name, feed in returns.reliefs:
        # What a pump of fixed displacement relieves is most of the heat: it must pass the cooler.
        if rng.random() < 0.5 and feed.kind is not PumpKind.FIXED:
            sketch.join(name, TANK, _RETURN, feed.flow_l_min)
        else:
            joined.append((name, feed.flow_l_min))
    ends = [name for name, _, _ in into]
    if len(joined) > 1:
        # One filter or cooler has one inlet.
        sketch.add("return_manifold", ComponentType.MANIFOLD)
        ends = ["return_manifold", *ends]
    for name, kind, nominal in into:
        sketch.add(name, kind, **nominal)
    first = ends[0] if ends else TANK
    for name, flow in joined:
        sketch.join(name, first, _RETURN, flow)
    for source, target in pairwise([*ends, TANK]):
        sketch.join(source, target, _RETURN, peak, short=True)


def _add_loop(
    sketch: Sketch, flow_l_min: float, lost_kw: float | None, rng: np.random.Generator
) -> None:
    """Add a pump that circulates the tank's oil through a filter and, given the heat, a cooler."""
    engine = sketch.of_kind(ComponentType.COMBUSTION_ENGINE)
    mains = sketch.of_kind(ComponentType.PUMP)
    speed_rpm = sketch.nominal(mains[0])["speed_rpm"] if engine else 1_450.0
    # A cooler of its own must get as much oil as takes its heat away; a filter does with less.
    share = rng.uniform(0.1, 0.3) if lost_kw is None else rng.uniform(0.5, 1.0)
    size = at_least(PREFERRED, max(4.0, 1e3 * float(share) * flow_l_min / speed_rpm))
    flow = size * speed_rpm / 1e3
    power_kw = _LOOP_BAR * flow / 600.0
    drive = engine[0] if engine else add_drive(sketch, "loop_motor", power_kw, rng)
    sketch.add("loop_pump", ComponentType.PUMP, displacement_cm3=size, speed_rpm=speed_rpm,
               cutoff_bar=_LOOP_BAR, volumetric_efficiency=0.9)  # fmt: skip
    sketch.couple(drive, "loop_pump", 9_550.0 * power_kw / speed_rpm)
    sketch.join(TANK, "loop_pump", EdgeType.SUCTION_LINE, flow)
    sketch.add("loop_filter", ComponentType.FILTER, **_filter(flow, rng))
    sketch.join("loop_pump", "loop_filter", EdgeType.PRESSURE_LINE, flow, short=True)
    last = "loop_filter"
    if lost_kw is not None:
        sketch.add("cooler", ComponentType.COOLER, **_cooler(flow, lost_kw, rng))
        sketch.join(last, "cooler", EdgeType.PRESSURE_LINE, flow, short=True)
        last = "cooler"
    sketch.join(last, TANK, _RETURN, flow)


def _filter(flow: float, rng: np.random.Generator) -> dict[str, float]:
    return {
        "flow_l_min": at_least(PREFERRED, float(rng.uniform(1.0, 1.5)) * flow),
        "drop_bar": float(rng.uniform(0.3, 0.6)),
        "bypass_bar": float(rng.uniform(2.0, 3.5)),
    }


def _cooler(flow: float, lost_kw: float, rng: np.random.Generator) -> dict[str, float]:
    return {
        "flow_l_min": at_least(PREFERRED, flow),
        "drop_bar": float(rng.uniform(0.4, 1.2)),
        "kw_per_k": max(0.02, lost_kw / float(rng.uniform(10.0, 20.0))),
        "thermostat_c": float(rng.integers(25, 46)),
    }
