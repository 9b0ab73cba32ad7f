"""Sensors of a random circuit, from the few of a simple machine to the many of a test rig."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import ComponentType, SensorKind
from hydrascope.simulation.estimation.series import GAUGES_BAR, PREFERRED, at_least
from hydrascope.simulation.parameters import ACTUATORS, DRIVES, VALVES
from hydrascope.simulation.random_circuits.power import Feed
from hydrascope.simulation.random_circuits.sketch import Sketch

_SLOW_HZ = 1.0
_FAST_HZ = (10.0, 5.0, 2.0, 1.0)
_FAST_SHARES = (0.6, 0.15, 0.1, 0.15)
"""The rates of a machine's recorder, for what changes fast."""
_SPREAD = 0.25
"""How far the richness of machines with a certain sensor spreads, see `Place.rarity`."""


class Place(NamedTuple):
    """A sensor that a machine may have."""

    rarity: float
    """0 for what nearly all machines have, 1 for what only a test rig has."""
    component: str
    name: str
    """Its id, behind the component's."""
    kind: SensorKind
    unit: str
    high: float
    """The upper end of its range."""
    low: float = 0.0
    position: str | None = None
    slow: bool = False


def add_sensors(
    sketch: Sketch, feeds: Sequence[Feed], limit_bar: float, rng: np.random.Generator
) -> None:
    """Add sensors; how many depends on how rich the machine is in them, which is drawn, too.

    Args:
        sketch: The machine; its lines and components do not change.
        feeds: The pumps of its valves.
        limit_bar: The highest pressure.
        rng: The source of all choices.
    """
    richness = float(rng.uniform())
    rate_hz = float(rng.choice(_FAST_HZ, p=_FAST_SHARES))
    for place in _places(sketch, feeds, limit_bar):
        chance = float(np.clip((richness + _SPREAD - place.rarity) / (2.0 * _SPREAD), 0.0, 1.0))
        if place.rarity > 0.0 and rng.random() >= chance:
            continue
        name = f"{place.component}_{place.name}"
        sensor = {"id": name, "kind": place.kind, "unit": place.unit,
                  "rate_hz": _SLOW_HZ if place.slow else rate_hz,
                  "range": (place.low, place.high)}  # fmt: skip
        sketch.add_sensor(place.component, sensor | (
            {} if place.position is None else {"position": place.position}
        ))  # fmt: skip


def _places(sketch: Sketch, feeds: Sequence[Feed], limit_bar: float) -> Iterator[Place]:
    high = at_least(GAUGES_BAR, 1.5 * limit_bar)
    for number, pump in enumerate(each for feed in feeds for each in feed.pumps):
        yield _pressure(0.0 if number == 0 else 0.25, pump, "outlet", high)
    yield _temperature(0.0, "tank", "oil_temperature", None)
    yield Place(0.75, "tank", "oil_viscosity", SensorKind.VISCOSITY, "mm2/s", 500.0, slow=True)
    total = sum(feed.flow_l_min for feed in feeds)
    for pump in sketch.of_kind(ComponentType.PUMP):
        yield from _of_pump(sketch, pump)
    for drive in sketch.of_kind(*DRIVES):
        power_kw = at_least(PREFERRED, 2.0 * sketch.nominal(drive)["power_kw"])
        yield Place(0.45, drive, "power", SensorKind.POWER, "kW", power_kw)
        yield Place(0.65, drive, "speed", SensorKind.SPEED, "rpm", 4_000.0, slow=True)
    for valve in sketch.of_kind(*VALVES):
        yield _pressure(0.5, valve, "supply", high)
        yield _pressure(0.9, valve, "return", 60.0)
        for actuator in _moved(sketch, valve):
            yield Place(0.4, valve, f"command_{actuator}", SensorKind.CONTROL_SIGNAL, "%",
                        100.0, -100.0, actuator)  # fmt: skip
    for actuator in sketch.of_kind(*ACTUATORS):
        yield from _of_actuator(sketch, actuator, high)
    for name in sketch.of_kind(ComponentType.FILTER):
        yield Place(0.3, name, "drop", SensorKind.PRESSURE, "bar", 10.0, -1.0, "drop")
        yield Place(0.85, name, "flow", SensorKind.FLOW, "l/min", at_least(PREFERRED, 2.0 * total))
    for name in sketch.of_kind(ComponentType.COOLER):
        for rarity, place in ((0.45, "inlet"), (0.55, "outlet"), (0.6, "coolant")):
            yield _temperature(rarity, name, f"{place}_temperature", place)
    for name in sketch.of_kind(ComponentType.ACCUMULATOR, ComponentType.REDUCING_VALVE):
        yield _pressure(0.45, name, "outlet", high)
    for name in sketch.of_kind(ComponentType.RELIEF_VALVE, ComponentType.FLOW_CONTROL_VALVE):
        yield Place(0.9, name, "flow", SensorKind.FLOW, "l/min", at_least(PREFERRED, 1.3 * total))


def _of_pump(sketch: Sketch, pump: str) -> Iterator[Place]:
    values = sketch.nominal(pump)
    flow = values["displacement_cm3"] * values["speed_rpm"] / 1e3
    if pump == "loop_pump":
        yield _pressure(0.5, pump, "outlet", 40.0)
    yield Place(0.3, pump, "flow", SensorKind.FLOW, "l/min", at_least(PREFERRED, 1.3 * flow),
                position="outlet")  # fmt: skip
    yield Place(0.7, pump, "drain_flow", SensorKind.FLOW, "l/min",
                at_least(PREFERRED, 0.25 * flow), position="drain")  # fmt: skip
    yield Place(0.5, pump, "vibration", SensorKind.VIBRATION, "mm/s", 60.0)
    if "cutoff_bar" in values and pump != "loop_pump":
        yield Place(0.55, pump, "pressure_setting", SensorKind.CONTROL_SIGNAL, "%", 120.0,
                    slow=True)  # fmt: skip


def _of_actuator(sketch: Sketch, actuator: str, high: float) -> Iterator[Place]:
    yield _pressure(0.55, actuator, "a", high)
    yield _pressure(0.75, actuator, "b", high)
    values = sketch.nominal(actuator)
    if "stroke_mm" in values:
        stroke = values["stroke_mm"]
        yield Place(0.35, actuator, "position", SensorKind.POSITION, "mm", 1.05 * stroke,
                    -0.05 * stroke)  # fmt: skip


def _moved(sketch: Sketch, valve: str) -> list[str]:
    return [each for each in sketch.targets(valve) if sketch.kind(each) in ACTUATORS]


def _pressure(rarity: float, component: str, position: str, high: float) -> Place:
    name = "pressure" if position in ("outlet", "supply") else f"pressure_{position}"
    return Place(rarity, component, name, SensorKind.PRESSURE, "bar", high, -1.0, position)


def _temperature(rarity: float, component: str, name: str, position: str | None) -> Place:
    return Place(rarity, component, name, SensorKind.TEMPERATURE, "degC", 150.0, -40.0, position,
                 slow=True)  # fmt: skip
