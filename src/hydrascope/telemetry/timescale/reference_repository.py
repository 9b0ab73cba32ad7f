"""Reference windows of machines, stored for the service."""

import hashlib

from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.repositories import equipment_key

_FROM = " FROM hydrascope.reference_windows JOIN hydrascope.equipment USING (equipment_key)"
_DIGESTS = "SELECT equipment_id, sha256" + _FROM
_GET = "SELECT content" + _FROM + " WHERE equipment_id = $1"
_REMOVE = """
DELETE FROM hydrascope.reference_windows USING hydrascope.equipment
WHERE equipment.equipment_key = reference_windows.equipment_key AND equipment_id = $1
RETURNING equipment_id
"""


class ReferenceRepository:
    """One JSON text per machine; its content is up to the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def digests(self) -> dict[str, str]:
        """Return the hexadecimal SHA-256 of each machine's text, by equipment id."""
        rows = await self._database.run(lambda c: c.fetch(_DIGESTS))
        return {row["equipment_id"]: row["sha256"] for row in rows}

    async def get(self, equipment_id: str) -> bytes | None:
        """Return a machine's text, or None."""
        content: str | None = await self._database.run(lambda c: c.fetchval(_GET, equipment_id))
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
        removed = await self._database.transaction(lambda c: c.fetchval(_REMOVE, equipment_id))
        return removed is not None
