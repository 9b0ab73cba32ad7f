"""Machines, topologies and labels come back from the database as they were saved."""

import asyncio
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from databases import NOON, connected, filled, machine, on_both_servers, settings, sql, telemetry

from hydrascope.schemas import SpecError
from hydrascope.serving.equipment.database_store import DatabaseEquipmentStore


@on_both_servers
def test_topologies_have_versions_and_machines_come_back_as_they_were(dsn: str) -> None:
    async def work() -> None:
        async with connected(dsn) as connector:
            three, four = machine(3), machine(4)
            for version, each in ((1, three), (1, three), (2, four), (2, four), (3, three)):
                assert await connector.topologies.save(each.topology) == version
            assert await connector.topologies.get("press_build", 2) == four.topology
            assert await connector.topologies.get("press_build") == three.topology
            await connector.equipment.save(four)
            await connector.equipment.save(machine(2, "other"))
            assert await connector.equipment.all() == {"press": four, "other": machine(2, "other")}
            with pytest.raises(SpecError, match=r"no machine 'prss'.*did you mean 'press'"):
                await connector.equipment.get("prss")

    asyncio.run(work())


@on_both_servers
def test_one_invalid_machine_does_not_hide_the_others(dsn: str) -> None:
    async def save() -> None:
        async with connected(dsn) as connector:
            await connector.equipment.save(machine(2, "other"))
            await connector.equipment.save(machine(3))

    async def read() -> None:
        async with connected(dsn) as connector:
            with pytest.raises(SpecError, match=r"machine press in .*(\n|.)*components"):
                await connector.equipment.all()
        store = DatabaseEquipmentStore(settings(dsn), {})
        try:
            assert list(await store.all()) == ["other"]
            with pytest.raises(SpecError, match=r"machine press in .*(\n|.)*components"):
                await store.get("press")
            await store.save(machine(4))
            assert await store.get("press") == machine(4)
        finally:
            await store.close()

    asyncio.run(save())
    content = '{"id": "press_build", "components": "none"}'
    sql(
        dsn,
        f"UPDATE hydrascope.topologies SET content = '{content}' WHERE topology_id = 'press_build'",
    )
    asyncio.run(read())


@on_both_servers
def test_a_unit_cannot_change_under_stored_telemetry(dsn: str) -> None:
    described = machine().model_dump(mode="json")
    described["topology"]["components"][0]["sensors"][1]["unit"] = "psi"
    in_psi = type(machine()).model_validate(described)

    async def work() -> None:
        async with connected(dsn) as connector:
            await connector.equipment.save(in_psi)
            await filled(connector, telemetry(3))  # back to bar: nothing was stored yet
            with pytest.raises(SpecError, match=r"s1 has the unit 'psi'.*stored in 'bar'"):
                await connector.equipment.save(in_psi)

    asyncio.run(work())


@on_both_servers
def test_labels_come_back_with_their_types(dsn: str) -> None:
    table = pd.DataFrame(
        {
            "start": pd.date_range(NOON, periods=3, freq="1h", unit="us"),
            "end": pd.date_range(NOON + timedelta(hours=1), periods=3, freq="1h", unit="us"),
            "grade": [3, 100, 20],
            "wear": [0.25, np.nan, 1e-9],
            "state": ["new", "a'b\"", None],
        }
    )

    async def work() -> pd.DataFrame:
        async with connected(dsn) as connector:
            await connector.equipment.save(machine())
            assert (await connector.labels.of("press")).empty
            await connector.labels.save("press", table)
            await connector.labels.save("press", table)
            return await connector.labels.of("press")

    pd.testing.assert_frame_equal(asyncio.run(work()), table)
