"""The numbers of a diagnosis that rules judge and charts draw."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from hydrascope.monitoring.observation import Observation
from hydrascope.schemas import HeadSpec, TimeWindow, validate
from hydrascope.serving.diagnosis.diagnosis import Diagnosis, ModelName, Normality
from hydrascope.serving.diagnosis.findings import Finding, Limits, Trust, build_finding
from hydrascope.serving.diagnosis.observations import cannot_tell, for_rules, observations_of

START = datetime(2026, 1, 1, tzinfo=UTC)
WEAR = validate(
    HeadSpec,
    {
        "name": "wear", "level": "component", "kind": "ordinal", "healthy": 0,
        "classes": [{"name": "none", "value": 0}, {"name": "severe", "value": 1}],
    },
)  # fmt: skip
FAULTS = validate(
    HeadSpec, {"name": "faults", "level": "machine", "kind": "multi_label", "labels": ["a", "b"]}
)
FLOW = validate(
    HeadSpec, {"name": "flow", "level": "machine", "kind": "regression", "unit": "l/min"}
)
DOUBT = Trust(False, 0.1, 0.2, ("the window is unlike the training data",))


def finding(head: HeadSpec, answer: list[float], trust: Trust | None = None) -> Finding:
    thresholds = tuple(0.5 for _ in head.labels)
    return build_finding(head, np.array(answer), Limits(thresholds), trust)


def diagnosis(trust: Trust | None = None, normality: Normality | None = None) -> Diagnosis:
    wear = finding(WEAR, [0.25, 0.75], trust)
    health = wear.health
    return Diagnosis(
        equipment_id="press",
        window=TimeWindow(start=START, end=START + timedelta(seconds=60)),
        model=ModelName(task="t", version="abc"),
        health=health,
        machine={
            "faults": finding(FAULTS, [0.9, 0.2], trust),
            "flow": finding(FLOW, [31.5], trust),
        },
        components={"pump": {"wear": wear}},
        component_health={} if health is None else {"pump": health},
        normality=normality,
        missing={},
    )


def test_each_number_of_a_reliable_answer_is_observed() -> None:
    found = observations_of(diagnosis(), (WEAR, FAULTS, FLOW))
    assert found == [
        Observation("", "", "", "health", 0.25, None, True, ""),
        Observation("", "faults", "a", "probability", 0.9, True, True, ""),
        Observation("", "faults", "b", "probability", 0.2, False, True, ""),
        Observation("", "flow", "", "value", 31.5, None, True, "l/min"),
        Observation("pump", "", "", "health", 0.25, None, True, ""),
        Observation("pump", "wear", "", "health", 0.25, None, True, ""),
        Observation("pump", "wear", "none", "probability", 0.25, None, True, ""),
        Observation("pump", "wear", "severe", "probability", 0.75, True, True, ""),
    ]
    assert not cannot_tell(diagnosis())


def test_an_unreliable_answer_is_observed_as_such_without_what_it_withholds() -> None:
    found = observations_of(diagnosis(DOUBT), (WEAR, FAULTS, FLOW))
    reliable = observations_of(diagnosis(), (WEAR, FAULTS, FLOW))
    assert not any(each.reliable for each in found)
    assert [each[:4] for each in found] == [each[:4] for each in reliable]
    withheld = [each.measure for each in found if math.isnan(each.value)]
    assert withheld == ["health", "value", "health", "health"]
    # A rule without a threshold sees that there was no answer about a fault.
    assert [each.shown for each in found] == [
        None if each.shown is None else False for each in reliable
    ]
    assert cannot_tell(diagnosis(DOUBT))


def test_normality_is_observed_at_every_level_and_nothing_to_score_is_not_reliable() -> None:
    scores = Normality(machine=1.5, components={"pump": 0.5}, sensors={"p_out": None})
    found = observations_of(diagnosis(normality=scores), (WEAR, FAULTS, FLOW))[-3:]
    assert found[0] == Observation("", "", "", "normality", 1.5, None, True, "")
    assert found[1] == Observation("pump", "", "", "normality", 0.5, None, True, "")
    assert found[2][:4] == ("", "", "p_out", "normality")
    assert (found[2].reliable, found[2].value) == (False, pytest.approx(math.nan, nan_ok=True))


def test_rules_see_the_distance_of_the_machine_at_the_component_that_is_to_blame() -> None:
    scores = Normality(
        machine=1.5,
        components={"pump": None, "valve": 2.5},
        sensors={"p_out": 3.0},
        blame={"pump": 0.75, "valve": 0.25},
    )
    known = diagnosis(normality=scores)
    heads = (WEAR, FAULTS, FLOW)
    plain, judged = observations_of(known, heads), for_rules(known, heads)
    assert [each[:4] for each in judged] == [each[:4] for each in plain]
    of_normality = [each for each in judged if each.measure == "normality"]
    seen = {(each.component_id, each.finding): each.value for each in of_normality}
    assert seen == {("", ""): 1.5, ("pump", ""): 1.5, ("valve", ""): 0.0, ("", "p_out"): 3.0}
    assert all(each.reliable for each in of_normality)
    unblamed = diagnosis(normality=scores.model_copy(update={"blame": None}))
    assert str(for_rules(unblamed, heads)) == str(observations_of(unblamed, heads))
