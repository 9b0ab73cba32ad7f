"""The JSON Schemas that editors read."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hydrascope.schemas import ComponentType, EdgeType, json_schema


def definition(file: str, name: str) -> Any:
    return json.loads(json.dumps(json_schema(file)))["$defs"][name]


def test_a_schema_refuses_unknown_keys_and_names_the_required_ones() -> None:
    edge = definition("machine", "EdgeSpec")
    assert edge["additionalProperties"] is False
    assert set(edge["required"]) == {"source", "target", "kind"}
    length, _ = edge["properties"]["length_m"]["anyOf"]
    assert length["exclusiveMinimum"] == 0
    assert definition("machine", "EdgeType")["enum"] == [str(kind) for kind in EdgeType]


def test_a_schema_lets_the_sizes_of_a_line_be_unknown() -> None:
    schema: Any = json_schema("machine")
    ends = {"source": "a", "target": "b"}
    edge = Draft202012Validator({"$defs": schema["$defs"], "$ref": "#/$defs/EdgeSpec"})
    assert edge.is_valid({**ends, "kind": "link"})
    assert edge.is_valid({**ends, "kind": "drain_line"})
    assert not edge.is_valid({**ends, "kind": "drain_line", "length_m": -1})


def test_a_machine_file_may_name_one_machine_or_several() -> None:
    schema: Any = json_schema("machine")
    file = Draft202012Validator(schema)
    topology = {"id": "engine", "components": [{"id": "fan", "kind": "pump"}]}
    for ids in ({"equipment_id": "a"}, {"equipment_ids": ["engine_{1..9}", "b"]}):
        assert file.is_valid({"equipment": {"name": "Engine", **ids}, "topology": topology})
    assert not file.is_valid({"equipment": {"name": "Engine"}, "topology": topology})


def test_a_schema_suggests_the_built_in_kinds_and_allows_declared_ones() -> None:
    built_in, declared = definition("machine", "ComponentSpec")["properties"]["kind"]["anyOf"]
    assert built_in["enum"] == [str(kind) for kind in ComponentType]
    assert declared["type"] == "string"


def test_a_task_file_has_a_schema_too() -> None:
    assert "ordinal" in definition("task", "HeadKind")["enum"]


@pytest.mark.parametrize("file", ["machine", "task", "duty"])
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
    with pytest.raises(ValueError, match="no schema for 'sensor'; there are: machine, task, duty"):
        json_schema("sensor")
