"""Every kind of head in words."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from hydrascope.schemas import ClassSpec, HeadKind, HeadLevel, HeadSpec, SpecError, validate
from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.diagnosis.findings import Finding, Limits, build_finding
from hydrascope.serving.diagnosis.scores import Score, scores


def head(kind: HeadKind, **more: object) -> HeadSpec:
    plain = {"name": "head", "level": HeadLevel.MACHINE, "kind": kind, **more}
    return validate(HeadSpec, plain)


GRADES = tuple(ClassSpec(value=v, name=n) for v, n in ((0, "sound"), (1, "worn"), (2, "broken")))


def said(spec: HeadSpec, answer: NDArray[np.float64], *margins: float) -> dict[str, object]:
    return build_finding(spec, answer, Limits((0.5,), margins)).model_dump(
        exclude_none=True, exclude={"kind"}
    )


def test_a_regression_is_its_value_in_its_unit() -> None:
    spec = head(HeadKind.REGRESSION, unit="h")
    assert said(spec, np.array([123.5])) == {"value": 123.5, "unit": "h"}


def test_a_regression_with_quantiles_is_its_median_and_its_interval() -> None:
    spec = head(HeadKind.REGRESSION, unit="h", quantiles=(0.05, 0.5, 0.9))
    assert said(spec, np.array([80.0, 100.0, 150.0])) == {
        "value": 100.0,
        "quantiles": {"0.05": 80.0, "0.5": 100.0, "0.9": 150.0},
        "unit": "h",
    }


def test_a_regression_with_labels_is_a_value_for_each() -> None:
    spec = head(HeadKind.REGRESSION, unit="share", labels=("leakage", "cavitation"))
    assert said(spec, np.array([0.5, 0.25])) == {
        "values": {"leakage": 0.5, "cavitation": 0.25},
        "unit": "share",
    }
    assert said(spec, np.array([0.5, 0.25]), 0.25, 0.5)["intervals"] == {
        "leakage": (0.25, 0.75),
        "cavitation": (-0.25, 0.75),
    }
    diagnosis = Diagnosis.model_construct(
        machine={"head": build_finding(spec, np.array([0.5, 0.25]), Limits(()))},
        components={},
        normality=None,
    )
    assert scores(diagnosis) == [
        Score("head.leakage", None, 0.5),
        Score("head.cavitation", None, 0.25),
    ]


@pytest.mark.parametrize("kind", [HeadKind.MULTI_CLASS, HeadKind.ORDINAL])
def test_a_graded_head_is_its_most_probable_class(kind: HeadKind) -> None:
    spec = head(kind, classes=GRADES, healthy=0, unit="grade")
    answer = said(spec, np.array([0.25, 0.5, 0.25]))
    assert answer == {
        "outcome": "worn",
        "value": 1.0,
        "unit": "grade",
        "probabilities": {"sound": 0.25, "worn": 0.5, "broken": 0.25},
        "health": 0.25,
        "uncertainty": pytest.approx(1.5 * math.log(2) / math.log(3)),
    }


def test_uncertainty_is_0_where_certain_and_1_where_guessed() -> None:
    spec = head(HeadKind.MULTI_CLASS, classes=GRADES)
    certain, guessed = (
        build_finding(spec, np.array(p), Limits(())) for p in ([0.0, 1.0, 0.0], [1 / 3] * 3)
    )
    assert certain.uncertainty == 0
    assert guessed.uncertainty == pytest.approx(1)
    assert certain.health is None  # the task does not say what is healthy


def test_flags_are_raised_from_the_threshold_on() -> None:
    binary = head(HeadKind.BINARY, healthy=0)
    assert build_finding(binary, np.array([0.75]), Limits((0.75,))).flags == ["present"]
    assert build_finding(binary, np.array([0.75]), Limits((0.76,))).flags == []
    assert build_finding(binary, np.array([0.75]), Limits((0.5,))).health == 0.25
    faults = head(HeadKind.MULTI_LABEL, labels=("leakage", "cavitation"))
    both: Finding = build_finding(faults, np.array([0.875, 0.125]), Limits((0.5, 0.5)))
    assert both.probabilities == {"leakage": 0.875, "cavitation": 0.125}
    assert both.flags == ["leakage"]
    assert build_finding(faults, np.array([0.875, 0.125]), Limits((0.9, 0.1))).flags == [
        "cavitation"
    ]


def test_what_is_possible_is_what_the_margins_leave() -> None:
    graded = head(HeadKind.MULTI_CLASS, classes=GRADES)
    answer = np.array([0.625, 0.25, 0.125])
    for margin, possible in ((0.25, []), (0.5, ["sound"]), (0.75, ["sound", "worn"])):
        assert said(graded, answer, margin)["possible"] == possible
    assert "possible" not in said(graded, answer)  # not calibrated
    binary = head(HeadKind.BINARY)
    assert said(binary, np.array([0.25]), 0.5)["possible"] == ["not present"]
    assert said(binary, np.array([0.25]), 0.75)["possible"] == ["not present", "present"]
    faults = head(HeadKind.MULTI_LABEL, labels=("leakage", "cavitation"))
    limits = Limits((0.5, 0.5), (0.5, 0.875))
    assert build_finding(faults, np.array([0.25, 0.25]), limits).possible == ["cavitation"]
    hours = head(HeadKind.REGRESSION)
    assert said(hours, np.array([10.0]), 2.5)["interval"] == (7.5, 12.5)
    spread = head(HeadKind.REGRESSION, quantiles=(0.1, 0.5, 0.9))
    assert said(spread, np.array([8.0, 10.0, 13.0]), -0.5)["interval"] == (8.5, 12.5)


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        (HeadKind.MULTI_CLASS, {"classes": GRADES, "healthy": 3}, "0, 1, 2"),
        (HeadKind.BINARY, {"healthy": 2}, "0, 1"),
        (HeadKind.REGRESSION, {"healthy": 1}, "none for this kind"),
    ],
)
def test_healthy_is_the_value_of_a_class(
    kind: HeadKind, more: dict[str, object], expected: str
) -> None:
    with pytest.raises(SpecError, match=expected):
        head(kind, **more)
