"""Checks of a topology across fields: kinds, unique ids and connections.

They use the plain data as far as it is readable, so their faults are reported together with those
of single fields.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic_core import InitErrorDetails

from hydrascope.schemas.errors import Location, closest, dotted, inconsistency
from hydrascope.schemas.kinds import SENSOR_UNITS, ComponentType, SensorKind


class _Entry(NamedTuple):
    """A readable item of a list and its location."""

    location: Location
    value: object

    def field(self, name: str) -> object:
        if isinstance(self.value, Mapping):
            return self.value.get(name)
        return getattr(self.value, name, None)

    def items(self, name: str) -> "list[_Entry]":
        items = self.field(name)
        if not isinstance(items, (list, tuple)):
            return []
        return [_Entry((*self.location, name, i), item) for i, item in enumerate(items)]

    def fault(self, name: str, message: str) -> InitErrorDetails:
        return inconsistency((*self.location, name), self.field(name), message)


def find_inconsistencies(topology: Mapping[str, object]) -> list[InitErrorDetails]:
    """Return all inconsistencies of a topology's plain data, with locations relative to it."""
    whole = _Entry((), topology)
    components = whole.items("components")
    sensors = [sensor for component in components for sensor in component.items("sensors")]
    edges = whole.items("edges")
    faults = [
        *_unknown_kinds(whole, components, sensors),
        *_repeated_ids(components),
        *_repeated_ids(sensors),
    ]
    ids = [component.field("id") for component in components]
    if all(isinstance(each, str) for each in ids):  # otherwise, correct edges would be refused
        wrong_ends = list(_wrong_ends(edges, [str(each) for each in ids]))
        faults += wrong_ends or _islands(components, edges)
    return faults


def _unknown_kinds(
    whole: _Entry, components: Sequence[_Entry], sensors: Sequence[_Entry]
) -> Iterator[InitErrorDetails]:
    component_kinds = whole.items("component_kinds")
    for each in component_kinds:
        if each.value in list(ComponentType):
            yield inconsistency(each.location, each.value, "this kind is already built in")
    known = [*ComponentType, *(str(each.value) for each in component_kinds)]
    yield from _undeclared(components, known, "component_kinds")

    declared = whole.field("sensor_kinds")
    units_of: Mapping[str, object] = declared if isinstance(declared, Mapping) else {}
    for name in units_of:
        if name in SENSOR_UNITS:
            yield inconsistency(("sensor_kinds", name), name, "this kind is already built in")
    yield from _undeclared(sensors, [*SensorKind, *map(str, units_of)], "sensor_kinds")
    for sensor in sensors:
        kind, unit = sensor.field("kind"), sensor.field("unit")
        if not isinstance(kind, str) or not isinstance(unit, str) or kind in SENSOR_UNITS:
            continue  # a fault of the field, or checked by the sensor
        units = units_of.get(kind)
        if isinstance(units, (list, tuple)) and unit not in units:
            yield sensor.fault("unit", f"a {kind} sensor accepts: {', '.join(map(str, units))}")


def _undeclared(
    entries: Sequence[_Entry], known: Sequence[str], declared_under: str
) -> Iterator[InitErrorDetails]:
    for entry in entries:
        kind = entry.field("kind")
        if isinstance(kind, str) and kind not in known:
            message = f"expected {', '.join(known)}, or a kind declared under {declared_under}"
            yield entry.fault("kind", message + closest(kind, known))


def _repeated_ids(entries: Sequence[_Entry]) -> Iterator[InitErrorDetails]:
    first: dict[str, _Entry] = {}
    for entry in entries:
        identifier = entry.field("id")
        if not isinstance(identifier, str):
            continue
        if identifier in first:
            taken = dotted(first[identifier].location)
            yield entry.fault("id", f"expected a unique id, but {taken} has it already")
        first.setdefault(identifier, entry)


def _wrong_ends(edges: Sequence[_Entry], ids: Sequence[str]) -> Iterator[InitErrorDetails]:
    for edge in edges:
        for name in ("source", "target"):
            end = edge.field(name)
            if isinstance(end, str) and end not in ids:
                message = f"expected the id of a component: {', '.join(dict.fromkeys(ids))}"
                yield edge.fault(name, message + closest(end, ids))
        if isinstance(edge.field("source"), str) and edge.field("source") == edge.field("target"):
            yield edge.fault("target", "expected another component than the source")


def _islands(components: Sequence[_Entry], edges: Sequence[_Entry]) -> Iterator[InitErrorDetails]:
    """Yield a fault for each part that is not connected to the largest part."""
    part = {str(component.field("id")): {str(component.field("id"))} for component in components}
    for edge in edges:
        source, target = part.get(str(edge.field("source"))), part.get(str(edge.field("target")))
        if source is None or target is None:
            return  # an end is missing, so the parts are unknown
        joined = source | target
        part.update(dict.fromkeys(joined, joined))

    largest = max(part.values(), key=len, default=set())
    named: set[str] = set()
    for component in components:
        identifier = str(component.field("id"))
        if identifier in largest or identifier in named:
            continue
        island = part[identifier]
        named |= island
        others = "".join(f" and {other}" for other in sorted(island - {identifier}))
        yield component.fault("id", f"expected a line that joins it{others} to the rest")


def strange_aliases(
    aliases: Mapping[str, Sequence[str]], ids: Sequence[str]
) -> Iterator[InitErrorDetails]:
    """Yield the faults of a machine's aliases, located relative to the machine.

    Args:
        aliases: Further names of sensors, by sensor id.
        ids: Of all sensors.
    """
    owner = dict(zip(ids, ids, strict=True))
    for sensor_id, names in aliases.items():
        where = ("equipment", "aliases", sensor_id)
        if sensor_id not in ids:
            message = f"expected the id of a sensor: {', '.join(ids)}{closest(sensor_id, ids)}"
            yield inconsistency(where, sensor_id, message)
        for number, name in enumerate(names):
            if owner.setdefault(name, sensor_id) != sensor_id:
                message = f"expected one sensor for each name, but {owner[name]!r} has it already"
                yield inconsistency((*where, number), name, message)
