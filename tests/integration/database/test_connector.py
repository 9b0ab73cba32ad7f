"""The connector against a real server: what is written is read, however often it is written."""

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from databases import NOON, connected, connections, machine, seconds, sql, telemetry

from hydrascope.schemas import SpecError, TimeWindow
from hydrascope.telemetry.timescale.connector import Request, TimescaleConnector


async def filled(connector: TimescaleConnector, instants: int = 500, sensors: int = 3) -> None:
    await connector.equipment.save(machine(sensors))
    await connector.write_telemetry("press", telemetry(instants, sensors))


def test_what_is_written_is_read(dsn: str) -> None:
    async def work() -> None:
        async with connected(dsn) as connector:
            await filled(connector)
            whole = telemetry(500)
            read = await connector.fetch_sensor_data("press", seconds(0, 50))
            pd.testing.assert_frame_equal(read, whole)
            part = await connector.fetch_sensor_data("press", seconds(10, 20.05), ["s2", "s0"])
            inside = whole["time"].between(
                NOON + timedelta(seconds=10), NOON + timedelta(seconds=20.04)
            )
            for name in ("s0", "s2"):
                expected = whole[inside & (whole["sensor_id"] == name)]
                found = part[part["sensor_id"] == name]
                assert found["time"].tolist() == expected["time"].tolist()
                assert found["value"].tolist() == expected["value"].tolist()
            assert set(part["sensor_id"]) == {"s0", "s2"}

    asyncio.run(work())
    assert connections(dsn) == 0
