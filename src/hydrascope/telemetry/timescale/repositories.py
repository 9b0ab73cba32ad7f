"""Storage of machines and topologies."""

import json
from typing import NamedTuple

from hydrascope.schemas import GraphTopology, Machine, SpecError, validate
from hydrascope.schemas.errors import closest
from hydrascope.telemetry.timescale.database import Connection, Database

_MACHINES = """
SELECT equipment_id, metadata, content
FROM hydrascope.equipment
JOIN hydrascope.topologies USING (topology_id)
WHERE version = topology_version AND ($1::text IS NULL OR equipment_id = $1)
ORDER BY equipment_key
"""
_TOPOLOGY = """
SELECT content FROM hydrascope.topologies
WHERE topology_id = $1 AND ($2::integer IS NULL OR version = $2)
ORDER BY version DESC LIMIT 1
"""


class TopologyRepository:
    """Topologies of machines; a change creates a new version, and old versions remain."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, topology: GraphTopology) -> int:
        """Save a topology, unless it equals the latest version; return its version."""
        return await self._database.transaction(lambda c: save_topology(c, topology))

    async def get(self, topology_id: str, version: int | None = None) -> GraphTopology:
        """Return a version of a topology; None: the latest.

        Raises:
            SpecError: There is no such topology or version.
        """
        content = await self._database.run(lambda c: c.fetchval(_TOPOLOGY, topology_id, version))
        if content is None:
            which = "" if version is None else f" version {version} of"
            raise SpecError(
                f"no{which} topology {topology_id!r} in {self._database.settings.place}"
            )
        return validate(GraphTopology, json.loads(content), source=f"topology {topology_id}")


class StoredMachines(NamedTuple):
    """Machines by equipment id, in order of creation."""

    machines: dict[str, Machine]
    refused: dict[str, SpecError]
    """Why others are not valid."""


class EquipmentRepository:
    """Machines with their topology and sensors."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, Machine]:
        """Return all machines by equipment id, in order of creation.

        Raises:
            SpecError: A stored machine is not valid, such as one of another version.
        """
        found = await self.readable()
        for error in found.refused.values():
            raise error
        return found.machines

    async def readable(self) -> StoredMachines:
        """Return all machines, those that are not valid apart."""
        return await self._fetch(None)

    async def get(self, equipment_id: str) -> Machine:
        """Return one machine.

        Raises:
            SpecError: There is no such machine, and the message lists those that exist; or it is
                not valid.
        """
        found = await self._fetch(equipment_id)
        if equipment_id in found.refused:
            raise found.refused[equipment_id]
        if not found.machines:
            known = list((await self.readable()).machines)
            raise SpecError(
                f"no machine {equipment_id!r}; there is: {', '.join(known[:20]) or 'none yet'}"
                + closest(equipment_id, known)
            )
        return found.machines[equipment_id]

    async def save(self, machine: Machine) -> None:
        """Add or replace a machine.

        Raises:
            SpecError: A sensor's unit changes, but telemetry is stored in the old one.
        """
        await self._database.transaction(lambda c: _save_machine(c, machine))

    async def _fetch(self, equipment_id: str | None) -> StoredMachines:
        found = StoredMachines({}, {})
        for row in await self._database.run(lambda c: c.fetch(_MACHINES, equipment_id)):
            name, place = row["equipment_id"], self._database.settings.place
            parts = {
                "equipment": json.loads(row["metadata"]),
                "topology": json.loads(row["content"]),
            }
            try:
                found.machines[name] = validate(Machine, parts, source=f"machine {name} in {place}")
            except SpecError as error:
                found.refused[name] = error
        return found


async def equipment_key(connection: Connection, equipment_id: str) -> int:
    """Return the key of a machine.

    Raises:
        SpecError: The machine is unknown.
    """
    key = await connection.fetchval(
        "SELECT equipment_key FROM hydrascope.equipment WHERE equipment_id = $1", equipment_id
    )
    if key is None:
        raise SpecError(f"no machine {equipment_id!r}; expected one that was saved before")
    return int(key)


async def save_topology(connection: Connection, topology: GraphTopology) -> int:
    """Save a topology inside the caller's transaction; return its version."""
    content = json.dumps(topology.model_dump(mode="json"))
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", topology.id)
    latest = await connection.fetchrow(
        "SELECT version, content FROM hydrascope.topologies "
        "WHERE topology_id = $1 ORDER BY version DESC LIMIT 1",
        topology.id,
    )
    if latest is not None and json.loads(latest["content"]) == json.loads(content):
        return int(latest["version"])
    version = 1 if latest is None else int(latest["version"]) + 1
    await connection.execute(
        "INSERT INTO hydrascope.topologies (topology_id, version, content) VALUES ($1, $2, $3)",
        topology.id,
        version,
        content,
    )
    return version


async def _save_machine(connection: Connection, machine: Machine) -> None:
    equipment, topology = machine.equipment, machine.topology
    sensors = [sensor for _, sensor in topology.sensors]
    ids, units = [sensor.id for sensor in sensors], [sensor.unit for sensor in sensors]
    version = await save_topology(connection, topology)
    key = await connection.fetchval(
        """
        INSERT INTO hydrascope.equipment (equipment_id, metadata, topology_id, topology_version)
        VALUES ($1, $2, $3, $4) ON CONFLICT (equipment_id) DO UPDATE SET
            metadata = excluded.metadata,
            topology_id = excluded.topology_id,
            topology_version = excluded.topology_version
        RETURNING equipment_key
        """,
        equipment.equipment_id,
        json.dumps(equipment.model_dump(mode="json")),
        topology.id,
        version,
    )
    other_unit = await connection.fetchrow(
        """
        SELECT sensor_id, sensors.unit AS old, given.unit AS new
        FROM unnest($2::text[], $3::text[]) AS given (sensor_id, unit)
        JOIN hydrascope.sensors USING (sensor_id)
        WHERE equipment_key = $1 AND sensors.unit <> given.unit AND EXISTS (
            SELECT FROM hydrascope.telemetry WHERE telemetry.sensor_key = sensors.sensor_key
        )
        LIMIT 1
        """,
        key,
        ids,
        units,
    )
    if other_unit is not None:
        name, old, new = other_unit
        raise SpecError(
            f"{equipment.equipment_id}: sensor {name} has the unit {new!r}, but its telemetry is "
            f"stored in {old!r}; expected {old!r}, or another sensor id"
        )
    await connection.execute(
        """
        INSERT INTO hydrascope.sensors (equipment_key, sensor_id, component_id, kind, unit, rate_hz)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::float8[])
        ON CONFLICT (equipment_key, sensor_id) DO UPDATE SET component_id = excluded.component_id,
            kind = excluded.kind, unit = excluded.unit, rate_hz = excluded.rate_hz
        """,
        key,
        ids,
        [topology.components[index].id for index, _ in topology.sensors],
        [sensor.kind for sensor in sensors],
        units,
        [sensor.rate_hz for sensor in sensors],
    )
