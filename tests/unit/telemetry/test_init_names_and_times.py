"""`hydrascope init`: dates in either order, zones, and names that must stay apart."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas.errors import SpecError


def write(file: Path, times: pd.Series | pd.Index | list[str], **columns: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    given = {"time": list(times), "p [bar]": [float(n) for n in range(len(times))], **columns}
    pd.DataFrame(given).to_csv(file, index=False)


def init(folder: Path, *options: str) -> str:
    """Run the command; return what it says."""
    result = CliRunner().invoke(app, ["init", str(folder), "--into", f"{folder}_own", *options])
    if isinstance(result.exception, SpecError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def copied(folder: Path) -> pd.DataFrame:
    """All copies, in the order of the names of their files."""
    paths = sorted(Path(f"{folder}_own", "telemetry").glob("*.parquet"))
    frames: list[pd.DataFrame] = [pq.read_table(path).to_pandas() for path in paths]
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize(
    "form",
    [
        "%d/%m/%Y %H:%M",
        "%m/%d/%Y %H:%M",
        "%d.%m.%Y %H:%M:%S.5",
        "%m/%d/%Y %H:%M:%S.5",
        "%m-%d-%y %I:%M %p",
        "%Y.%m.%d %H:%M",
    ],
)
def test_dates_have_one_order_in_all_files(tmp_path: Path, form: str) -> None:
    days = pd.date_range("2026-02-11", "2026-02-14 23:50", freq="10min")
    for day, times in pd.Series(days, index=days.day).groupby(level=0):
        write(tmp_path / "raw" / f"day_{day}.csv", times.dt.strftime(form), machine="a")
    assert "February" not in init(tmp_path / "raw")
    found = copied(tmp_path / "raw")["timestamp"].dt.tz_localize(None).dt.floor("min")
    assert found.tolist() == days.tolist()


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"])
def test_of_two_possible_orders_the_one_that_spans_less_time_is_guessed(
    tmp_path: Path, form: str
) -> None:
    days = pd.date_range("2026-02-01", "2026-02-05", freq="10min")
    write(tmp_path / "raw" / "log.csv", days.strftime(form), machine="a")
    said = init(tmp_path / "raw")
    assert f"Guessed: {days[0]:{form[:8]}} is 01 February 2026" in said
    assert copied(tmp_path / "raw")["timestamp"].dt.tz_localize(None).tolist() == days.tolist()


def test_offsets_may_change_as_with_summer_time(tmp_path: Path) -> None:
    instants = pd.date_range("2026-10-25 00:00", periods=120, freq="1min", tz="UTC")
    times = [each.isoformat() for each in instants.tz_convert("Europe/Berlin")]
    assert {time[-6:] for time in times} == {"+02:00", "+01:00"}
    write(tmp_path / "raw" / "log.csv", times, machine="a")
    init(tmp_path / "raw")
    assert copied(tmp_path / "raw")["timestamp"].tolist() == instants.tolist()


@pytest.mark.parametrize(
    ("times", "zone", "complaint"),
    [
        (["13/02/2026 10:00", "02/13/2026 10:01"], "UTC", "day first, as in 13/02/2026, and the"),
        (["2026-01-01 10:00+01:00", "2026-01-01 10:01"], "UTC", "'2026-01-01 10:01' has no zone"),
        (["2026-10-25 02:30", "2026-10-25 02:31"], "Europe/Berlin", "where the clocks change"),
        (["2026-01-01 10:00", ""], "UTC", "time: empty in a row"),
    ],
)
def test_times_that_are_not_clear_are_refused_in_one_line(
    tmp_path: Path, times: list[str], zone: str, complaint: str
) -> None:
    write(tmp_path / "raw" / "log.csv", times, machine="a")
    with pytest.raises(SpecError, match=complaint) as refused:
        init(tmp_path / "raw", "--time-zone", zone)
    assert len(str(refused.value).splitlines()) == 1


TIMES = [f"{datetime(2026, 1, 1, 10, minute)}" for minute in range(60)]


@pytest.mark.parametrize(
    ("machines", "complaint"),
    [
        (["Press 7"] * 30 + ["Press#7"] * 30, "'Press#7' and 'Press 7' would both be"),
        (["a"] * 59 + [""], "machine: empty in a row"),
    ],
)
def test_machines_that_cannot_be_told_apart_are_refused(
    tmp_path: Path, machines: list[str], complaint: str
) -> None:
    write(tmp_path / "raw" / "log.csv", TIMES, machine=machines)
    with pytest.raises(SpecError, match=complaint):
        init(tmp_path / "raw")


def test_files_that_would_be_one_machine_are_refused(tmp_path: Path) -> None:
    for name in ("Press 7", "Press#7"):
        write(tmp_path / "raw" / f"{name}.csv", TIMES)
    with pytest.raises(SpecError, match="would both be the machine Press_7; rename one"):
        init(tmp_path / "raw")


def test_no_file_and_no_zero_of_a_name_is_lost(tmp_path: Path) -> None:
    for file, machine in (("log 1", "007"), ("log#1", "07"), ("log_1", "7")):
        write(tmp_path / "raw" / f"{file}.csv", TIMES, machine=machine)
    init(tmp_path / "raw")
    found = copied(tmp_path / "raw")["equipment_id"].value_counts()
    assert found.to_dict() == {"m007": 60, "m07": 60, "m7": 60}
