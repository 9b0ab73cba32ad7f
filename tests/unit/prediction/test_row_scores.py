"""The scores of windows as scores of the rows of the files, in any usual form."""

from pathlib import Path

import pandas as pd
import pytest

from hydrascope.prediction.first_part.learn import Scored, read_first
from hydrascope.prediction.first_part.rows import COLUMNS, row_scores
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import MACHINE, SENSOR

WINDOW_S, STRIDE_S = 4.0, 2.0


def scored(machine: str, starts: pd.DatetimeIndex) -> Scored:
    """Windows whose scores count up; of the sensors, q is higher in every second one."""
    rows = [
        row
        for number, start in enumerate(starts)
        for row in (
            (number, machine, start, MACHINE, machine, number + 0.5),
            (number, machine, start, SENSOR, "p", 1.0),
            (number, machine, start, SENSOR, "q", 2.0 * (number % 2)),
        )
    ]
    columns = ["window", "equipment_id", "start", "level", "id", "score"]
    table = pd.DataFrame(rows, columns=columns)
    table["alarm"] = (table["score"] > 1).astype("boolean")
    table["learned"] = table["window"] < 2
    return Scored(table, WINDOW_S, STRIDE_S, 10)


def test_a_row_has_the_score_of_the_first_window_that_contains_it(tmp_path: Path) -> None:
    times = pd.date_range("2026-01-01", periods=10, freq="1s", tz="UTC")
    pd.DataFrame({"time": times, "p": range(10), "q": range(10)}).to_csv(
        tmp_path / "fan.csv", index=False
    )
    starts = times[[0, 2, 4]]  # to 4, 6, 8; nothing from 8 on
    found = row_scores(read_first(tmp_path / "fan.csv", None), scored("fan", starts))
    assert tuple(found.columns) == COLUMNS
    assert found["time"].tolist() == times.tolist()
    assert set(found["equipment_id"]) == {"fan"}
    expected = [0.5] * 4 + [1.5] * 2 + [2.5] * 2
    assert found["score"].dropna().tolist() == expected
    assert found["score"].isna().tolist() == [False] * 8 + [True] * 2
    assert found["alarm"].dropna().tolist() == [False] * 4 + [True] * 4
    assert found["sensor"].dropna().tolist() == ["p"] * 4 + ["q"] * 2 + ["p"] * 2
    assert found["learned"].dropna().tolist() == [True] * 6 + [False] * 2


def test_an_instant_of_a_narrow_file_is_one_row_and_counts_stay_counts(tmp_path: Path) -> None:
    rows = [(cycle, name, 1.0) for cycle in range(6) for name in ("p", "q")]
    table = pd.DataFrame(rows, columns=["cycle", "sensor_id", "value"])
    table.assign(equipment_id="fan").to_csv(tmp_path / "any.csv", index=False)
    starts = pd.to_datetime([0, 2], unit="s", utc=True)
    found = row_scores(read_first(tmp_path / "any.csv", None), scored("fan", starts))
    assert found["time"].tolist() == [*range(6)]
    assert found["score"].tolist() == [0.5] * 4 + [1.5] * 2


def test_a_file_without_times_counts_its_rows(tmp_path: Path) -> None:
    pd.DataFrame({"p": range(6), "q": range(6)}).to_csv(tmp_path / "fan.csv", index=False)
    starts = pd.date_range("2000-01-01", periods=2, freq="2s", tz="UTC")
    found = row_scores(read_first(tmp_path / "fan.csv", None), scored("fan", starts))
    assert found["time"].tolist() == [float(row) for row in range(6)]
    assert found["score"].tolist() == [0.5] * 4 + [1.5] * 2


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "rig.xlsx").touch()
    with pytest.raises(SpecError, match=r"rig.xlsx: ends in .xlsx; only .parquet and .csv are"):
        read_first(tmp_path / "rig.xlsx", None)
    with pytest.raises(SpecError, match=r"rig.csv: no such file; expected a .csv or .parquet"):
        read_first(tmp_path / "rig.csv", None)
