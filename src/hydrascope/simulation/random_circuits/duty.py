"""Duties of random circuits: movements one by one or at once, holds, pauses, settings, weather."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hydrascope.schemas import validate
from hydrascope.schemas.duty import DutyCycle
from hydrascope.simulation.random_circuits.actuators import Actuator
from hydrascope.simulation.random_circuits.plan import Plan, PumpKind
from hydrascope.simulation.random_circuits.power import Feed

_WEATHER = {"hall": (22.0, 5.0), "outdoors": (13.0, 9.0), "foundry": (32.0, 5.0),
            "cold store": (6.0, 3.0)}  # fmt: skip
"""Mean and deviation of the temperature of air and coolant."""
_LONGEST_S = 75.0
"""The longest nominal cycle, so that a recording of two minutes holds a whole one."""


class Moved(NamedTuple):
    """An actuator and the pumps that move it."""

    actuator: Actuator
    feed: Feed


def draw_duty(plan: Plan, moved: Sequence[Moved], name: str, rng: np.random.Generator) -> DutyCycle:
    """Draw the duty of a circuit.

    Args:
        plan: What the circuit is.
        moved: Its actuators.
        name: The circuit's name, for messages.
        rng: The source of all choices.
    """
    commands = _Commands(plan, moved, rng)
    phases: list[dict[str, Any]] = []
    together = float(rng.choice([0.0, 0.5, 0.9]))  # how often the next one moves at once, too
    groups = _groups([moved[int(each)] for each in rng.permutation(len(moved))], together, rng)
    one_by_one = bool(rng.random() < 0.5)
    for group in groups:
        phases += _work(group, commands, rng)
        if one_by_one:
            phases.append(_back(group, commands, rng))
    if not one_by_one:
        phases.append(_back(moved, commands, rng))
    if rng.random() < 0.5:
        wait_s = float(rng.uniform(1.0, 8.0))
        phases.append({"name": "wait", "duration_s": wait_s} | commands.idle)
    total_s = sum(each["duration_s"] for each in phases)
    for phase in phases:
        phase["duration_s"] = round(phase["duration_s"] * min(1.0, _LONGEST_S / total_s), 1)
    duty = {
        "initial": {each.actuator.name: 0.0 if each.actuator.opens else
                    round(each.actuator.travel[0], 3) for each in moved},
        "open_loop": [each.actuator.name for each in moved if each.actuator.opens],
        "phases": phases,
        "setting": _setting(plan, rng),
        "weather": _weather(plan, rng),
    }  # fmt: skip
    if rng.random() < 0.5:
        duty["pause"] = {"every_cycles": int(rng.integers(3, 40)),
                         "duration_s": round(float(rng.uniform(5.0, 60.0)), 1)}  # fmt: skip
    return validate(DutyCycle, duty, name)


class _Commands:
    """What a controller asks of the pumps while they work, and while nothing moves."""

    def __init__(self, plan: Plan, moved: Sequence[Moved], rng: np.random.Generator) -> None:
        self.work: dict[str, Any] = {}
        self.idle: dict[str, Any] = {}
        compensated = [pump for feed in {each.feed for each in moved} for pump in feed.pumps
                       if feed.kind is not PumpKind.FIXED]  # fmt: skip
        pumps = [pump for feed in {each.feed for each in moved} for pump in feed.pumps]
        idle: dict[str, dict[str, float]] = {}
        if plan.variable_speed:
            speed = round(float(rng.uniform(0.25, 0.6)), 2)
            idle = {pump: {"speed": speed} for pump in sorted(pumps)}
        elif compensated and rng.random() < 0.25:
            pressure = round(float(rng.uniform(0.4, 0.8)), 2)
            idle = {pump: {"pressure": pressure} for pump in sorted(compensated)}
        if idle:
            self.idle = {"pumps": idle}
            self.work = {"pumps": {pump: dict.fromkeys(each, 1.0) for pump, each in idle.items()}}


def _groups(moved: Sequence[Moved], together: float, rng: np.random.Generator) -> list[list[Moved]]:
    """Divide actuators into those that move at the same time."""
    groups: list[list[Moved]] = []
    for each in moved:
        if groups and len(groups[-1]) < 4 and rng.random() < together:
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def _work(
    group: Sequence[Moved], commands: _Commands, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return the phases in which actuators move out, with their loads, and may hold them."""
    to, hold, process = {}, {}, {}
    for name, (_, end), opens in (each.actuator[:1] + each.actuator[3:] for each in group):
        if opens:
            hold[name] = round(end, 2)
        else:
            to[name] = round(end, 3)
        if rng.random() < 0.8:
            process[name] = round(float(rng.uniform(0.3, 1.0)), 2)
    phases: list[dict[str, Any]] = [
        {"name": "move", "duration_s": _seconds(group, rng), "to": to, "hold": hold,
         "process": process} | commands.work
    ]  # fmt: skip
    if rng.random() < 0.5:
        seconds = float(rng.uniform(0.5, 4.0))
        # A turning motor needs its pump.
        pumps = commands.work if hold else commands.idle
        phases.append({"name": "hold", "duration_s": seconds, "process": process} | pumps)
    return phases


def _back(group: Sequence[Moved], commands: _Commands, rng: np.random.Generator) -> dict[str, Any]:
    """Return the phase in which actuators go back to where they were."""
    to = {each.actuator.name: round(each.actuator.travel[0], 3) for each in group
          if not each.actuator.opens}  # fmt: skip
    hold = {each.actuator.name: 0.0 for each in group if each.actuator.opens}
    return {"name": "back", "duration_s": _seconds(group, rng), "to": to,
            "hold": hold} | commands.work  # fmt: skip


def _seconds(group: Sequence[Moved], rng: np.random.Generator) -> float:
    """Return the time of a movement: the longest of the group, or longer if flow is short."""
    longest = 0.8
    needed: dict[Feed, float] = {}
    for actuator, feed in group:
        low, high = actuator.travel
        share = 1.0 if actuator.opens or high > 1.0 else abs(high - low)
        longest = max(longest, share * actuator.seconds)
        needed[feed] = needed.get(feed, 0.0) + actuator.flow_l_min
    short = max(flow / feed.flow_l_min for feed, flow in needed.items())
    return longest * max(1.0, short) * float(rng.uniform(1.1, 1.8))


def _setting(plan: Plan, rng: np.random.Generator) -> Mapping[str, tuple[float, float]]:
    def down_to(low: float) -> tuple[float, float]:
        return round(float(rng.uniform(low, 0.9)), 2), 1.0

    setting = {"reach": down_to(0.6)}
    if all(pump.kind is not PumpKind.FIXED for pump in plan.pumps):
        setting["pressure"] = down_to(0.6)
    if plan.mobile or plan.variable_speed:
        setting["speed"] = down_to(0.6)
    return setting


def _weather(plan: Plan, rng: np.random.Generator) -> dict[str, float]:
    places = ["outdoors"] if plan.mobile else ["hall", "hall", "foundry", "cold store"]
    mean, deviation = _WEATHER[str(rng.choice(places))]
    return {"mean_c": mean, "deviation_c": deviation}
