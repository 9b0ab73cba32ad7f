"""The same samples are the same signals, whichever way they come in."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from databases import NOON, connected, machine, seconds, settings, sql, telemetry

from hydrascope.schemas import Machine, SpecError, validate
from hydrascope.serving.diagnosis.requests import WindowIn, read_window
from hydrascope.serving.equipment.database_store import DatabaseEquipmentStore
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.folder.settings import ReadingSettings
from hydrascope.telemetry.frame import FrameSource
from hydrascope.telemetry.source import Signal
from hydrascope.telemetry.timescale.source import TimescaleSource

WINDOW_S = 20.0
SENSORS = ("s0", "s1", "s2")
TAGS = {"s0": "4711.PV", "s2": "Hydraulik/Druck 1"}


@pytest.fixture
def press() -> Machine:
    plain = machine().model_dump(mode="json")
    for sensor in plain["topology"]["components"][0]["sensors"]:
        sensor["range"] = [60.0, 140.0]
    return validate(Machine, plain)


@pytest.fixture
def samples() -> pd.DataFrame:
    """A window with values beyond the range, flags that say bad, and instants without a value."""
    frame = telemetry(round(10 * WINDOW_S))
    random = np.random.default_rng(3)
    frame["value"] = frame["value"].astype(np.float32).astype(np.float64)
    frame.loc[[5, 6, 210], "value"] = [1e5, -1e5, 3e38]
    frame["quality"] = np.where(random.random(len(frame)) < 0.1, random.integers(1, 3), 0)
    return frame[random.random(len(frame)) > 0.05].reset_index(drop=True)


@pytest.fixture
def tagged(press: Machine) -> Machine:
    """The same machine, of whose sensors two have another name where the samples come from."""
    plain = press.model_dump(mode="json")
    plain["equipment"]["aliases"] = {**TAGS, "s0": ["old name", TAGS["s0"]]}
    return validate(Machine, plain)


def as_rows(samples: pd.DataFrame) -> pd.DataFrame:
    return samples.rename(columns={"time": "timestamp"}).assign(equipment_id="press")


def from_folder(folder: Path, press: Machine, samples: pd.DataFrame) -> Mapping[str, Signal]:
    (folder / "machines").mkdir()
    described = press.model_dump(mode="json", exclude_defaults=True)
    (folder / "machines" / "press.yaml").write_text(yaml.safe_dump(described))
    as_rows(samples).to_parquet(folder / "press.parquet", index=False)
    return ParquetSource(folder, quality_accepted=[0]).read("press", seconds(0, WINDOW_S))


def from_frame(press: Machine, samples: pd.DataFrame) -> Mapping[str, Signal]:
    reading = ReadingSettings(quality_accepted=(0,))
    source = FrameSource(as_rows(samples), {"press": press}, reading)
    return source.read("press", seconds(0, WINDOW_S))


def from_request(press: Machine, samples: pd.DataFrame) -> Mapping[str, Signal]:
    """A request has no flags: what is flagged is left out by whoever sends it."""
    good = samples[samples["quality"] == 0].astype({"sensor_id": str})
    table = good.pivot_table(index="time", columns="sensor_id", values="value")
    table = table.reindex(pd.date_range(NOON, periods=round(10 * WINDOW_S), freq="100ms"))
    signals = {
        name: {"values": [None if np.isnan(value) else value for value in table[name]]}
        for name in table
    }
    request = validate(WindowIn, {"start": NOON, "signals": signals})
    return read_window(request, press, WINDOW_S).signals


async def from_database(dsn: str, press: Machine, samples: pd.DataFrame) -> Mapping[str, Signal]:
    """As the service reads it."""
    async with connected(dsn) as connector:
        await connector.equipment.save(press)
        await connector.write_telemetry("press", samples)
    store = DatabaseEquipmentStore(settings(dsn), {})
    try:
        return await store.read_signals(await store.get("press"), seconds(0, WINDOW_S))
    finally:
        await store.close()


def test_the_same_samples_give_the_same_values_through_every_door(
    dsn: str, tmp_path: Path, press: Machine, samples: pd.DataFrame
) -> None:
    (tmp_path / "folder").mkdir()
    found = {
        "folder": from_folder(tmp_path / "folder", press, samples),
        "frame": from_frame(press, samples),
        "request": from_request(press, samples),
        "service's database": asyncio.run(from_database(dsn, press, samples)),
        "training's database": TimescaleSource(dsn, scans=tmp_path / "scans").read(
            "press", seconds(0, WINDOW_S)
        ),
    }

    folder = found["folder"]
    assert 0.1 < np.isnan(folder["s0"].values).mean() < 0.9
    for door, signals in found.items():
        assert signals.keys() == set(SENSORS), door
        for name, signal in signals.items():
            np.testing.assert_array_equal(signal.values, folder[name].values, err_msg=door)


def from_wide_table(
    dsn: str, folder: Path, press: Machine, samples: pd.DataFrame
) -> Mapping[str, Signal]:
    """A wide table has no flags, and neither has a cell of it without a sample."""
    good = samples[samples["quality"] == 0].astype({"sensor_id": str})
    table = good.pivot_table(index="time", columns="sensor_id", values="value")
    columns = ", ".join(f'"{name}" float8' for name in table)
    sql(dsn, f"CREATE TABLE readings (timestamp timestamptz, equipment_id text, {columns})")

    async def fill() -> None:
        filled = table.astype(object).where(table.notna(), None)
        records = [(at.to_pydatetime(), "press", *rest) for at, *rest in filled.itertuples()]
        async with connected(dsn) as connector:
            await connector.database.run(
                lambda c: c.copy_records_to_table("readings", records=records)
            )

    asyncio.run(fill())
    file = folder / "press.yaml"
    file.write_text(yaml.safe_dump(press.model_dump(mode="json", exclude_defaults=True)))
    source = TimescaleSource(
        dsn, table={"name": "readings"}, machines=str(file), scans=folder / "scans"
    )
    return source.read("press", seconds(0, WINDOW_S))


def test_sensors_may_have_their_aliases_at_every_door(
    dsn: str, tmp_path: Path, press: Machine, tagged: Machine, samples: pd.DataFrame
) -> None:
    renamed = samples.assign(sensor_id=samples["sensor_id"].astype(str).replace(TAGS))
    for door in ("plain", "folder", "wide"):
        (tmp_path / door).mkdir()
    plain = from_folder(tmp_path / "plain", press, samples)
    found = {
        "folder": from_folder(tmp_path / "folder", tagged, renamed),
        "frame": from_frame(tagged, renamed),
        "request": from_request(tagged, renamed),
        "service's database": asyncio.run(from_database(dsn, tagged, renamed)),
        "wide table": from_wide_table(dsn, tmp_path / "wide", tagged, renamed),
    }
    for door, signals in found.items():
        assert signals.keys() == set(SENSORS), door
        for name, signal in signals.items():
            np.testing.assert_array_equal(signal.values, plain[name].values, err_msg=door)


def test_a_request_names_each_sensor_once(tagged: Machine) -> None:
    given = {"values": [100.0] * 200}

    def ask(*names: str) -> None:
        request = {"start": NOON, "signals": dict.fromkeys(names, given)}
        read_window(validate(WindowIn, request), tagged, WINDOW_S)

    with pytest.raises(SpecError, match=r"^signals\.4711\.PV: sensor s0 is given twice; expected"):
        ask("s0", "4711.PV", "s1")
    with pytest.raises(SpecError, match=r"4711\.PB: no such sensor; .* did you mean '4711\.PV'"):
        ask("4711.PB")
