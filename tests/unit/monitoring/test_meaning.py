"""What an alarm's finding means as a label."""

import pytest

from hydrascope.monitoring.meaning import Meaning, evidence_of, meaning_of
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import TaskSpec

HEADS = TaskSpec.model_validate(
    {
        "name": "plant",
        "heads": [
            {
                "name": "valve",
                "level": "component",
                "kind": "ordinal",
                "components": ["V10"],
                "classes": [
                    {"value": 73, "name": "stuck"},
                    {"value": 90, "name": "slow"},
                    {"value": 100, "name": "sound"},
                ],
                "healthy": 100,
            },
            {"name": "broken", "level": "machine", "kind": "binary", "healthy": 0},
            {"name": "mode", "level": "machine", "kind": "binary"},
            {
                "name": "faults",
                "level": "machine",
                "kind": "multi_label",
                "labels": ["leak", "heat"],
                "evidence": "component_faults",
            },
            {
                "name": "component_faults",
                "level": "component",
                "kind": "multi_label",
                "labels": ["leak", "heat"],
            },
            {
                "name": "component_health",
                "level": "component",
                "kind": "regression",
                "label": "health",
                "evidence": "severity",
            },
            {
                "name": "severity",
                "level": "component",
                "kind": "regression",
                "labels": ["leak_severity", "heat_severity"],
            },
            {"name": "wear", "level": "machine", "kind": "regression"},
        ],
    }
).heads


@pytest.mark.parametrize(
    ("component", "head", "finding", "meant"),
    [
        ("V10", "valve", "slow", (("V10.valve", "valve"), (), 90, 100, (73, 90))),
        ("V10", "valve", "", (("V10.valve", "valve"), (), None, 100, (73, 90))),
        ("", "broken", "present", (("broken",), (), 1, 0, None)),
        ("", "mode", "present", (("mode",), (), 1, None, None)),
        ("pump", "component_faults", "leak", (("pump.leak",), ("leak",), 1, 0, None)),
        ("", "faults", "leak", (("leak",), (), 1, 0, None)),
        ("pump", "component_health", "", (("pump.health",), (), None, 1, None)),
        ("pump", "severity", "leak_severity", (("pump.leak_severity",), (), None, 0, None)),
        ("", "wear", "", (("wear",), (), None, None, None)),
    ],
)
def test_a_finding_means_the_label_that_its_head_learns(
    component: str, head: str, finding: str, meant: tuple[object, ...]
) -> None:
    found = meaning_of(HEADS, component, head, finding)
    assert found is not None
    assert tuple(getattr(found, name) for name in Meaning.model_fields) == meant


def test_findings_of_a_machine_that_come_from_components_are_known() -> None:
    # What is derived for components alone (`component_health`) is no finding of the machine.
    assert evidence_of(HEADS) == {"": "", "faults": "component_faults"}


@pytest.mark.parametrize(
    ("head", "finding"), [("", ""), ("", "PS1"), ("lamp", ""), ("component_faults", "noise")]
)
def test_what_no_head_learns_means_nothing(head: str, finding: str) -> None:
    assert meaning_of(HEADS, "pump", head, finding) is None


def test_a_value_is_taken_where_the_alarm_does_not_tell() -> None:
    lowest = meaning_of(HEADS, "V10", "valve", "")
    slow = meaning_of(HEADS, "V10", "valve", "slow")
    wear = meaning_of(HEADS, "", "wear", "")
    assert lowest is not None
    assert slow is not None
    assert wear is not None
    assert (lowest.found(None), lowest.found(73), slow.found(None)) == (None, 73, 90)
    assert wear.found(0.7) == 0.7
    with pytest.raises(SpecError, match="value: 100 is not accepted; expected 73, 90"):
        lowest.found(100)
    with pytest.raises(SpecError, match="value: 73 is not accepted: the alarm says"):
        slow.found(73)
