"""The completion of a machine file by estimates."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hydrascope.schemas import Machine, validate
from hydrascope.simulation.estimation.draft import Draft, Estimate, Rule
from hydrascope.simulation.estimation.lines import line_estimates
from hydrascope.simulation.estimation.parts import RULES
from hydrascope.simulation.estimation.sensors import usual_range
from hydrascope.simulation.estimation.usual import USUAL
from hydrascope.simulation.parameters import QUANTITIES

_RANGE = "usual range of such sensors"


class Completed(NamedTuple):
    """A machine with all the values that its file and the rules tell."""

    machine: Machine
    estimates: tuple[Estimate, ...]


def complete(machine: Machine) -> Completed:
    """Estimate what a machine file leaves out, from what it gives.

    What nothing tells stays missing. Values that are given do not change, whether or not they are
    accepted.
    """
    draft = Draft(machine)
    for kind, rules in RULES.items():
        for component in draft.of_kind(kind):
            for rule in rules:
                draft.apply(component, rule)
    _apply_usual(draft)
    data = machine.model_dump(mode="json")
    for component in data["topology"]["components"]:
        component["nominal"] = draft.completed()[component["id"]]
    lines = _complete_lines(draft, data["topology"]["edges"])
    ranges = _complete_ranges(draft, data["topology"]["components"])
    order = list(draft.kinds)
    parts = sorted(draft.estimates, key=lambda each: order.index(each.part))
    return Completed(validate(Machine, data), (*parts, *lines, *ranges))


def _apply_usual(draft: Draft) -> None:
    """Note the usual values of what is not given."""
    for component, kind in draft.kinds.items():
        for name, quantity in QUANTITIES.get(kind, {}).items():
            if name in USUAL and quantity.default is not None:
                default = quantity.default
                spread, source = USUAL[name]
                draft.apply(
                    component,
                    Rule(name, lambda *_, value=default: value, spread, "usual value", source),
                )


def _complete_lines(draft: Draft, edges: Sequence[dict[str, Any]]) -> list[Estimate]:
    estimates = []
    for edge, data in zip(draft.machine.topology.edges, edges, strict=True):
        for each in line_estimates(draft, edge):
            data[each.name] = each.value
            estimates.append(each)
    return estimates


def _complete_ranges(draft: Draft, components: Sequence[dict[str, Any]]) -> list[Estimate]:
    estimates = []
    for component, data in zip(draft.machine.topology.components, components, strict=True):
        for sensor, described in zip(component.sensors, data["sensors"], strict=True):
            if sensor.range is not None:
                continue
            if (found := usual_range(draft, component, sensor)) is not None:
                described["range"] = list(found)
                part = f"{component.id}.{sensor.id}"
                estimates.append(Estimate(part, "range", found[1], 0.0, "upper end", _RANGE))
    return estimates
