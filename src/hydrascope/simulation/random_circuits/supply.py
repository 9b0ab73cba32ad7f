"""What stands between pumps and valves of a random circuit, and limits their pressure."""

import numpy as np

from hydrascope.schemas import ComponentType, EdgeType
from hydrascope.simulation.estimation.series import (
    ACCUMULATORS_L,
    PREFERRED,
    at_least,
    nearest,
)
from hydrascope.simulation.random_circuits.plan import PumpKind
from hydrascope.simulation.random_circuits.power import Feed
from hydrascope.simulation.random_circuits.sketch import Sketch

_PRESSURE = EdgeType.PRESSURE_LINE


def add_supply(
    sketch: Sketch, number: str, feed: Feed, valves: int, rng: np.random.Generator
) -> tuple[str, list[str]]:
    """Add filter, manifold and relief valve behind the pumps of a feed.

    Args:
        sketch: The machine.
        number: Of the feed, behind the names of its parts.
        feed: The pumps.
        valves: The number of valves that are fed.
        rng: The source of all choices.

    Returns:
        What feeds the valves, and the relief valves, which have no line to the tank yet.
    """
    flow, pumps = feed.flow_l_min, list(feed.pumps)
    hub = pumps[0]
    if len(pumps) == 1 and rng.random() < 0.25:
        hub = sketch.add(
            f"pressure_filter{number}", ComponentType.FILTER,
            flow_l_min=at_least(PREFERRED, 1.2 * flow), drop_bar=float(rng.uniform(0.5, 1.0)),
            bypass_bar=float(rng.uniform(5.0, 7.0)),
        )  # fmt: skip
        sketch.join(pumps[0], hub, _PRESSURE, flow, short=True)
    if len(pumps) > 1 or rng.random() < (0.25 if valves == 1 else 0.5):
        sources = pumps if len(pumps) > 1 else [hub]
        hub = sketch.add(f"manifold{number}", ComponentType.MANIFOLD)
        for source in sources:
            sketch.join(source, hub, _PRESSURE, flow / len(sources))
    fixed = feed.kind is PumpKind.FIXED
    if not fixed and rng.random() > 0.35:
        return hub, []
    # Before a filter, so that a clogged one does not keep the oil from it.
    guarded = pumps[0] if len(pumps) == 1 else hub
    relief = sketch.add(
        f"relief_valve{number}", ComponentType.RELIEF_VALVE,
        setting_bar=feed.pressure_bar * (1.0 if fixed else 1.1),
        flow_l_min=at_least(PREFERRED, flow),
        override_bar=feed.pressure_bar * float(rng.uniform(0.04, 0.1)),
    )  # fmt: skip
    sketch.join(guarded, relief, _PRESSURE, flow, short=True)
    return hub, [relief]


def add_accumulators(
    sketch: Sketch,
    number: str,
    feed: Feed,
    hub: str,
    valves: list[str],
    rng: np.random.Generator,
) -> None:
    """Add up to two accumulators: at a pump, at what feeds the valves, or at a valve."""
    places = {feed.pumps[0]: 0.35, hub: 0.35, valves[int(rng.integers(len(valves)))]: 0.3}
    count = int(rng.choice([0, 1, 2], p=[0.5, 0.4, 0.1]))
    odds = np.array(list(places.values()))
    chosen = rng.choice(len(places), min(count, len(places)), replace=False, p=odds / odds.sum())
    for at, place in enumerate(sorted(int(each) for each in chosen)):
        name = f"accumulator{number}" + ("" if at == 0 else "_b")
        seconds = float(np.exp(rng.uniform(np.log(0.4), np.log(5.0))))
        limit_bar = min([feed.pressure_bar, *_reduced_bar(sketch, list(places)[place])])
        sketch.add(
            name, ComponentType.ACCUMULATOR,
            volume_l=nearest(ACCUMULATORS_L, seconds * feed.flow_l_min / 60.0),
            precharge_bar=limit_bar * float(rng.uniform(0.4, 0.75)),
        )  # fmt: skip
        sketch.join(list(places)[place], name, _PRESSURE, feed.flow_l_min, short=True)


def _reduced_bar(sketch: Sketch, place: str) -> list[float]:
    """Return the setting of a reducing valve before a valve."""
    reducing = sketch.of_kind(ComponentType.REDUCING_VALVE)
    before = [each for each in sketch.sources(place) if each in reducing]
    return [sketch.nominal(each)["setting_bar"] for each in before]
