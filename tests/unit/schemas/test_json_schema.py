"""The JSON Schemas that editors read."""

import json
from typing import Any

import pytest

from hydrascope.schemas import ComponentType, EdgeType, json_schema


def definition(file: str, name: str) -> Any:
    return json.loads(json.dumps(json_schema(file)))["$defs"][name]


def test_a_schema_refuses_unknown_keys_and_names_the_required_ones() -> None:
    edge = definition("machine", "EdgeSpec")
    assert edge["additionalProperties"] is False
    required = {"source", "target", "kind", "diameter_mm", "length_m", "material"}
    assert set(edge["required"]) == required
    assert edge["properties"]["length_m"]["exclusiveMinimum"] == 0
    assert definition("machine", "EdgeType")["enum"] == [str(kind) for kind in EdgeType]


def test_a_schema_suggests_the_built_in_kinds_and_allows_declared_ones() -> None:
    built_in, declared = definition("machine", "ComponentSpec")["properties"]["kind"]["anyOf"]
    assert built_in["enum"] == [str(kind) for kind in ComponentType]
    assert declared["type"] == "string"


def test_a_task_file_has_a_schema_too() -> None:
    assert "ordinal" in definition("task", "HeadKind")["enum"]


@pytest.mark.parametrize("file", ["machine", "task"])
def test_a_schema_explains_every_key(file: str) -> None:
    schema: Any = json_schema(file)
    models = [schema, *(each for each in schema["$defs"].values() if "properties" in each)]
    assert len(models) > 3
    unexplained = [
        f"{model['title']}.{key}"
        for model in models
        for key, described in model["properties"].items()
        if not described.get("description")
    ]
    assert unexplained == []


def test_an_explanation_is_one_line_of_the_code() -> None:
    key = definition("machine", "EdgeSpec")["properties"]["bidirectional"]
    assert key["description"].startswith("Whether a change at the target also affects the source")
    assert "\n" not in key["description"]


def test_an_unknown_file_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no schema for 'sensor'; there are: machine, task"):
        json_schema("sensor")
