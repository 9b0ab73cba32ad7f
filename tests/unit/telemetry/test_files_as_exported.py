"""Files as other programs write them: read, or refused in one line. tests/README.md says whose."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from telemetry_folders import check, every, make_folder, narrow, said, write

from hydrascope.schemas import SpecError
from hydrascope.telemetry import ParquetSource

N = 300
TIMES = every(0.1, N)
WIDE = pd.DataFrame(
    {"timestamp": TIMES, "equipment_id": "press", "p": 100 + np.arange(N) % 7.0, "x": 1.0}
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "f")


def good_samples(folder: Path, **settings: object) -> dict[str, int]:
    """Return how many finite values each sensor's signal has over all extents."""
    source = ParquetSource(folder, **settings)  # type: ignore[arg-type]
    counts: dict[str, int] = {}
    for extent in source.extents("press"):
        for sensor, signal in source.read("press", extent).items():
            counts[sensor] = counts.get(sensor, 0) + int(np.isfinite(signal.values).sum())
    return counts


def refusal(folder: Path) -> str:
    with pytest.raises(SpecError) as error:
        ParquetSource(folder).extents("press")
    message = str(error.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


def arrow(folder: Path, **columns: object) -> None:
    table = {name: pa.array(WIDE[name]) for name in WIDE} | columns
    pq.write_table(pa.table(table), folder / "a.parquet")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_columns_that_are_no_sensor_may_hold_anything(folder: Path, suffix: str) -> None:
    shift = np.where(np.arange(N) % 2, "early", "late")
    write(WIDE.assign(shift=shift, batch=7, spare=np.nan), folder / f"a{suffix}")
    assert good_samples(folder) == {"p": N, "x": N, "T": 0}
    found = said(check(folder)[1], "press")
    assert "not in the machine file and left alone: batch; add" in found
    assert "without numbers and left alone: shift, spare" in found


def test_nested_columns_beside_the_sensors_are_left_alone(folder: Path) -> None:
    arrow(folder, meta=pa.array([{"a": 1, "timestamp": 2}] * N), raw=pa.array([[1, 2]] * N))
    assert good_samples(folder)["p"] == N


@pytest.mark.parametrize(
    "column",
    [
        pa.array(WIDE["p"]).dictionary_encode(),
        pa.array(WIDE["p"].astype("Int64")),
        pa.array(WIDE["p"], pa.float16()),
        pa.array(WIDE["p"].astype(int), pa.int64()).cast(pa.decimal128(25, 3)),
    ],
    ids=["categorical", "nullable", "half", "decimal"],
)
def test_numbers_of_any_type_are_numbers(folder: Path, column: pa.Array) -> None:
    arrow(folder, p=column)
    assert good_samples(folder)["p"] == N


@pytest.mark.parametrize("kind", [pa.string_view(), pa.large_string(), pa.binary()])
def test_text_of_any_type_is_text(folder: Path, kind: pa.DataType) -> None:
    arrow(folder, equipment_id=pa.array(WIDE["equipment_id"], pa.string()).cast(kind))
    assert good_samples(folder)["p"] == N


def test_times_as_text_views_are_times(folder: Path) -> None:
    text = pa.array(TIMES.strftime("%Y-%m-%dT%H:%M:%S.%fZ").to_list())
    arrow(folder, timestamp=text.cast(pa.string_view()))
    assert good_samples(folder)["p"] == N


def test_empty_row_groups_and_a_file_without_any_are_no_fault(folder: Path) -> None:
    table = pa.Table.from_pandas(WIDE, preserve_index=False)
    with pq.ParquetWriter(folder / "a.parquet", table.schema) as writer:
        for part in (table[:100], table[:0], table[100:]):
            writer.write_table(part)
    pq.ParquetWriter(folder / "none.parquet", table.schema).close()
    assert good_samples(folder)["p"] == N
    assert "holds no row of telemetry" in said(check(folder)[1], "none.parquet")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_folders_of_a_partition_stand_for_their_column(folder: Path, suffix: str) -> None:
    for sensor in ("p", "x"):
        rows = narrow(sensor, TIMES, WIDE[sensor]).drop(columns=["equipment_id", "sensor_id"])
        write(rows, folder / "equipment_id=press" / f"sensor_id={sensor}" / f"part-0{suffix}")
    assert good_samples(folder) == {"p": N, "x": N, "T": 0}


def test_a_fault_in_a_partition_names_its_line(folder: Path) -> None:
    place = folder / "equipment_id=press"
    place.mkdir()
    (place / "a.csv").write_text("timestamp,p\n2024-05-01T12:00:00Z,1\n2024-05-01T12:00:01Z,on\n")
    assert refusal(folder).startswith("equipment_id=press/a.csv:3: p is 'on'; expected a number")


def test_an_index_with_a_name_is_a_column_and_one_without_is_refused(folder: Path) -> None:
    WIDE.set_index("timestamp").to_parquet(folder / "a.parquet")
    assert good_samples(folder)["p"] == N
    WIDE.set_index("timestamp").rename_axis(None).to_parquet(folder / "a.parquet")
    assert refusal(folder).endswith(
        "__index_level_0__ is an index without a name: name it before the file is written"
    )


@pytest.mark.parametrize("block_bytes", [2000, 2**20])
def test_line_breaks_in_quotes_do_not_end_a_row(
    folder: Path, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hydrascope.telemetry.folder.blocks.CSV_BLOCK_BYTES", block_bytes)
    note = [f"seen {number}\n2024-05-01T12:00:00Z,press,1,2,later" for number in range(N)]
    write(WIDE.assign(note=note), folder / "a.csv")
    assert good_samples(folder)["p"] == N


def test_a_quote_that_is_never_closed_keeps_the_blocks_small(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hydrascope.telemetry.folder.blocks.CSV_BLOCK_BYTES", 2000)
    monkeypatch.setattr("hydrascope.telemetry.folder.blocks.LONGEST_ROW_BYTES", 500)
    write(WIDE.assign(note="5 inch"), folder / "a.csv")
    text = (folder / "a.csv").read_text().replace("5 inch", '5" pipe', 1)
    (folder / "a.csv").write_text(text)
    assert good_samples(folder)["p"] == N


def test_offsets_that_change_with_the_clocks_are_one_time(folder: Path) -> None:
    berlin = pd.date_range("2024-10-27T00:59:50Z", periods=N, freq="100ms").tz_convert(
        "Europe/Berlin"
    )
    write(WIDE.assign(timestamp=[each.isoformat() for each in berlin]), folder / "a.csv")
    assert good_samples(folder)["p"] == N


@pytest.mark.parametrize(
    ("local", "shown"), [("2024-03-31T02:10:00", "02:10"), ("2024-10-27T02:10:00", "02:10")]
)
def test_local_times_of_a_change_of_clocks_are_refused(
    folder: Path, local: str, shown: str
) -> None:
    times = pd.date_range(local, periods=N, freq="100ms")
    write(WIDE.assign(timestamp=times), folder / "a.csv")
    with pytest.raises(SpecError, match=rf"{shown}.* occurs twice or never in Europe/Berlin"):
        ParquetSource(folder, time_zone="Europe/Berlin").extents("press")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_counted_times_are_refused_with_their_likely_unit(
    folder: Path, unit: str, suffix: str
) -> None:
    counted = TIMES.tz_localize(None).astype(f"datetime64[{unit}]").astype("int64")
    write(WIDE.assign(timestamp=counted), folder / f"a{suffix}")
    assert f"counts {unit} since 1970, write pandas.to_datetime(…, unit='{unit}'" in refusal(folder)


def test_the_end_of_the_calendar_is_a_time_and_what_lies_beyond_is_refused(folder: Path) -> None:
    write(WIDE, folder / "a.parquet")
    (folder / "labels").mkdir()
    head = "equipment_id,start,end,wear\n"
    valid = "press,2024-05-01T12:00:00Z,9999-12-31T23:59:59Z,1\n"
    (folder / "labels" / "l.csv").write_text(head + valid)
    assert ParquetSource(folder).labels("press")["end"].iloc[0].year == 9999
    arrow(folder, timestamp=pa.array([2**62] * N, pa.timestamp("ms", "UTC")))
    assert refusal(folder).startswith("a.parquet: timestamp: a time outside the years 1 to 9999")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda text: text.replace(",", ";"), "the values are separated by ';': write commas, and"),
        (lambda text: text.replace(",", "\t"), "the values are separated by '\\t': write commas"),
        (
            lambda text: text.replace(",press,", ', press,"1,5",').replace("id,", "id,q,"),
            "press: no good sample",
        ),
        (lambda text: text.replace(",1.0\n", ',"1,5"\n'), "a.csv:2: x is '1,5'; expected a number"),
        (lambda text: text.replace("timestamp", " Timestamp"), "is ' Timestamp' the timestamp?"),
        (lambda text: text.replace("\n", "\n,,bar,mm\n", 1), "a.csv:2: timestamp: '' is not acc"),
    ],
    ids=["semicolon", "tab", "spaces", "decimal comma", "name", "units below the names"],
)
def test_a_dialect_of_csv_that_is_not_read_is_said_with_what_to_write(
    folder: Path, content: Callable[[str], str], message: str
) -> None:
    write(WIDE, folder / "a.csv")
    (folder / "a.csv").write_text(content((folder / "a.csv").read_text()))
    assert message in refusal(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"time\n", mtime=0), "a.csv: no text, but compressed by gzip; unpack it"),
        (b"PK\x03\x04 and so on", "a.csv: no text, but an archive (zip) or a spreadsheet; unpack"),
        (b"PAR1 and so on", "a.csv: no text, but Parquet; let its name end in .parquet"),
    ],
    ids=["gzip", "zip", "parquet"],
)
def test_a_binary_file_that_is_called_csv_is_named(
    folder: Path, content: bytes, message: str
) -> None:
    (folder / "a.csv").write_bytes(content)
    assert refusal(folder).startswith(message)


def test_samples_that_are_flagged_or_empty_do_not_make_a_sensor_slow(folder: Path) -> None:
    sparse = np.where(np.arange(N) % 3 == 1, np.nan, 1.0)
    good = np.where(np.arange(N) % 20 == 0, "good", "bad")
    write(WIDE.assign(x=sparse, p_quality=good), folder / "a.csv")
    report = check(folder, "--accept", "good")[1]
    recorded = report["machines"]["press"]
    assert recorded["p"]["recorded"]["rate_hz"] == pytest.approx(10)
    assert recorded["x"]["recorded"]["rate_hz"] == pytest.approx(10)
    assert "Hz, but the machine file says" not in said(report, "press/p") + said(report, "press/x")


def test_a_column_without_a_value_was_never_recorded(folder: Path) -> None:
    write(WIDE.assign(T="NA"), folder / "a.csv")
    assert "never recorded: T" in said(check(folder)[1], "press")


def test_of_two_columns_of_flags_the_one_that_is_used_is_said(folder: Path) -> None:
    write(WIDE.assign(quality="good", status="running"), folder / "a.csv")
    assert good_samples(folder, quality_accepted=["good"])["p"] == N
    message = said(check(folder, "--accept", "good")[1], "a.csv")
    assert "the flags in 'quality' are used, those in 'status' are not" in message


def test_an_id_with_spaces_is_shown_with_them(folder: Path) -> None:
    write(WIDE.assign(equipment_id=" press "), folder / "a.csv")
    message = said(check(folder)[1], "' press '")
    assert message.endswith("write one for it; did you mean 'press'?")
