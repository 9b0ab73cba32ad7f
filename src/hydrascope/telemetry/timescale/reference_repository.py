"""Reference windows of machines, stored for the service."""

import hashlib

from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.repositories import equipment_key


class ReferenceRepository:
    """One JSON text per machine; its content is up to the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def digests(self) -> dict[str, str]:
        """Return the hexadecimal SHA-256 of each machine's text, by equipment id."""

        async def work(connection: Connection) -> dict[str, str]:
            rows = await connection.fetch(
                "SELECT equipment_id, sha256 FROM hydrascope.reference_windows "
                "JOIN hydrascope.equipment USING (equipment_key)"
            )
            return {row["equipment_id"]: row["sha256"] for row in rows}

        return await self._database.run(work)

    async def get(self, equipment_id: str) -> bytes | None:
        """Return a machine's text, or None."""

        async def work(connection: Connection) -> str | None:
            found: str | None = await connection.fetchval(
                "SELECT content FROM hydrascope.reference_windows "
                "JOIN hydrascope.equipment USING (equipment_key) WHERE equipment_id = $1",
                equipment_id,
            )
            return found

        content = await self._database.run(work)
        return None if content is None else content.encode()

    async def save(self, equipment_id: str, content: bytes) -> str:
        """Save or replace a machine's text; return its hexadecimal SHA-256.

        Raises:
            SpecError: The machine is unknown.
        """
        sha256 = hashlib.sha256(content).hexdigest()

        async def work(connection: Connection) -> None:
            await connection.execute(
                """
                INSERT INTO hydrascope.reference_windows (equipment_key, sha256, content)
                VALUES ($1, $2, $3) ON CONFLICT (equipment_key) DO UPDATE SET
                    sha256 = excluded.sha256, content = excluded.content, given_at = now()
                """,
                await equipment_key(connection, equipment_id),
                sha256,
                content.decode(),
            )

        await self._database.transaction(work)
        return sha256

    async def remove(self, equipment_id: str) -> bool:
        """Delete a machine's text; return whether there was one."""

        async def work(connection: Connection) -> bool:
            found = await connection.fetchval(
                """
                DELETE FROM hydrascope.reference_windows USING hydrascope.equipment
                WHERE equipment.equipment_key = reference_windows.equipment_key
                    AND equipment_id = $1
                RETURNING equipment_id
                """,
                equipment_id,
            )
            return found is not None

        return await self._database.transaction(work)
