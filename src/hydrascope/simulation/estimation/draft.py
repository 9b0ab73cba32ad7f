"""A machine file that is being completed, with the estimates so far."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

from hydrascope.schemas import ComponentType, Machine
from hydrascope.simulation.parameters import ACTUATORS, HINTS, QUANTITIES, VALVES

SHARE_OF_LIMIT = 0.85
"""The pressure at full load as a share of the highest one: the rest is lost in valves and lines."""


class Estimate(NamedTuple):
    """A value that a file leaves out, as estimated."""

    part: str
    """The component, the sensor as `<component>.<sensor>`, or the line as `<source> → <target>`."""
    name: str
    """The nominal value, with its unit."""
    value: float
    spread: float
    """The standard deviation of its logarithm, about its relative one; 0 for what is no physical
    value, such as the range of a sensor."""
    rule: str
    source: str
    """What the rule is taken from: a standard, a textbook, data sheets or a usual value."""


class Rule(NamedTuple):
    """A rule by which a nominal value of a component is estimated."""

    name: str
    of: Callable[["Draft", str], float | None]
    """The value for a component; None: what is given does not tell it."""
    spread: float
    rule: str
    source: str


class Draft:
    """A machine that is being completed.

    Args:
        machine: As the file has it.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.estimates: list[Estimate] = []
        self.kinds = {each.id: each.kind for each in machine.topology.components}
        self._values = {each.id: dict(each.nominal) for each in machine.topology.components}

    def value(self, component: str, name: str) -> float | None:
        """Return a value that is given, unless it is not accepted, or has been estimated."""
        value = self._values[component].get(name)
        kind = self.kinds[component]
        known = {**QUANTITIES.get(kind, {}), **HINTS.get(kind, {})}
        accepted = value is not None and known[name].low <= value <= known[name].high
        return value if accepted else None

    def or_default(self, component: str, name: str) -> float:
        """Return a value that is given or has been estimated, else the default."""
        value = self.value(component, name)
        default = QUANTITIES[self.kinds[component]][name].default
        if value is not None:
            return value
        assert default is not None
        return default

    def apply(self, component: str, rule: Rule) -> None:
        """Estimate a value by a rule, unless it is given or cannot be told."""
        if rule.name in self._values[component]:
            return
        value = rule.of(self, component)
        if value is not None and math.isfinite(value):
            self._values[component][rule.name] = value
            self.add(component, rule, value)

    def add(self, part: str, rule: Rule, value: float) -> None:
        """Add an estimate."""
        self.estimates.append(Estimate(part, rule.name, value, rule.spread, rule.rule, rule.source))

    def of_kind(self, *kinds: str) -> list[str]:
        """Return the components of some kinds."""
        return [name for name, kind in self.kinds.items() if kind in kinds]

    @cached_property
    def oil_pumps(self) -> list[str]:
        """The pumps that deliver oil."""
        return [pump for pump in self.of_kind(ComponentType.PUMP) if not self.value(pump, "water")]

    @cached_property
    def relief_bar(self) -> float | None:
        """The lowest setting that is given of a relief valve."""
        settings = [self.value(each, "setting_bar")
                    for each in self.of_kind(ComponentType.RELIEF_VALVE)]  # fmt: skip
        settings += [self.value(each, "relief_bar") for each in self.of_kind(*VALVES)]
        return min((each for each in settings if each is not None), default=None)

    @cached_property
    def limit_bar(self) -> float | None:
        """The highest pressure: as given for the machine, else its lowest limit, else by loads."""
        if (given := self.machine.equipment.nominal.get("pressure_bar")) is not None:
            return given
        cutoffs = [self.value(pump, "cutoff_bar") for pump in self.oil_pumps]
        limits = [each for each in (self.relief_bar, *cutoffs) if each is not None]
        if limits:
            return min(limits)
        works = [each for name in self.kinds if (each := _work_bar(self, name)) is not None]
        return max(works) / SHARE_OF_LIMIT if works else None

    @property
    def fixed(self) -> bool:
        """Whether pumps without a cut-off have fixed displacement: a relief valve limits them."""
        relief_valves = self.of_kind(ComponentType.RELIEF_VALVE)
        return bool(relief_valves) or self.relief_bar is not None

    def flow_l_min(self, pump: str) -> float | None:
        """Return the theoretical flow of a pump."""
        size, speed = self.value(pump, "displacement_cm3"), self.value(pump, "speed_rpm")
        return size * speed / 1e3 if size is not None and speed is not None else None

    @property
    def oil_flow_l_min(self) -> float | None:
        """The theoretical flow of all pumps of oil."""
        flows = [self.flow_l_min(pump) for pump in self.oil_pumps]
        known = [flow for flow in flows if flow is not None]
        return sum(known) if known and len(known) == len(flows) else None

    def completed(self) -> dict[str, dict[str, float]]:
        """Return the nominal values of each component, given and estimated."""
        return self._values


def area_m2(draft: Draft, cylinder: str) -> float | None:
    """Return the piston area of a cylinder, of all that work in parallel."""
    bore = draft.value(cylinder, "bore_mm")
    count = draft.or_default(cylinder, "count")
    return count * math.pi / 4.0 * (1e-3 * bore) ** 2 if bore is not None else None


def _work_bar(draft: Draft, actuator: str) -> float | None:
    """Return the pressure at full load that is given for an actuator, or follows from its force."""
    if draft.kinds[actuator] not in ACTUATORS:
        return None
    if (given := draft.value(actuator, "work_bar")) is not None:
        return given
    turns = draft.kinds[actuator] == ComponentType.HYDRAULIC_MOTOR
    return None if turns else force_bar(draft, actuator)


def force_bar(draft: Draft, cylinder: str) -> float | None:
    """Return the pressure at which a cylinder has its force."""
    force, area = draft.value(cylinder, "force_kn"), area_m2(draft, cylinder)
    return 1e3 * force / area / 1e5 if force is not None and area is not None else None
