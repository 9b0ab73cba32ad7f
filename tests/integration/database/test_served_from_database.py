"""The service with a real database beside it: what it reads, what it keeps, and its loss."""

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from databases import connected, sql
from serving_parts import Served, cycle_json
from tests.support.postgres import Server, postgres

from hydrascope.schemas import Machine
from hydrascope.telemetry.timescale.database import Database
from hydrascope.telemetry.timescale.migrations import upgrade
from hydrascope.telemetry.timescale.settings import database_settings
from hydrascope.telemetry.zema import ZemaSource


def rig_at_1_hz(zema: ZemaSource) -> Machine:
    """The rig as the embedded set has it, as a second machine of its build."""
    plain = zema.machines()["zema"].model_dump(mode="json")
    plain["equipment"] |= {"equipment_id": "rig_1hz", "name": "Rig at 1 Hz"}
    for component in plain["topology"]["components"]:
        for sensor in component["sensors"]:
            sensor["rate_hz"] = 1.0
    return Machine.model_validate(plain)


def frame_of(asked: dict[str, Any]) -> pd.DataFrame:
    start = datetime.fromisoformat(asked["start"])
    parts = [
        pd.DataFrame(
            {
                "time": pd.date_range(start, periods=len(signal["values"]), freq="1s"),
                "sensor_id": name,
                "value": np.array(signal["values"], dtype=np.float64),
            }
        )
        for name, signal in asked["signals"].items()
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def asked(zema: ZemaSource) -> dict[str, Any]:
    return cycle_json(zema, 300) | {"equipment_id": "rig_1hz"}


def fill(dsn: str, machine: Machine, asked: dict[str, Any]) -> None:
    async def work() -> None:
        async with Database(database_settings(dsn=dsn)) as database:
            await upgrade(database)
        async with connected(dsn) as connector:
            await connector.equipment.save(machine)
            await connector.write_telemetry("rig_1hz", frame_of(asked))

    asyncio.run(work())


def findings(answer: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        head: found["probabilities"]
        for heads in (answer["machine"], *answer["components"].values())
        for head, found in heads.items()
    }


def test_telemetry_is_read_answers_are_kept_and_a_lost_database_is_borne(
    bundle: Path, zema: ZemaSource, asked: dict[str, Any]
) -> None:
    with postgres() as server:
        dsn = server.dsn()
        fill(dsn, rig_at_1_hz(zema), asked)
        served = Served(bundle=str(bundle), database=dsn, deadline_s=4.0, cache_entries=0)
        try:
            _read_and_keep(served, dsn, asked)
            _lose(served, server, asked)
        finally:
            served.close()


def _read_and_keep(served: Served, dsn: str, asked: dict[str, Any]) -> None:
    known = [each["equipment_id"] for each in served.get("/v1/equipment").json()]
    assert sorted(known) == ["rig_1hz", "zema"]
    inline = served.post("/v1/diagnose", asked).json()
    named = {"equipment_id": "rig_1hz", "start": asked["start"], "store": True}
    read = served.post("/v1/diagnose", named).json()
    assert read["missing"] == {}
    for head, values in findings(inline).items():
        assert findings(read)[head] == pytest.approx(values, abs=1e-5)

    served.post("/v1/diagnose", named)  # kept once
    ((start, bundle, content),) = sql(
        dsn, "SELECT window_start, bundle, content FROM hydrascope.predictions"
    )
    assert start == datetime.fromisoformat(asked["start"])
    assert bundle == read["model"]["version"]
    assert findings(json.loads(content)) == findings(read)

    later = datetime.fromisoformat(asked["start"]) + timedelta(days=1)
    nothing = served.post("/v1/diagnose", named | {"start": later.isoformat()})
    assert nothing.status_code == 422
    assert nothing.json()["errors"][0]["field"] == "start"

    path = "/v1/equipment/rig_1hz/reference"
    assert served.put(path, {"windows": [{"start": asked["start"]}]}).status_code == 200
    (kept,) = served.get(path).json()["windows"]  # as it was read from the database
    assert kept["signals"]["PS1"]["values"] == asked["signals"]["PS1"]["values"]
    other = Served(bundle=served.settings.bundle, database=dsn, cache_entries=0)
    try:
        assert other.get(path).json()["windows"] == [kept]
        assert other.delete(path).status_code == 204
        assert other.get(path).status_code == other.delete(path).status_code == 404
    finally:
        other.close()
    assert sql(dsn, "SELECT count(*) FROM hydrascope.reference_windows") == [(0,)]
    served.put(path, {"windows": [{"start": asked["start"]}]})
    assert served.delete(path).status_code == 204

    added = served.get("/v1/equipment/rig_1hz").json()["machine"]
    added["equipment"]["equipment_id"] = "rig_3"
    assert served.post("/v1/equipment", added).status_code == 201
    rows = sql(dsn, "SELECT equipment_id FROM hydrascope.equipment ORDER BY equipment_key")
    assert [row[0] for row in rows] == ["rig_1hz", "rig_3"]


def _lose(served: Served, server: Server, asked: dict[str, Any]) -> None:
    named = {"equipment_id": "rig_1hz", "start": asked["start"]}
    server.stop()
    away = served.post("/v1/diagnose", named)
    assert away.status_code == 503
    assert int(away.headers["retry-after"]) >= 1
    assert "postgres" not in away.text.lower()
    # Whoever brings his own signals is answered all the same, and readiness holds.
    assert served.post("/v1/diagnose", asked).status_code == 200
    assert served.get("/readyz").status_code == 200
    server.start()
    assert served.post("/v1/diagnose", named).status_code == 200
