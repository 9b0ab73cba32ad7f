"""Silences: times in which nobody is notified of some alarms. They are raised all the same."""

from typing import Any

from hydrascope.monitoring.alarm import Silence
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.repositories import equipment_key

_ADD = """
INSERT INTO hydrascope.silences (equipment_key, component_id, rule, starts, ends, actor, note)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING silence_key
"""
_LIST = """
SELECT silence_key, equipment_id, component_id, rule, starts, ends, actor, note
FROM hydrascope.silences LEFT JOIN hydrascope.equipment USING (equipment_key)
WHERE ends > now() ORDER BY starts, silence_key
"""
_END = """
UPDATE hydrascope.silences SET ends = greatest(now(), starts + interval '1 microsecond')
WHERE silence_key = $1 AND ends > now() RETURNING silence_key
"""


class SilenceRepository:
    """The silences of all machines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, silence: Silence) -> Silence:
        """Add a silence, whose `silence_id` does not count, and return it with its ID.

        Raises:
            SpecError: The machine is unknown, or it ends before it starts.
        """
        if silence.ends <= silence.starts:
            raise SpecError(
                f"{silence.ends.isoformat()} is not after {silence.starts.isoformat()}, its start",
                path="ends",
            )

        async def work(connection: Connection) -> int:
            key = None
            if silence.equipment_id is not None:
                key = await equipment_key(connection, silence.equipment_id)
            values: tuple[Any, ...] = silence[2:]
            return int(await connection.fetchval(_ADD, key, *values))

        return silence._replace(silence_id=await self._database.transaction(work))

    async def all(self) -> list[Silence]:
        """Return the silences that have not ended, by their start."""
        rows = await self._database.run(lambda connection: connection.fetch(_LIST))
        return [Silence(*row) for row in rows]

    async def end(self, silence_id: int) -> bool:
        """End a silence now; return whether it had not ended."""
        ended = await self._database.run(lambda connection: connection.fetchval(_END, silence_id))
        return ended is not None
