"""Sensors are found under the names that a plant gives them, without rewriting its files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from telemetry_folders import check, every, machine, make_folder, narrow, said, write
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas import Machine, SensorSpec, SpecError, validate
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.check.names import other_unit
from hydrascope.telemetry.folder.settings import ReadingSettings
from hydrascope.telemetry.frame import FrameSource

N = 300
TAGS = {"p": "4711.PV", "T": "Hydraulik/Druck 1", "x": "Weg [mm]"}


def wide() -> pd.DataFrame:
    values = {name: 100 + np.sin(np.arange(N) / (3 + number)) for number, name in enumerate(TAGS)}
    return pd.DataFrame({"timestamp": every(0.1, N), "equipment_id": "press"} | values)


def tall() -> pd.DataFrame:
    frame = wide()
    return pd.concat([narrow(name, every(0.1, N), frame[name]) for name in TAGS])


def folder_with(folder: Path, aliases: dict[str, object]) -> Path:
    make_folder(folder)
    file = folder / "machines" / "press.yaml"
    described = yaml.safe_load(file.read_text())
    described["equipment"]["aliases"] = aliases
    file.write_text(yaml.safe_dump(described))
    return folder


def tagged(frame: pd.DataFrame) -> pd.DataFrame:
    if "sensor_id" in frame:
        return frame.assign(sensor_id=frame["sensor_id"].replace(TAGS))
    return frame.rename(columns=TAGS)


@pytest.mark.parametrize("frame", [wide(), tall()], ids=["wide", "narrow"])
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_tags_are_the_sensors_of_the_machine_file_in_files_check_and_frames(
    frame: pd.DataFrame, suffix: str, tmp_path: Path
) -> None:
    write(frame, make_folder(tmp_path / "plain") / f"a{suffix}")
    plain = ParquetSource(tmp_path / "plain")
    folder = folder_with(tmp_path / "tagged", {**TAGS, "x": ["old name", TAGS["x"]]})
    write(tagged(frame), folder / f"a{suffix}")
    source = ParquetSource(folder)
    assert source.fingerprint == plain.fingerprint
    framed = FrameSource(tagged(frame), source.machines(), ReadingSettings())
    (extent,) = plain.extents("press")
    for found in (source, framed):
        for sensor, signal in found.read("press", extent).items():
            np.testing.assert_array_equal(signal.values, plain.read("press", extent)[sensor].values)
    report = check(folder)[1]["machines"]["press"]
    assert {
        sensor: each["recorded"]["samples"] for sensor, each in report.items()
    } == dict.fromkeys(TAGS, N)


def test_of_two_names_of_one_instant_the_last_row_wins(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "f", {"p": "4711.PV"})
    times = every(0.1, N)
    rows = pd.concat([narrow("4711.PV", times, 1.0), narrow("p", times[:5], 2.0)])
    write(rows, folder / "a.parquet")
    source = ParquetSource(folder)
    (extent,) = source.extents("press")
    values = source.read("press", extent)["p"].values
    assert values.tolist() == [2.0] * 5 + [1.0] * (N - 5)


def test_flags_and_units_follow_the_tag(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "f", {"p": "4711.PV"})
    frame = wide()[["timestamp", "equipment_id"]]
    flags = np.where(np.arange(N) < 10, "bad", "good")
    write(frame.assign(**{"4711.PV": 14.5038, "4711.PV_quality": flags}), folder / "a.csv")
    source = ParquetSource(folder, units={"p": "psi"}, quality_accepted=["good"])
    (extent,) = source.extents("press")
    values = source.read("press", extent)["p"].values
    assert len(values) == N - 10
    np.testing.assert_allclose(values, 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("aliases", "message"),
    [
        ({"q": "a"}, "equipment.aliases.q: 'q' is not accepted; expected the id of a sensor: p, T"),
        ({"p": "a", "T": "a"}, "equipment.aliases.p[0]: 'a' is not accepted; expected one sensor"),
        ({"p": "T"}, "equipment.aliases.p[0]: 'T' is not accepted; expected one sensor for each"),
        ({"p": 4711}, "equipment.aliases.p[0]: 4711 is not accepted; expected a valid string; put"),
        ({"p": []}, "equipment.aliases.p: [] is not accepted"),
    ],
)
def test_aliases_are_refused_with_their_path(
    aliases: dict[str, object], message: str, tmp_path: Path
) -> None:
    file = folder_with(tmp_path / "f", aliases) / "machines" / "press.yaml"
    with pytest.raises(SpecError) as error:
        Machine.from_yaml(file)
    assert str(error.value).startswith(f"{file}: {message}")


def test_a_header_with_unit_or_spaces_is_said_with_the_alias_that_reads_it(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "f")
    write(wide().rename(columns={"p": "P [psi]", "T": " T "}), folder / "a.csv")
    message = said(check(folder)[1], "press")
    assert "never recorded: p (the files have 'P [psi]'), T (the files have ' T ')" in message
    remedy = 'aliases: {p: "P [psi]", T: " T "} under equipment in the machine file, and the units'
    assert f"{remedy} {{p: psi}} in the setting units" in message
    first = message.splitlines()[0].removeprefix("harms: ")
    remarks = ParquetSource(folder).remarks()
    assert f"press: {first}" in remarks
    assert remarks[-1].endswith("hydrascope check shows 2 notes more")

    folder_with(tmp_path / "g", {"p": "P [psi]", "T": " T "})
    write(wide().rename(columns={"p": "P [psi]", "T": " T "}), tmp_path / "g" / "a.csv")
    report = check(tmp_path / "g")[1]
    assert "never recorded" not in said(report, "press")
    assert "the name 'P [psi]' says psi, the machine file bar" in said(report, "press/p")
    named = check(tmp_path / "g", "--unit", "p=psi")[1]
    assert "says psi" not in said(named, "press/p")


@pytest.mark.parametrize(
    ("name", "kind", "unit", "other"),
    [
        ("n [1/min]", "speed", "rpm", None),
        ("n [1/s]", "speed", "rpm", "1/s"),
        ("T (°C)", "temperature", "degC", None),
        ("T (°F)", "temperature", "degC", "degF"),
    ],
)
def test_another_spelling_of_a_unit_is_no_other_unit(
    name: str, kind: str, unit: str, other: str | None
) -> None:
    spec = {"id": "n", "kind": kind, "unit": unit, "rate_hz": 1}
    assert other_unit(name, validate(SensorSpec, spec)) == other


def test_a_column_of_texts_is_no_sensor_of_the_check(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "f")
    write(wide().assign(operator="Kim", extra=1.5), folder / "a.csv")
    report = check(folder)[1]
    assert "left alone: extra; add" in said(report, "press")
    shown = CliRunner().invoke(app, ["check", str(folder)]).stdout
    assert "extra" in shown
    assert shown.count("operator") == 1
    assert "without numbers and left alone: operator" in shown


def test_a_folder_of_which_no_name_is_known_stops_with_the_aliases(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "f")
    write(tagged(wide()).rename(columns={"4711.PV": "p (bar)"}), folder / "a.csv")
    with pytest.raises(SpecError, match=r'no good sample .* aliases: \{p: "p \(bar\)"\} under equ'):
        ParquetSource(folder).extents("press")


def test_a_frame_says_which_sensor_a_column_may_be() -> None:
    described = validate(Machine, machine())
    with pytest.raises(SpecError, match=r"'p \[bar\]' is no sensor of press; .* did you mean 'p'"):
        FrameSource(
            wide().rename(columns={"p": "p [bar]"}), {"press": described}, ReadingSettings()
        )
