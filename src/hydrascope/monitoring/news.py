"""What has changed in the database since one looked last."""

from datetime import datetime
from typing import NamedTuple

from hydrascope.monitoring.alarm import Alarm
from hydrascope.monitoring.alarm_reading import read_changes
from hydrascope.monitoring.observation import Diagnosed
from hydrascope.telemetry.timescale.database import Connection, Database

_MOST = 500
"""The changes that are returned at once."""
_NOW = """
SELECT (SELECT coalesce(max(event_key), 0) FROM hydrascope.alarm_events), now()
"""
_DIAGNOSED = """
SELECT equipment_id, window_start AS start, window_end AS end, health, written_on
FROM hydrascope.watches
JOIN hydrascope.equipment USING (equipment_key)
CROSS JOIN LATERAL (
    SELECT window_start, window_end, health FROM hydrascope.predictions
    WHERE predictions.equipment_key = watches.equipment_key
        AND predictions.bundle = watches.bundle
    ORDER BY window_end DESC LIMIT 1
) AS latest
WHERE written_on > $1 ORDER BY written_on LIMIT $2
"""


class Place(NamedTuple):
    """How far one has looked."""

    event: int
    written_on: datetime


class News(NamedTuple):
    """What has changed."""

    alarms: list[Alarm]
    diagnosed: list[Diagnosed]
    place: Place


class NewsReader:
    """Reads what has changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> Place:
        """Return the present place."""
        return Place(*await self._database.run(lambda connection: connection.fetchrow(_NOW)))

    async def since(self, place: Place) -> News:
        """Return what has changed since a place, and the new place."""

        async def work(connection: Connection) -> News:
            alarms, event = await read_changes(connection, place.event, _MOST)
            rows = await connection.fetch(_DIAGNOSED, place.written_on, _MOST)
            diagnosed = [Diagnosed.model_validate(dict(row)) for row in rows]
            written_on = rows[-1]["written_on"] if rows else place.written_on
            return News(alarms, diagnosed, Place(event, written_on))

        return await self._database.run(work)
