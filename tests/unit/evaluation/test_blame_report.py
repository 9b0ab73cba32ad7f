"""Who is to blame in the windows with an alarm, counted and in words."""

import pandas as pd
import pytest

from hydrascope.evaluation.blame_report import blame_lines, blame_report
from hydrascope.schemas.normality import BLAME, MACHINE

START = pd.Timestamp("2026-01-01", tz="UTC")
PROBABILITIES = {
    0: {"pump": 0.7, "valve": 0.2, "tank": 0.1},
    1: {"pump": 0.6, "valve": 0.3, "tank": 0.1},
    3: {"pump": 0.2, "valve": 0.5, "tank": 0.3},
}
"""Of the windows with an alarm; those of machine b are 2 and 3."""


def table() -> pd.DataFrame:
    rows = [
        (number, "ab"[number > 1], START + pd.Timedelta(number, "h"), MACHINE, "", score)
        for number, score in enumerate((1.5, 4.0, 0.5, 9.0))
    ]
    rows += [
        (number, "ab"[number > 1], START + pd.Timedelta(number, "h"), BLAME, name, probability)
        for number, own in PROBABILITIES.items()
        for name, probability in own.items()
    ]
    return pd.DataFrame(rows, columns=["window", "equipment_id", "start", "level", "id", "score"])


def test_components_are_counted_by_how_often_they_are_the_most_probable() -> None:
    found = blame_report(table())
    assert found is not None
    assert found["windows"] == 3
    assert found["components"] == {
        "pump": {"first": 2, "probability": pytest.approx(0.5)},
        "valve": {"first": 1, "probability": pytest.approx(1 / 3)},
    }
    (line,) = blame_lines(found)
    assert line.endswith("in the 3 windows with an alarm: pump in 67 %, valve in 33 %")


def test_the_highest_score_of_each_machine_is_named_with_two_components() -> None:
    found = blame_report(table())
    assert found is not None
    machines = [(each["equipment_id"], each["score"]) for each in found["highest"]]
    assert machines == [("b", 9.0), ("a", 4.0)]
    first, second = found["highest"]
    assert list(first["components"].items()) == [("valve", 0.5), ("tank", 0.3)]
    assert list(second["components"].items()) == [("pump", 0.6), ("valve", 0.3)]
    assert second["start"] == "2026-01-01T01:00:00+00:00"


def test_without_an_alarm_nobody_is_to_blame() -> None:
    rows = table()
    assert blame_report(rows[rows["level"] == MACHINE]) is None
    assert list(blame_lines(None)) == []
