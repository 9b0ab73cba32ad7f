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
        ({"kind": "regression", "labels": ["leakage", "cavitation"]}, 2),
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
        ({"kind": "regression", "labels": ["a"], "label": "b"}, "labels", "leave one of them out"),
        (
            {"kind": "regression", "labels": ["a"], "quantiles": [0.5]},
            "quantiles",
            "leave one of them out",
        ),
        ({"kind": "binary", "scale": "log"}, "scale", "only a regression has scale"),
        ({"kind": "binary", "cap": 125}, "cap", "only a regression has cap"),
        ({"kind": "regression", "cap": 0}, "cap", "greater than 0"),
        ({"kind": "binary", "metrics": ["m.phm08"]}, "metrics", "only a regression has metrics"),
        ({"kind": "regression", "metrics": ["phm08"]}, "metrics", "import paths of functions"),
        ({"kind": "regression", "metrics": ["a.f", "b.f"]}, "metrics", "of distinct names"),
        ({"kind": "regression", "metrics": ["m.rmse"]}, "metrics", "other than mae, rmse"),
        ({"kind": "binary", "level": "component", "evidence": "a"}, "evidence", "machine-level"),
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


LEAKS = {"name": "leaks", "level": "component", "kind": "multi_label", "labels": ["a", "b"]}
WORN = {"name": "worn", "level": "component", "kind": "regression", "label": "health"}
SPREAD = {"name": "spread", "level": "component", "kind": "regression", "quantiles": [0.5]}
BROKEN = {"name": "broken", "level": "component", "kind": "binary"}
GRADED = {"name": "graded", "level": "component", "kind": "ordinal", "classes": GRADES}
WEAR = {"name": "wear", "level": "component", "kind": "regression"}


def of_evidence(**fields: Any) -> TaskSpec:
    machine = {"name": "machine", "level": "machine", **fields}
    heads = [machine, LEAKS, WORN, SPREAD, BROKEN, GRADED, WEAR]
    return validate(TaskSpec, {"name": "t", "heads": heads})


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "multi_label", "labels": ["a", "b"], "evidence": "leaks"},
        {"kind": "binary", "label": "broken", "evidence": "broken"},
        {"kind": "regression", "label": "health", "evidence": "worn"},
    ],
)
def test_a_machine_is_made_of_components_by_a_head_of_its_kind(fields: dict[str, Any]) -> None:
    assert of_evidence(**fields).heads[0].evidence == fields["evidence"]


@pytest.mark.parametrize(
    ("fields", "remedy"),
    [
        (
            {"kind": "binary", "evidence": "lost"},
            "not a component-level head; accepted: leaks, worn",
        ),
        ({"kind": "binary", "evidence": "machine"}, "not a component-level head"),
        ({"kind": "binary", "evidence": "leaks"}, "is of kind multi_label; accepted: both of one"),
        ({"kind": "ordinal", "classes": GRADES, "evidence": "graded"}, "is of kind ordinal"),
        (
            {"kind": "multi_label", "labels": ["b", "a"], "evidence": "leaks"},
            "reads a, b; accepted: a head that reads b, a, in this order",
        ),
        ({"kind": "binary", "evidence": "broken"}, "reads broken; accepted: a head that reads"),
        ({"kind": "regression", "label": "wear", "evidence": "wear"}, "one of the label health"),
        (
            {"kind": "regression", "label": "health", "quantiles": [0.5], "evidence": "worn"},
            "accepted: two heads without quantiles",
        ),
        (
            {"kind": "regression", "label": "health", "cap": 1, "evidence": "worn"},
            "accepted: two heads without them",
        ),
    ],
)
def test_evidence_that_does_not_fit_is_refused(fields: dict[str, Any], remedy: str) -> None:
    with pytest.raises(SpecError) as error:
        of_evidence(**fields)
    assert str(error.value).startswith("TaskSpec: heads: ")
    assert remedy in str(error.value)


SEVERITY = {"name": "severity", "level": "component", "kind": "regression", "labels": ["a", "b"]}


def of_severities(severity: dict[str, Any], **fields: Any) -> TaskSpec:
    health = {"name": "worn", "level": "component", "kind": "regression", "label": "health"}
    heads = [{**health, "evidence": severity["name"], **fields}, severity]
    return validate(TaskSpec, {"name": "t", "heads": heads})


def test_the_health_of_components_may_be_made_of_severities() -> None:
    assert of_severities(SEVERITY).heads[0].evidence == "severity"


@pytest.mark.parametrize(
    ("severity", "fields", "remedy"),
    [
        (LEAKS, {}, "has no severities; accepted: a regression with labels"),
        (WEAR, {}, "has no severities"),
        (SEVERITY, {"components": ["pump"]}, "a head with the same components"),
        (SEVERITY, {"quantiles": [0.5]}, "accepted: a head without"),
        (SEVERITY, {"label": "wear"}, "a regression of health"),
    ],
)
def test_severities_that_do_not_fit_are_refused(
    severity: dict[str, Any], fields: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(SpecError) as error:
        of_severities(severity, **fields)
    assert remedy in str(error.value)
