"""`hydrascope init`: first files for a folder of telemetry as people export it."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tests.support.raw_folders import actuators, engines, narrow_press, water_loop
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas import SensorKind, TaskSpec, validate
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine_file import machines_in
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.init.headers import columns_of, sensor_of


def init(folder: Path, *options: str) -> Path:
    """Run the command; return the folder that it wrote."""
    into = folder.parent / f"own_{folder.name}"
    result = CliRunner().invoke(app, ["init", str(folder), "--into", str(into), *options])
    assert result.exit_code == 0, result.output
    command = f"python -m hydrascope train --config-dir {into / 'conf'} experiment={folder.name}"
    assert result.output.splitlines()[-1].strip() == command
    return into


def source_of(into: Path, name: str) -> ParquetSource:
    """The source that the experiment file names."""
    experiment = load_yaml(into / "conf" / "experiment" / f"{name}.yaml")
    assert isinstance(experiment, dict)
    return ParquetSource(**experiment["data"]["source"])


@pytest.mark.parametrize(
    ("header", "kind", "unit", "guessed"),
    [
        ("p_out [bar]", "pressure", "bar", ()),
        ("p_out_bar", "pressure", "bar", ()),
        ("Temp (°C)", "temperature", "degC", ()),
        ("oil temperature", "temperature", "degC", ("kind", "unit")),
        ("Q [l/min]", "flow", "l/min", ()),
        ("speed [1/min]", "speed", "rpm", ()),
        ("stroke [mm]", "position", "mm", ("kind",)),
        ("x17", "signal", "1", ("kind", "unit")),
        ("turbidity [NTU]", "signal", "NTU", ("kind", "unit")),
    ],
)
def test_a_header_says_kind_and_unit_and_what_it_does_not_say_is_marked(
    header: str, kind: str, unit: str, guessed: tuple[str, ...]
) -> None:
    found = sensor_of(header)
    assert (found.kind, found.unit, found.guessed) == (kind, unit, guessed)


def test_a_header_may_name_the_component() -> None:
    assert sensor_of("pump_p_out [bar]").component == "pump"
    assert sensor_of("Kuehler").component is None


def test_columns_are_told_apart_by_their_names() -> None:
    wide = columns_of(["Time", "Machine ID", "p [bar]", "quality", "fault"])
    assert (wide.time, wide.machine, wide.sensors) == ("Time", "Machine ID", ("p [bar]",))
    assert wide.labels == ("fault",)
    narrow = columns_of(["ts", "asset", "tag", "value", "unit"])
    assert (narrow.sensor, narrow.value, narrow.unit) == ("tag", "value", "unit")


@pytest.mark.parametrize(
    ("headers", "time", "machine"),
    [
        (["recorded_at", "Maschine", "t [degC]"], "recorded_at", "Maschine"),
        (["Zeitpunkt", "Gerät", "T"], "Zeitpunkt", "Gerät"),
        (["t", "Asset Name", "p [bar]"], "t", "Asset Name"),
    ],
)
def test_a_temperature_is_no_time_and_machines_have_many_names(
    headers: list[str], time: str, machine: str
) -> None:
    found = columns_of(headers)
    assert (found.time, found.machine, found.sensors) == (time, machine, (headers[2],))


def test_files_of_one_name_in_several_folders_are_several_machines(tmp_path: Path) -> None:
    for pump, level in (("pump_1", 10.0), ("pump_2", 90.0)):
        file = tmp_path / "plant" / pump / "log.csv"
        file.parent.mkdir(parents=True)
        times = pd.date_range("2026-01-01", periods=100, freq="1s")
        pd.DataFrame({"timestamp": times, "p [bar]": level}).to_csv(file, index=False)
    source = source_of(init(tmp_path / "plant"), "plant")
    assert set(source.machines()) == {"pump_1_log", "pump_2_log"}
    for name, level in (("pump_1_log", 10.0), ("pump_2_log", 90.0)):
        (extent,) = source.extents(name)
        (signal,) = source.read(name, extent).values()
        assert set(signal.values.tolist()) == {level}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Datum;Uhrzeit;p [bar]\n01.01.2026;12:00:00;149,2\n", "'Datum' and 'Uhrzeit'"),
        ("# logger v3\ntimestamp,p [bar]\n2026-01-01 00:00:00,1\n", "is a comment"),
        ("timestamp,p [bar],p [bar]\n2026-01-01 00:00:00,1,2\n", "are called 'p [bar]'"),
    ],
)
def test_columns_that_cannot_be_told_apart_are_one_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "log.csv").write_text(text)
    result = CliRunner().invoke(app, ["init", str(tmp_path / "raw"), "--into", str(tmp_path / "o")])
    assert isinstance(result.exception, SpecError)
    assert complaint in str(result.exception)
    assert not (tmp_path / "o").exists()


def test_a_german_export_becomes_telemetry_of_one_machine(tmp_path: Path) -> None:
    folder = water_loop(tmp_path / "loop")
    into = init(folder)
    (machine,) = machines_in(into / "machines" / "loop.yaml")
    pump, rest = machine.topology.components
    assert [sensor.unit for sensor in (*pump.sensors, *rest.sensors)] == ["bar", "degC", "1"]
    assert {sensor.rate_hz for _, sensor in machine.topology.sensors} == {1.0}
    assert [line.kind for line in machine.topology.edges] == ["link"]
    source = source_of(into, "loop")
    (extent,) = source.extents("loop")
    assert extent.start.isoformat() == "2024-03-01T00:00:00+00:00"
    raw = pd.read_csv(folder / "export.csv", sep=";", decimal=",")
    values = source.read("loop", extent)["pump_p_out"].values
    assert values.tolist() == pytest.approx(raw["pump_p_out [bar]"].tolist(), rel=1e-6)
    text = (into / "machines" / "loop.yaml").read_text()
    assert 'x17", kind: "signal", unit: "1", rate_hz: 1.0}  # guessed: kind, unit' in text
    assert validate(TaskSpec, load_yaml(into / "conf" / "task" / "loop.yaml")).normality


def test_engines_by_number_share_a_machine_file(tmp_path: Path) -> None:
    into = init(engines(tmp_path / "engines"))
    machines = machines_in(into / "machines" / "engines.yaml")
    assert [each.equipment.equipment_id for each in machines] == [f"m{n}" for n in range(1, 7)]
    source = source_of(into, "engines")
    assert [source.extents(name)[0].start.second for name in source.machines()] == [1] * 6
    experiment = (into / "conf" / "experiment" / "engines.yaml").read_text()
    assert "# Guessed: time_in_cycles is a counter: one count is read as a second" in experiment
    assert "time_zone: counter" in experiment


def test_labels_in_rows_become_intervals_and_a_head(tmp_path: Path) -> None:
    into = init(actuators(tmp_path / "actuators"))
    source = source_of(into, "actuators")
    assert len(source.machines()) == 8
    labels = source.labels("actuator_0")
    assert labels["condition"].tolist() == [0, 1, 0, 1]
    lengths = (labels["end"] - labels["start"]).dt.total_seconds()
    assert lengths.tolist() == pytest.approx([30.0] * 4)
    (head,) = validate(TaskSpec, load_yaml(into / "conf" / "task" / "actuators.yaml")).heads
    assert (head.name, head.kind, head.healthy) == ("condition", "multi_class", 0)
    assert [each.name for each in head.classes] == ["normal", "stuck"]
    assert "name: by_machine" in (into / "conf" / "experiment" / "actuators.yaml").read_text()


def test_telemetry_that_sources_read_is_not_copied(tmp_path: Path) -> None:
    folder = narrow_press(tmp_path / "press")
    into = init(folder, "--time-zone", "Europe/Berlin")
    assert not (into / "telemetry").exists()
    assert len(source_of(into, "press").extents("press_7")) == 1
    assert "time_zone: Europe/Berlin" in (into / "conf" / "experiment" / "press.yaml").read_text()


def test_files_that_exist_are_kept(tmp_path: Path) -> None:
    folder = narrow_press(tmp_path / "press")
    into = init(folder)
    again = CliRunner().invoke(app, ["init", str(folder), "--into", str(into)])
    assert again.exit_code == 1
    assert "is there already; expected a new folder" in str(again.exception)


def test_on_a_terminal_it_asks_for_what_no_header_says(tmp_path: Path) -> None:
    folder = water_loop(tmp_path / "loop", rows=120)
    terminal, stdin = os.openpty()
    os.write(terminal, b"particle_count\n1/ml\n")
    command = [sys.executable, "-m", "hydrascope", "init", str(folder)]
    result = subprocess.run(
        command, cwd=tmp_path, stdin=stdin, capture_output=True, text=True, check=True
    )
    assert "x17: kind (pressure, flow," in result.stdout
    assert "Temp" not in result.stdout
    (machine,) = machines_in(tmp_path / "own" / "machines" / "loop.yaml")
    sensors = {sensor.id: sensor for _, sensor in machine.topology.sensors}
    assert sensors["x17"].kind == SensorKind.PARTICLE_COUNT
    assert sensors["x17"].unit == "1/ml"
