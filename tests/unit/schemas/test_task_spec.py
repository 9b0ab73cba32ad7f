"""Tasks and heads as data."""

from typing import Any

import pytest

from hydrascope.schemas import HeadSpec, SpecError, TaskSpec, validate

GRADES = [
    {"value": value, "name": name} for value, name in [(90, "low"), (115, "mid"), (130, "ok")]
]


def head(**fields: Any) -> HeadSpec:
    return validate(HeadSpec, {"name": "wear", "level": "machine", **fields})


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"kind": "regression"}, 1),
        ({"kind": "binary"}, 1),
        ({"kind": "multi_label", "labels": ["leakage", "cavitation"]}, 2),
        ({"kind": "multi_class", "classes": GRADES}, 3),
        ({"kind": "ordinal", "classes": GRADES}, 2),
    ],
)
def test_the_kind_decides_the_number_of_outputs(fields: dict[str, Any], size: int) -> None:
    assert head(**fields).size == size


def test_a_head_reads_the_column_of_its_label_else_of_its_name() -> None:
    assert head(kind="binary").columns == ("wear",)
    assert head(kind="binary", label="worn").columns == ("worn",)
    assert head(kind="multi_label", labels=["a", "b"]).columns == ("a", "b")


@pytest.mark.parametrize(
    ("fields", "path", "remedy"),
    [
        ({"kind": "ordinal"}, "classes", "at least two classes"),
        ({"kind": "multi_class", "classes": GRADES[:1]}, "classes", "at least two classes"),
        ({"kind": "multi_class", "classes": [*GRADES, GRADES[0]]}, "classes", "distinct values"),
        (
            {"kind": "multi_class", "classes": [*GRADES, {"value": 1, "name": "low"}]},
            "classes",
            "distinct names",
        ),
        ({"kind": "binary", "classes": GRADES}, "classes", "has no classes"),
        ({"kind": "multi_label"}, "labels", "at least one label"),
        ({"kind": "multi_label", "labels": ["a", "a"]}, "labels", "distinct labels"),
        ({"kind": "multi_label", "labels": ["a"], "label": "b"}, "label", "leave it out"),
        ({"kind": "binary", "labels": ["a"]}, "labels", "has no labels"),
        ({"kind": "binary", "components": ["pump"]}, "components", "has no components"),
        ({"kind": "binary", "level": "component", "components": []}, "components", "at least 1"),
        (
            {"kind": "binary", "level": "component", "components": ["a", "a"]},
            "components",
            "distinct component ids",
        ),
        ({"kind": "binary", "weight": 0}, "weight", "greater than 0"),
        ({"kind": "ordnal"}, "kind", "did you mean 'ordinal'?"),
        ({"kind": "binary", "wieght": 2}, "wieght", "did you mean 'weight'?"),
    ],
)
def test_a_head_that_contradicts_itself_is_refused(
    fields: dict[str, Any], path: str, remedy: str
) -> None:
    with pytest.raises(SpecError) as error:
        head(**fields)
    assert str(error.value).startswith(f"HeadSpec: {path}: ")
    assert remedy in str(error.value)


def test_a_task_needs_heads_of_distinct_names() -> None:
    wear = {"name": "wear", "level": "machine", "kind": "binary"}
    assert len(validate(TaskSpec, {"name": "t", "heads": [wear]}).heads) == 1
    with pytest.raises(SpecError, match=r"heads: .* repeated: wear"):
        validate(TaskSpec, {"name": "t", "heads": [wear, wear]})
    with pytest.raises(SpecError, match=r"heads: .* at least one head, or normality"):
        validate(TaskSpec, {"name": "t", "heads": []})


def test_faults_in_several_heads_are_reported_together() -> None:
    heads = [
        {"name": "a", "level": "machine", "kind": "ordinal"},
        {"name": "b", "level": "mashine", "kind": "binary"},
    ]
    with pytest.raises(SpecError) as error:
        validate(TaskSpec, {"name": "t", "heads": heads}, "conf/task/t.yaml")
    first, second = str(error.value).splitlines()[1:]
    assert first.startswith("  heads[0].classes: ")
    assert second.startswith("  heads[1].level: 'mashine' ")
