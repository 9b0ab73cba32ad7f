"""A simulated fleet answers like any source; its truth is consistent; a folder of it trains."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas import SpecError, TimeWindow
from hydrascope.simulation.faults import ACTIVE, Fault
from hydrascope.simulation.trajectory import Course, FaultCourse, ground_truth
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.fleet import START, FleetSource
from hydrascope.telemetry.fleet_export import Format, export_fleet

KINDS = ("machining_centre", "robot")


def fleet(machines: int = 1, **settings: object) -> FleetSource:
    small = {"kinds": KINDS, "hours": 0.1, "recording_min": 3.0, "seed": 4}
    return FleetSource(machines, **(small | settings))  # type: ignore[arg-type]


def test_what_is_read_depends_on_the_seed_alone_not_on_the_fleet_nor_on_the_order() -> None:
    small, large = fleet(1), fleet(3)
    first, second = small.extents("robot_000")
    later = large.read("robot_000", second)
    large.read("machining_centre_002", large.extents("machining_centre_002")[0])
    for name, signal in small.read("robot_000", second).items():
        np.testing.assert_array_equal(signal.values, later[name].values)
    part = TimeWindow(start=first.start, end=first.start + (first.end - first.start) / 3)
    whole = small.read("robot_000", first)
    for name, signal in small.read("robot_000", part).items():
        np.testing.assert_array_equal(signal.values, whole[name].values[: len(signal.values)])
    other = fleet(1, seed=5).read("robot_000", first)
    assert any(
        not np.array_equal(signal.values, other[name].values) for name, signal in whole.items()
    )
    assert small.machine_fingerprint("robot_000") == large.machine_fingerprint("robot_000")
    assert small.fingerprint != large.fingerprint


def test_sensors_keep_their_rates_ranges_and_errors() -> None:
    source = fleet()
    (extent, _) = source.extents("robot_000")
    signals = source.read("robot_000", extent)
    sensors = {s.id: s for _, s in source.machines()["robot_000"].topology.sensors}
    assert set(signals) == set(sensors)
    for name, signal in signals.items():
        assert len(signal.values) == 180 * sensors[name].rate_hz
        known = signal.values[np.isfinite(signal.values)]
        low, high = sensors[name].range or (-np.inf, np.inf)
        assert len(known) > 0.5 * len(signal.values)
        assert ((known >= low - 1e-3) & (known <= high + 1e-3)).all()
        assert np.std(known) > 0


def test_an_unknown_machine_and_a_time_without_recording_are_refused() -> None:
    source = fleet()
    first, second = source.extents("robot_000")
    with pytest.raises(ValueError, match="no machine 'crane'; there are: machining_centre_000"):
        source.extents("crane")
    with pytest.raises(ValueError, match="no telemetry of 'robot_000'"):
        source.read("robot_000", TimeWindow(start=first.start, end=second.end))


def test_the_truth_of_a_fault_follows_its_course() -> None:
    hours = np.arange(0.0, 300.0)
    linear = FaultCourse(Fault.LEAKAGE, "pump", Course.LINEAR, 100.0, 100.0)
    truth = ground_truth([linear], ["pump", "tank"], hours)
    np.testing.assert_allclose(truth["health"][100:200], 1 - (hours[100:200] - 100) / 100)
    np.testing.assert_array_equal(truth["pump.health"], truth["health"])
    assert (truth["tank.health"] == 1).all()
    np.testing.assert_allclose(truth["remaining_life"][100:200], (200 - hours[100:200]) / 1e3)
    assert (truth["remaining_life"][:100] == 1.0).all()
    assert (truth["remaining_life"][200:] == 1.0).all()  # repaired
    np.testing.assert_array_equal(truth["leakage"] == 1, 1 - truth["health"] >= ACTIVE)
    assert truth["cavitation"].max() == 0
    np.testing.assert_array_equal(truth["pump.leakage"], truth["leakage"])
    np.testing.assert_allclose(truth["pump.leakage_severity"], 1 - truth["health"], atol=1e-12)
    # What a component cannot have is known too: it has not got it.
    for fault in Fault:
        assert truth[f"tank.{fault}"].max() == truth[f"tank.{fault}_severity"].max() == 0
    assert truth["pump.overheating"].max() == truth["pump.overheating_severity"].max() == 0
    falls = -np.diff(truth["health"][100:200]) * 1e3
    np.testing.assert_allclose(truth["degradation_rate"][100:199], falls, rtol=1e-6)


@pytest.mark.parametrize("course", list(Course))
def test_every_course_grows_to_failure_and_its_rate_is_its_slope(course: Course) -> None:
    fault = FaultCourse(Fault.LEAKAGE, "pump", course, 10.0, 1_000.0)
    hours = np.linspace(10.0, 1_009.9, 5_000)
    growth = fault.growth(hours)
    assert (np.diff(growth) > 0).all()
    assert growth[-1] == pytest.approx(1.0, abs=1e-3)
    slope = np.gradient(growth, hours)
    np.testing.assert_allclose(fault.rate_per_h(hours)[5:-5], slope[5:-5], rtol=1e-3)
    present = fault.present(hours).mean()
    assert present == pytest.approx(0.6 if course is Course.INTERMITTENT else 1.0, abs=0.02)


def test_the_truth_of_a_machine_is_that_of_its_components() -> None:
    source = fleet(6, fault_rate=8.0, hours=1.0)
    seen = 0.0
    for name, machine in source.machines().items():
        labels = source.labels(name)
        ids = {component.id for component in machine.topology.components}
        for fault in Fault:
            own = [c for c in labels if c.endswith(f".{fault}") and c.split(".")[0] in ids]
            assert len(own) == len(ids)
            severity = labels[[f"{name}_severity" for name in own]]
            np.testing.assert_array_equal(labels[own], (severity >= ACTIVE).astype(float))
            np.testing.assert_array_equal(labels[own].max(axis=1), labels[fault.value])
            seen += labels[fault.value].sum()
    assert seen > 0


def test_commissioning_is_recorded_before_every_fault_and_changes_nothing_of_what_follows() -> None:
    without, source = fleet(5, fault_rate=20.0), fleet(5, fault_rate=20.0, commissioning=3)
    assert without.machine_fingerprint("robot_000") != source.machine_fingerprint("robot_000")
    for name in source.machines():
        extents, labels = source.extents(name), source.labels(name)
        assert extents[3:] == without.extents(name)
        assert extents == sorted(extents, key=lambda extent: extent.start)
        assert labels["commissioning"].tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]
        before = labels[labels["commissioning"] == 1]
        assert (before.filter(regex=r"health$") == 1.0).all(axis=None)
        assert (before[[fault.value for fault in Fault]] == 0.0).all(axis=None)
        assert (before["remaining_life"] == 1.0).all()
        for course in source.member(name).courses:
            hours = (extents[2].end - START).total_seconds() / 3600
            assert course.onset_h > hours
    first, second, *_, last = source.extents("robot_000")
    sound = [source.read("robot_000", extent) for extent in (first, second)]
    later, same = source.read("robot_000", last), without.read("robot_000", last)
    for sensor, signal in later.items():
        np.testing.assert_array_equal(signal.values, same[sensor].values)
    # Set, loaded and cooled otherwise.
    setting = [np.nanmean(each["pressure_setting"].values) for each in sound]
    assert abs(setting[0] - setting[1]) > 1.0


def test_a_folder_written_from_a_fleet_reads_back_as_the_fleet(tmp_path: Path) -> None:
    source, folder = fleet(commissioning=1), tmp_path / "fleet"
    hours: list[float] = []
    export_fleet(source, folder, Format.PARQUET, hours.append)
    assert sum(hours) == pytest.approx(2 * 0.15)
    own = ParquetSource(folder)
    assert set(own.machines()) == {"robot_000", "machining_centre_000"}
    for name, machine in source.machines().items():
        assert own.machines()[name] == machine
        first = source.extents(name)[0]
        read = own.read(name, TimeWindow(start=first.start, end=own.extents(name)[0].end))
        for sensor, signal in source.read(name, first).items():
            theirs = read[sensor].values
            known = np.isfinite(signal.values[: len(theirs)])
            np.testing.assert_array_equal(theirs[known], signal.values[: len(theirs)][known])
        truth = source.labels(name)
        pd.testing.assert_frame_equal(own.labels(name)[truth.columns], truth, check_dtype=False)
    described = json.loads((folder / "fleet.json").read_text())
    assert described["parameters"]["seed"] == 4
    assert set(described["topologies"]) == set(KINDS)
    with pytest.raises(SpecError, match="holds files; expected an empty folder"):
        export_fleet(source, folder, Format.PARQUET, hours.append)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_command_writes_other_formats(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    options = ["--machines=1", "--kind=machining_centre", "--hours=0.02", "--recording-min=1"]
    options.append("--commissioning=1")
    result = CliRunner().invoke(app, ["simulate", str(folder), *options, f"--format={form}"])
    assert result.exit_code == 0, result.output
    path = folder / f"machining_centre_000.{form}"
    rows = pd.read_csv(path) if form == "csv" else pd.read_json(path, lines=True)
    assert list(rows.columns) == ["timestamp", "equipment_id", "sensor_id", "value"]
    assert rows["sensor_id"].nunique() == 23
    assert pd.to_datetime(rows["timestamp"], utc=True, format="ISO8601").min() < START
    assert rows["value"].notna().all()
