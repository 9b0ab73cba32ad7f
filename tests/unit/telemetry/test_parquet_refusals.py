"""What is wrong with a telemetry folder, in one line: file, column, value, what is accepted."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from telemetry_folders import every, make_folder, narrow, write

from hydrascope.schemas import SpecError
from hydrascope.telemetry import ParquetSource

TIMES = every(0.1, 10)
ROWS = narrow("p", TIMES, 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "f")


def refusal(folder: Path, **settings: object) -> str:
    with pytest.raises(SpecError) as error:
        ParquetSource(folder, **settings).extents("press")  # type: ignore[arg-type]
    message = str(error.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ROWS.rename(columns={"timestamp": "time"}),
            "a.parquet: no column timestamp; it has: time, equipment_id, sensor_id, value; "
            "expected timestamp, equipment_id, sensor_id, value, or timestamp, equipment_id and a "
            "column for each sensor",
        ),
        (ROWS.drop(columns="value"), "a.parquet: no column value; it has: timestamp, equip"),
        (ROWS[["timestamp", "equipment_id"]], "a.parquet: no column of a sensor; it has: time"),
        (
            ROWS.assign(timestamp=TIMES.tz_localize(None)),
            "a.parquet: timestamp: '2024-05-01 12:00:00' has no time zone; give every time "
            "an offset, or name the zone in time_zone, as in UTC or Europe/Berlin",
        ),
        (
            ROWS.assign(timestamp=range(10)),
            "a.parquet: timestamp: of type int64; expected timestamps, or text as in 2024-05-01T",
        ),
        (
            ROWS.assign(timestamp="yesterday"),
            "a.parquet: timestamp: 'yesterday' is not accepted; expected times as in 2024-05-01T",
        ),
        (
            ROWS.assign(timestamp=TIMES.where(TIMES[4] != TIMES)),
            "a.parquet: timestamp: empty in row 5 of a block; expected a time in every row",
        ),
        (ROWS.assign(value="high"), "a.parquet: value: of type large_string; expected numbers"),
        (
            ROWS.assign(sensor_id=["p"] * 9 + [None]),
            "a.parquet: sensor_id: empty at 2024-05-01 12:00:00.900000+00:00; expected an id in",
        ),
        (ROWS.assign(equipment_id=None), "a.parquet: equipment_id: empty at 2024-05-01 12:00:00"),
        (
            ROWS.assign(unit="psy"),
            "a.parquet: sensor p: unit 'psy' cannot be converted to 'bar'; accepted: Pa, hPa, ",
        ),
        (ROWS.assign(value=500.0), "f: press: no good sample of any of its sensors"),
        (
            ROWS.assign(equipment_id="saw"),
            "f: press: no good sample of any of its sensors; compare",
        ),
    ],
)
def test_a_table_is_refused_with_file_column_and_value(
    folder: Path, rows: pd.DataFrame, message: str
) -> None:
    write(rows, folder / "a.parquet")
    assert refusal(folder).replace(str(folder.parent) + "/", "").startswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line.replace("1.0", "oops"), "a.csv:5: value is 'oops'; expected a number"),
        (lambda line: line.replace("1.0", "1,0"), "a.csv:5: 5 values; expected 4, separated by"),
        (lambda line: line.partition(",")[2], "a.csv:5: 3 values; expected 4, separated by commas"),
        (
            lambda line: "01.05.2024" + line[10:],
            "a.csv:5: timestamp: '01.05.2024 12:00:00.300+00:00' is not accepted; expected times",
        ),
        (
            lambda line: line.replace("+00:00", ""),
            "a.csv:5: timestamp: '2024-05-01 12:00:00.300' is not accepted; expected times as in "
            "2024-05-01T12:00:00Z, all with or all without an offset",
        ),
    ],
)
def test_a_line_of_text_is_refused_with_its_number(
    folder: Path,
    change: Callable[[str], str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The faulty line stands in a later block than the first.
    monkeypatch.setattr("hydrascope.telemetry.folder.blocks.CSV_BLOCK_BYTES", 100)
    write(ROWS, folder / "a.csv")
    lines = (folder / "a.csv").read_text().splitlines()
    lines[4] = change(lines[4])
    (folder / "a.csv").write_text("\n".join(lines))
    assert refusal(folder).startswith(message)


def test_text_without_offsets_is_refused_as_such(folder: Path) -> None:
    write(ROWS.assign(timestamp=TIMES.tz_localize(None)), folder / "a.csv")
    assert refusal(folder).startswith("a.csv: timestamp: '2024-05-01 12:00:00' has no time zone")


def test_a_local_time_that_occurs_twice_is_refused(folder: Path) -> None:
    twice = pd.DatetimeIndex(["2024-10-27T02:30:00"])
    write(narrow("p", twice, 1.0), folder / "a.parquet")
    message = refusal(folder, time_zone="Europe/Berlin")
    assert message.startswith("a.parquet: timestamp: 2024-10-27 02:30:00 occurs twice or")


def test_a_sensor_of_words_in_a_wide_file_is_refused(folder: Path) -> None:
    write(
        pd.DataFrame({"timestamp": TIMES, "equipment_id": "press", "p": "on"}), folder / "a.parquet"
    )
    assert refusal(folder) == "a.parquet: p: of type large_string; expected numbers"


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing else"])
@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_file_that_is_not_what_its_name_says_is_refused(
    folder: Path, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)
    assert refusal(folder).startswith(f"{name}: ")


def test_a_file_cut_off_after_it_was_written_is_refused(folder: Path) -> None:
    write(ROWS, folder / "a.parquet")
    content = bytearray((folder / "a.parquet").read_bytes())
    content[8:60] = bytes(52)
    (folder / "a.parquet").write_bytes(content)
    assert refusal(folder).startswith("a.parquet: damaged (")


def test_a_column_of_the_same_name_twice_is_refused(folder: Path) -> None:
    table = pa.table(
        [TIMES, ["press"] * 10, [1.0] * 10, [1.0] * 10], ["timestamp", "equipment_id", "p", "p"]
    )
    pq.write_table(table, folder / "a.parquet")
    assert refusal(folder) == "a.parquet: column 'p' occurs twice; expected each name once"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"time_zone": "Mars"}, "time_zone: 'Mars' is not accepted; expected an IANA time zone"),
        ({"max_gap_s": 0.0}, "max_gap_s: 0.0 is not accepted; expected greater than 0"),
        ({"resample": {"method": "spline"}}, "resample.method: 'spline' is not accepted; expected"),
        ({"resample": {"rate": 1.0}}, "resample.rate: unknown key; accepted keys: method, rate_hz"),
        ({"quality_accepted": []}, "quality_accepted: [] is not accepted"),
    ],
)
def test_a_setting_is_refused_with_its_key(
    folder: Path, settings: dict[str, object], message: str
) -> None:
    write(ROWS, folder / "a.parquet")
    assert refusal(folder, **settings).startswith(f"parquet source: {message}")


def test_units_of_a_sensor_that_no_machine_has_are_refused(folder: Path) -> None:
    write(ROWS, folder / "a.parquet")
    expected = "units.q: no machine has such a sensor; accepted: T, p, x"
    assert refusal(folder, units={"q": "psi"}) == expected


def test_a_folder_without_telemetry_or_machines_is_refused(folder: Path) -> None:
    place = str(folder)
    assert refusal(folder) == f"{place}: no telemetry; expected files that end in .parquet or .csv"
    write(ROWS, folder / "a.parquet")
    shutil.copy(folder / "machines" / "press.yaml", folder / "machines" / "again.yaml")
    assert refusal(folder).startswith("machines/press.yaml: equipment_id 'press' is that of machi")
    shutil.rmtree(folder / "machines")
    assert refusal(folder).startswith("machines: no machine file; expected <equipment id>.yaml")
    shutil.rmtree(folder)
    assert refusal(folder) == f"{place}: no such folder; expected one of Parquet or CSV files"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("equipment_id,start,wear\n", "labels/l.csv: no column end; it has: equipment_id, start, "),
        (
            "equipment_id,start,end,wear\npress,2024-05-01T12:00:00Z,2024-05-01T12:00:00Z,1\n",
            "labels/l.csv: end is 2024-05-01 12:00:00+00:00; expected a time after start, 2024-05",
        ),
        (
            "equipment_id,start,end,wear\npress,noon,2024-05-01T12:00:00Z,1\n",
            "labels/l.csv:2: start: 'noon' is not accepted; expected times as in",
        ),
        (
            "equipment_id,start,end,wear\nsaw,2024-05-01T12:00:00Z,2024-05-01T12:00:01Z,1\n",
            "labels: equipment_id 'saw' has no machine file; accepted: press",
        ),
        (
            "equipment_id,start,end,wear\npress,2024-05-01T12:00:00Z,2024-05-01T12:00:09Z,1\n"
            "press,2024-05-01T12:00:05Z,2024-05-01T12:00:10Z,1\n",
            "labels: of press, the interval from 2024-05-01 12:00:05+00:00 begins before the one",
        ),
        ("equipment_id,start,end,wear\npress\n", "labels/l.csv:2: 1 values; expected 4, sep"),
    ],
)
def test_labels_are_refused_with_file_column_and_value(
    folder: Path, labels: str, message: str
) -> None:
    write(ROWS, folder / "a.parquet")
    (folder / "labels").mkdir()
    (folder / "labels" / "l.csv").write_text(labels)
    assert refusal(folder).startswith(message)


def test_label_files_that_a_setting_names_must_be_there(folder: Path) -> None:
    write(ROWS, folder / "a.parquet")
    message = refusal(folder, labels=f"{folder}/grades/*.csv")
    assert message == "grades/*.csv: no label file; expected one that ends in .parquet or .csv"


HEAD = "timestamp,equipment_id,sensor_id,value\n"
LINE = "2024-05-01T12:00:00Z,press,p,1\n"
OTHER = "2024-05-01T12:00:01Z,prö,p,1\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ((HEAD + LINE).encode("utf-16"), "a.csv: encoded in UTF-16; expected UTF-8: iconv -f UTF"),
        ((HEAD + LINE).encode("utf-32"), "a.csv: encoded in UTF-32; expected UTF-8: iconv -f UTF"),
        ((HEAD + LINE).encode("utf-16-le"), "a.csv: not text, or encoded in UTF-16 or UTF-32"),
        (HEAD.replace("value", "Öl").encode("latin-1"), "a.csv:1: byte 0xd6 is not UTF-8, but pe"),
        (
            (HEAD + LINE + LINE.replace("press", "prö")).encode("latin-1"),
            "a.csv:3: byte 0xf6 is not UTF-8, bu",
        ),
        ((HEAD + LINE).replace("\n", "\r").encode(), "a.csv: lines end with CR alone; expected LF"),
    ],
)
def test_text_that_is_not_utf8_lines_is_named_with_what_converts_it(
    folder: Path, content: bytes, message: str
) -> None:
    (folder / "a.csv").write_bytes(content)
    assert refusal(folder).startswith(message)


def test_labels_that_are_not_utf8_are_refused_with_their_line(folder: Path) -> None:
    write(ROWS, folder / "a.parquet")
    (folder / "labels").mkdir()
    head = "equipment_id,start,end,wear\n"
    text = f"{head}prö,2024-05-01T12:00:00Z,2024-05-01T12:00:01Z,1\n"
    (folder / "labels" / "l.csv").write_bytes(text.encode("latin-1"))
    assert refusal(folder).startswith("labels/l.csv:2: byte 0xf6 is not UTF-8")


def test_flags_of_which_none_is_accepted_are_named(folder: Path) -> None:
    write(ROWS.assign(quality=[0, 192] * 5), folder / "a.parquet")
    message = refusal(folder, quality_accepted=[7])
    assert message.endswith("quality_accepted is [7], the flags are '0', '192'")
