"""Who is ahead when classical detectors stand beside a model."""

from hydrascope.evaluation.detection_beside import beside, verdicts


def report(auroc: float | None, f1: float | None) -> dict[str, dict[str, float | None]]:
    overall = {"auroc": auroc, "f1": f1, "false_alarm_rate": 0.1, "missed_alarm_rate": 0.2}
    return {"overall": overall}


def test_a_detector_that_is_ahead_is_named_with_its_lead() -> None:
    reports = {"own": report(0.9, 0.8), "a": report(0.95, 0.7), "b": report(0.93, 0.81)}
    assert verdicts(reports) == [
        "a is ahead of own by 5.00 points of AUROC",
        "b is ahead of own by 1.00 points of F1",
    ]


def test_a_model_that_leads_is_said_to() -> None:
    reports = {"own": report(0.9, 0.8), "a": report(0.9, 0.8), "b": report(0.5, None)}
    assert verdicts(reports) == ["No classical detector is ahead of own in AUROC and F1"]


def test_without_unhealthy_windows_or_other_detectors_nothing_is_said() -> None:
    assert verdicts({"own": report(0.9, 0.8)}) == []
    assert verdicts({"own": report(None, None), "a": report(None, None)}) == []


def test_the_table_has_the_values_of_all_detectors_in_their_order() -> None:
    found = beside({"own": report(0.9, 0.8), "a": report(0.95, 0.7)})
    assert found["columns"] == ["own", "a"]
    assert [row["values"] for row in found["rows"]] == [
        [0.9, 0.95],
        [0.8, 0.7],
        [0.1] * 2,
        [0.2] * 2,
    ]
