"""What messages call the time of telemetry with a clock and with a counter."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from telemetry_folders import make_folder, write
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.telemetry.time_words import TimeWords, words_of

CLOCK, COUNTER = TimeWords("UTC"), TimeWords("counter")
TIME = datetime(1970, 1, 1, 0, 3, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "clock", "counter"),
    [(0, "", ""), (30, "30 s", "30 counts"), (7200, "2.0 h", "7200 counts")],
)
def test_durations(seconds: float, clock: str, counter: str) -> None:
    assert (CLOCK.duration(seconds), COUNTER.duration(seconds)) == (clock, counter)


def test_times_and_ranges() -> None:
    assert CLOCK.instant(TIME) == "1970-01-01 00:03:20"
    assert COUNTER.instant(TIME) == "200"
    assert COUNTER.range(TIME, TIME) == "200 to 200"
    assert CLOCK.range(TIME, TIME).endswith("00:03:20 UTC")


def test_labelled_time_is_in_hours_or_counts() -> None:
    assert CLOCK.labelled_time(1.5) == "1.5"
    assert COUNTER.labelled_time(1.5) == "5,400"


def test_a_source_without_words_has_a_clock() -> None:
    assert words_of(object()).second == "s"


def test_a_check_of_counted_telemetry_says_nothing_of_seconds(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "f")
    table = pd.DataFrame({"timestamp": range(1, 41), "equipment_id": "press", "p": 150.0})
    table["p"] += table["timestamp"] % 7
    write(table[table["timestamp"] != 20], folder / "a.parquet")
    label = {"equipment_id": "press", "start": 1, "end": 41, "wear": 1}
    write(pd.DataFrame([label]), folder / "labels" / "l.csv")
    command = ["check", str(folder), "--time-zone", "counter", "--window-s", "50"]
    output = CliRunner().invoke(app, command).output
    assert "press: 1 to 40" in output
    assert "per count (declared)" in output
    assert "press (40 counts)" in output
    assert "the longest 2 counts" in output
    assert "recorded at 1 per count, but the machine file says 10 per count" in output
    assert "UTC" not in output
    assert " s;" not in output
