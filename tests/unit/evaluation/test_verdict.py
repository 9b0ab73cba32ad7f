"""The verdict says what the numbers say."""

from copy import deepcopy
from typing import Any

import pytest

from hydrascope.evaluation.verdict.sentence import Sentence, Trust
from hydrascope.evaluation.verdict.verdict import headline, verdict
from hydrascope.schemas.task import HeadSpec

PUMP = HeadSpec.model_validate(
    {
        "name": "main_pump",
        "level": "machine",
        "kind": "multi_class",
        "classes": [
            {"value": 0, "name": "no leakage"},
            {"value": 1, "name": "weak leakage"},
            {"value": 2, "name": "severe leakage"},
        ],
    }
)
LIFE = HeadSpec.model_validate(
    {"name": "life", "level": "machine", "kind": "regression", "unit": "h"}
)


def judged(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "interval": [low, high]}


REPORT: dict[str, Any] = {
    "split": "by_condition",
    "test_machines": 2,
    "resampled": {"unit": "conditions", "units": 40, "draws": 2000, "level": 0.95},
    "judged": {"main_pump": {"accuracy": judged(0.9, 0.85, 0.94)}},
    "confusion": {"main_pump": [[60, 0, 0], [5, 25, 0], [0, 5, 25]]},
    "constant": {"main_pump": {"answer": "no leakage", "value": 0.5}},
    "outcomes": {},
    "models": None,
    "localisation": None,
    "calibration": {
        "questions": {"main_pump": {"after": {"ece": 0.021, "interval": [0.01, 0.04]}}},
        "conformal": {
            "nominal": 0.9,
            "heads": {"main_pump": {"coverage": 0.91, "interval": [0.85, 0.95]}},
        },
    },
}
"""Of a model that is good in all respects."""


def said(report: dict[str, Any], head: HeadSpec = PUMP) -> list[Sentence]:
    return verdict(report, [head])


def changed(**parts: Any) -> dict[str, Any]:
    return deepcopy(REPORT) | parts


def with_models(**values: float) -> dict[str, Any]:
    row = {"head": "main_pump", "values": [0.9, *values.values()]}
    return changed(models={"columns": ["gnn", *values], "rows": [row]})


def test_a_good_model_is_trusted_in_all_respects() -> None:
    assert said(REPORT) == [
        (
            Trust.TRUSTED,
            "Main pump: accuracy 90.00 % (85.0 to 94.0), better than always answering no leakage "
            "(50.00 %).",
        ),
        (
            Trust.TRUSTED,
            "Probabilities are what they say: on average they are off by at most 2.1 points "
            "(Main pump).",
        ),
        (
            Trust.TRUSTED,
            "Sets and intervals hold the truth as often as asked for (90 %), as far as the test "
            "can tell.",
        ),
    ]


def test_answers_within_reach_of_guessing_are_not_trusted() -> None:
    metrics = {"main_pump": {"accuracy": judged(0.55, 0.45, 0.65)}}
    trust, text = said(changed(judged=metrics))[0]
    assert trust is Trust.DOUBTED
    assert text == (
        "Main pump: accuracy 55.00 % (45.0 to 65.0), not shown to be better than always answering "
        "no leakage (50.00 %)."
    )


@pytest.mark.parametrize(
    ("lda", "trust", "end"),
    [
        (0.80, Trust.TRUSTED, " (50.00 %) and than lda (80.00 %)."),
        (0.88, Trust.TRUSTED, " (50.00 %); no difference from lda (88.00 %) is shown."),
        (0.97, Trust.DOUBTED, " (50.00 %), but behind lda (97.00 %)."),
    ],
)
def test_the_best_classical_model_is_beaten_only_beyond_the_interval(
    lda: float, trust: Trust, end: str
) -> None:
    found = said(with_models(ridge=0.7, lda=lda))[0]
    assert found.trust is trust
    assert found.text.endswith(end)


def test_a_classical_model_is_named_where_guessing_is_not_beaten() -> None:
    report = with_models(lda=0.97)
    report["judged"] = {"main_pump": {"accuracy": judged(0.55, 0.45, 0.65)}}
    assert said(report)[0].text.endswith(" (50.00 %), and behind lda (97.00 %).")


def test_the_headline_counts_targets() -> None:
    report = changed(judged={"main_pump": REPORT["judged"]["main_pump"]})
    assert headline(report, [PUMP, LIFE]) == (
        "1 of 2 targets can be trusted, as far as this test can tell."
    )
    assert headline(report, []) == ""


def test_a_regression_is_compared_with_the_mean_unless_its_labels_are_one_value() -> None:
    report = changed(judged={"life": {"r2": judged(0.1, -0.2, 0.3)}}, confusion={})
    report["constant"] = {"life": {"answer": "the mean", "value": 0.0}}
    text = "Life: R² 0.1 (-0.2 to 0.3), not shown to be better than always answering the mean (0)."
    assert said(report, LIFE)[0] == (Trust.DOUBTED, text)
    undefined = {"value": None, "interval": None}
    report["judged"] = {"life": {"mae": judged(4.0, 3.0, 5.0), "r2": undefined}}
    text = "all test labels are one value, so R² is undefined; mean absolute error 4 (3 to 5)."
    assert said(report, LIFE)[0] == (Trust.UNKNOWN, f"Life: {text}")


def test_rare_absent_and_overlooked_classes_are_named() -> None:
    report = changed(
        confusion={"main_pump": [[60, 0, 0], [4, 3, 0], [0, 0, 0]]},
        judged={"main_pump": {"accuracy": judged(0.97, 0.95, 0.99)}},
        outcomes={
            "main_pump": {
                "no leakage": {"recall": judged(1.0, 1.0, 1.0)},
                "weak leakage": {"recall": judged(0.43, 0.1, 0.8)},
                "severe leakage": {"recall": {"value": None, "interval": None}},
            }
        },
    )
    assert said(report)[1:4] == [
        (
            Trust.UNKNOWN,
            "Main pump: severe leakage never occurs in the test, so nothing is known of it.",
        ),
        (Trust.UNKNOWN, "Main pump: few test answers have the class weak leakage (7)."),
        (Trust.DOUBTED, "Main pump: less than half is found of weak leakage (43.00 %)."),
    ]


def test_of_many_names_the_first_are_listed() -> None:
    report = changed(
        outcomes={
            "main_pump": {
                f"fault_{number}": {"recall": judged(number / 20, 0, 1)} for number in range(6)
            }
        }
    )
    assert said(report)[1].text == (
        "Main pump: less than half is found of fault 0 (0.00 %), fault 1 (5.00 %), "
        "fault 2 (10.00 %) and 3 more."
    )


def test_a_head_without_labels_or_interval_is_not_judged() -> None:
    assert said(changed(judged={}))[0] == (
        Trust.UNKNOWN,
        "Main pump: no test window has a label.",
    )
    alone = changed(judged={"main_pump": {"accuracy": {"value": 0.9, "interval": None}}})
    assert said(alone)[0] == (
        Trust.UNKNOWN,
        "Main pump: accuracy 90.00 %, from too few units for an interval.",
    )


def test_probabilities_and_sets_that_are_off_are_named() -> None:
    report = deepcopy(REPORT)
    report["calibration"]["questions"]["main_pump"]["after"] = {"ece": 0.2, "interval": [0.1, 0.3]}
    report["calibration"]["conformal"]["heads"]["main_pump"] = {
        "coverage": 0.7,
        "interval": [0.6, 0.8],
    }
    assert said(report)[1:] == [
        (Trust.DOUBTED, "Probabilities are off, by points on average: Main pump (20.0)."),
        (
            Trust.DOUBTED,
            "Sets and intervals hold the truth less often than the 90 % that were asked for: "
            "Main pump (70.0 %).",
        ),
    ]
    del report["calibration"]
    assert said(report)[1] == (
        Trust.DOUBTED,
        "Probabilities are not calibrated: they are as they were trained.",
    )


def test_withheld_answers_and_single_sensors_are_told() -> None:
    reliability = {
        "rows": 200,
        "reliable": 0.9,
        "metric": "accuracy",
        "least": 0.85,
        "of_reliable": 0.95,
    }
    cells = {"value": 0.6}, {"value": 0.9}
    missing = {
        "metrics": {"main_pump": "accuracy"},
        "none": {"main_pump": {"value": 0.9}},
        "sensors": [
            {"sensor": name, "heads": {"main_pump": cell}}
            for name, cell in zip(("PS1", "PS2"), cells, strict=True)
        ],
    }
    report = changed(reliability={"main_pump": reliability}, missing_sensors=missing)
    assert said(report)[3:] == [
        (
            Trust.TRUSTED,
            "Answers that are called reliable are right often enough; 10.0 % are withheld.",
        ),
        (
            Trust.DOUBTED,
            "It depends on single sensors: Main pump without PS1 (90.00 % to 60.00 %).",
        ),
    ]
    report["reliability"]["main_pump"]["of_reliable"] = 0.8
    assert said(report)[3] == (
        Trust.DOUBTED,
        "Answers are called reliable that are too seldom right: Main pump (80.0 % instead of "
        "85 %).",
    )
    missing["sensors"] = missing["sensors"][1:]  # type: ignore[index]
    assert said(report)[-1] == (
        Trust.TRUSTED,
        "Any one sensor may fail: no target loses more than 5 points.",
    )


def test_a_blamed_component_is_compared_with_the_most_frequent_one() -> None:
    places = {
        "gnn": {"top1": judged(0.8, 0.7, 0.9)},
        "most frequent component": {"top1": judged(0.4, 0.3, 0.5)},
    }
    assert said(changed(localisation={"judged": places}))[-1] == (
        Trust.TRUSTED,
        "The component that it blames is faulty in 80.0 % of the cases; the most frequent "
        "component is in 40.0 %.",
    )
    places["gnn"] = {"top1": judged(0.5, 0.35, 0.6)}
    assert said(changed(localisation={"judged": places}))[-1].trust is Trust.DOUBTED


def test_what_a_test_cannot_tell_is_said() -> None:
    few = {"unit": "windows", "units": 6, "draws": 2000, "level": 0.95}
    report = changed(split="random", test_machines=1, resampled=few)
    assert [sentence.trust for sentence in said(report)[-4:]] == [
        Trust.DOUBTED,
        Trust.DOUBTED,
        Trust.UNKNOWN,
        Trust.UNKNOWN,
    ]
    assert "The test has 6 windows: intervals are rough guesses." in str(said(report))


@pytest.mark.parametrize(("low", "expected"), [(0.02, Trust.DOUBTED), (0.005, Trust.TRUSTED)])
def test_false_alarms_beyond_the_rate_asked_for_are_not_trusted(
    low: float, expected: Trust
) -> None:
    normality = {
        "false_alarms": {"rate": 0.03, "asked": 0.01},
        "intervals": {
            "false_alarm_rate": [low, 0.05],
            "overall": {"auroc": [0.45, 0.7]},
        },
        "overall": {"auroc": 0.6},
        "events": {"count": 3},
    }
    ahead = {"verdicts": ["pca is ahead of gnn by 2.00 points of AUROC"]}
    report = changed(normality=normality, detectors=ahead)
    alarms, faults, beside = verdict(report, [])
    assert alarms.trust is expected
    assert alarms.text.startswith("Normality: 3.0 % of sound windows raise an alarm (")
    assert faults == (
        Trust.DOUBTED,
        "Normality is not shown to tell faults: AUROC 0.600 (0.45 to 0.7).",
    )
    assert beside == (Trust.DOUBTED, "pca is ahead of gnn by 2.00 points of AUROC.")
    normality["events"] = {"count": 0}
    assert verdict(report, [])[1].trust is Trust.UNKNOWN
