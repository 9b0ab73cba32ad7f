"""Pages of machine and task files, made of their JSON Schemas and of the kinds in the code."""

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from docsite.tables import code, prose, table
from hydrascope.schemas import (
    SENSOR_UNITS,
    ComponentType,
    EdgeType,
    Material,
    SensorKind,
    json_schema,
)
from hydrascope.schemas.json_schema import meanings
from hydrascope.schemas.task import HeadKind, HeadLevel
from hydrascope.schemas.units import same_quantity, to_canonical

Schema = Mapping[str, Any]
_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "greater than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "minLength": "at least {} character",
    "pattern": "like `{}`",
}

_MACHINE = """# Machine files

A machine file says who a machine is and how it is built; [here](../own_machine.md) is one.
`hydrascope machine FILE` checks a file and names every fault. `hydrascope schema machine >
machine.schema.json` gives your editor what stands on this page, so that it completes keys and marks
wrong ones. A key without a default has to be given.
"""
_TASK = """# Task files

A task file says what is predicted: heads that are learned together, what normal telemetry looks
like, or both. `conf/task/` has three. `hydrascope schema task > task.schema.json` gives your editor
what stands on this page. A key without a default has to be given.
"""
_DUTY = """# Duty files

A duty file says what a simulated machine does: a cycle of phases, and what differs from one
recording to the next. [Simulating your own machine](../simulating.md) has one. `hydrascope schema
duty > duty.schema.json` gives your editor what stands on this page. A key without a default has to
be given.
"""


def machine_page() -> str:
    """Return the page of machine files."""
    parts = [_MACHINE, *_models(json_schema("machine"))]
    parts += ["## Kinds of components", _DECLARED.format("components", "component_kinds")]
    parts += [_members(ComponentType), "## Kinds of lines", _members(EdgeType)]
    parts += ["## Materials of lines", _members(Material)]
    parts += ["## Kinds of sensors", _DECLARED.format("sensors", "sensor_kinds"), _SENSORS]
    units = [
        (code(kind), ", ".join(map(code, accepted))) for kind, accepted in SENSOR_UNITS.items()
    ]
    parts += [table(("kind", "units, the canonical one first"), units), "## Units", _UNITS]
    parts.append(table(("kind", "unit", "as the canonical one", "telemetry may hold"), _units()))
    return "\n\n".join(parts) + "\n"


def duty_page() -> str:
    """Return the page of duty files."""
    return "\n\n".join([_DUTY, *_models(json_schema("duty"))]) + "\n"


_DECLARED = "Further {} of other kinds are declared in the file itself (`topology.{}`)."
_SENSORS = "Features and physics are computed in the canonical unit of a kind."
_UNITS = """The table converts each unit to the canonical one of its kind. It also lists the units
that telemetry may declare. A dash means that the two measure different things: such a sensor is not
used where the canonical unit is needed. Factors are exact (NIST SP 811, 2008, appendix B.8).
"""


def task_page() -> str:
    """Return the page of task files."""
    parts = [_TASK, *_models(json_schema("task"))]
    parts += ["## Levels of heads", _members(HeadLevel), "## Kinds of heads", _members(HeadKind)]
    return "\n\n".join(parts) + "\n"


def _members(kinds: type[StrEnum]) -> str:
    said = meanings(kinds)
    if not said:
        return ", ".join(code(kind) for kind in kinds) + "."
    return table(
        ("kind", "meaning"), [(code(kind), prose(said.get(kind.name, ""))) for kind in kinds]
    )


def _units() -> Iterator[tuple[str, str, str, str]]:
    for kind, accepted in SENSOR_UNITS.items():
        for unit in accepted:
            become = to_canonical(kind, unit)
            formula = "–"
            if become is not None:
                shift = f" {become.offset:+.10g}" if become.offset else ""
                formula = f"× {become.scale:.10g}{shift}"
            others = ", ".join(map(code, same_quantity(unit))) or "–"
            yield code(kind), code(unit), formula, others


def _models(schema: Schema) -> Iterator[str]:
    """Yield a section for each model of a schema, that of the whole file first."""
    met = [schema]
    for model in met:
        for name in re.findall(r"#/\$defs/(\w+)", json.dumps(model["properties"])):
            part = schema["$defs"][name]
            if "properties" in part and part not in met:
                met.append(part)
    for model in met:
        yield f"## {model['title']}"
        yield prose(model["description"])
        yield table(("key", "what is accepted", "default", "meaning"), _keys(model))


def _keys(model: Schema) -> Iterator[tuple[str, str, str, str]]:
    for key, described in model["properties"].items():
        given = "" if key in model.get("required", ()) else _default(described)
        yield code(key), accepted(described), given, prose(described.get("description", ""))


def _default(described: Schema) -> str:
    """Return a key's default; of collections the schema leaves an empty one out."""
    empty: object = {} if described.get("type") == "object" else None
    return code(json.dumps(described.get("default", empty)))


def accepted(described: Schema) -> str:
    """Return what a value may be, in words."""
    if "$ref" in described:
        name = described["$ref"].rpartition("/")[2]
        return f"[{name}](#{_SECTIONS.get(name, name.lower())})"
    if "anyOf" in described:
        return " or ".join(accepted(each) for each in described["anyOf"])
    if "const" in described:
        return code(json.dumps(described["const"]))
    if "prefixItems" in described:
        return f"[{', '.join(map(accepted, described['prefixItems']))}]"
    if section := _BUILT_IN.get(tuple(described.get("enum", ()))):
        return f"[a built-in kind](#{section})"
    if "enum" in described:
        return ", ".join(code(each) for each in described["enum"])
    limits = [
        said.format(described[limit]) for limit, said in _LIMITS.items() if limit in described
    ]
    return ", ".join([_type(described), *limits])


_BUILT_IN = {
    tuple(ComponentType): "kinds-of-components",
    tuple(SensorKind): "kinds-of-sensors",
}
_SECTIONS = {
    "EdgeType": "kinds-of-lines",
    "Material": "materials-of-lines",
    "HeadKind": "kinds-of-heads",
    "HeadLevel": "levels-of-heads",
}


def _type(described: Schema) -> str:
    if "items" in described:
        return f"list of: {accepted(described['items'])}"
    if "patternProperties" in described:
        (values,) = described["patternProperties"].values()
        return f"table of: {accepted(values)}"
    if "additionalProperties" in described:
        return f"table of: {accepted(described['additionalProperties'])}"
    kind = str(described.get("format", described["type"]))
    return "text" if kind == "string" else kind
