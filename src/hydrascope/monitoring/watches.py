"""How far each machine has been diagnosed, and which machines have new telemetry."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from hydrascope.telemetry.timescale.database import Connection, Database

_CHANGED = """
SELECT equipment_key, equipment_id, latest, equipment.revision, upto, covered, newest,
       watches.revision AS seen, extract(epoch FROM now() - written_on)::float8 AS idle_s,
       coalesce(late_samples, 0) AS late_samples, late_first, late_last
FROM hydrascope.equipment
JOIN (
    SELECT equipment_key, max(last) AS latest
    FROM hydrascope.sensors
    CROSS JOIN LATERAL (
        SELECT time AS last FROM hydrascope.telemetry
        WHERE telemetry.sensor_key = sensors.sensor_key AND time < 'infinity'
        ORDER BY time DESC LIMIT 1
    ) AS ends
    GROUP BY equipment_key
) AS telemetry USING (equipment_key)
LEFT JOIN hydrascope.watches USING (equipment_key)
ORDER BY equipment_key
"""
_STATE = """
SELECT upto, covered, begun, newest, watches.revision AS seen, rules, equipment.revision
FROM hydrascope.equipment LEFT JOIN hydrascope.watches USING (equipment_key)
WHERE equipment_key = $1
"""
_BEGIN = """
INSERT INTO hydrascope.watches (equipment_key, upto, covered, begun) VALUES ($1, $2, $2, false)
ON CONFLICT (equipment_key) DO NOTHING
"""
_MOVE = """
UPDATE hydrascope.watches
SET upto = $2, covered = $3, begun = $4, newest = $5, revision = $6, rules = $7,
    bundle = coalesce($8, bundle), written_on = now()
WHERE equipment_key = $1
"""


class Watched(NamedTuple):
    """A machine with telemetry, and how far a watch has come with it."""

    equipment_key: int
    equipment_id: str
    latest: datetime
    """The newest sample of any sensor and quality."""
    revision: int
    """Counts the writes to the machine's telemetry."""
    upto: datetime | None
    """As `Progress.upto`; None before the first visit."""
    covered: datetime | None
    """As `Progress.covered`."""
    newest: datetime | None
    """`latest` when all that was due had been diagnosed; None if that was never so."""
    seen: int | None
    """`revision` at that time."""
    idle_s: float | None
    """Seconds since the last visit."""
    late_samples: int
    """Samples that came when their windows had been diagnosed."""
    late_first: datetime | None
    late_last: datetime | None

    @property
    def has_news(self) -> bool:
        """Whether samples came since all that was due had been diagnosed."""
        return (self.newest, self.seen) != (self.latest, self.revision)


class Progress(NamedTuple):
    """How far a machine has been diagnosed."""

    upto: datetime
    """Where the next window starts if the telemetry goes on without a gap."""
    covered: datetime
    """The end of the last window, or the start of the stretch before its first one."""
    begun: bool
    """Whether it is settled where the windows of this stretch start."""
    newest: datetime | None
    """As `Watched.newest`."""
    seen: int | None
    """As `Watched.seen`."""
    rules: Mapping[str, Any]
    """What the alarm rules remember of the last windows."""


class Standing(NamedTuple):
    """A machine's progress as it was read, with which a later write is compared."""

    progress: Progress | None
    """None before the first visit."""
    revision: int
    """Counts the writes to the machine's telemetry."""


class WatchRepository:
    """The progress of all watched machines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def watched(self) -> list[Watched]:
        """Return all machines with telemetry, in order of creation."""
        rows = await self._database.run(lambda connection: connection.fetch(_CHANGED))
        return [Watched(**row) for row in rows]

    async def standing(self, equipment_key: int) -> Standing:
        """Return a machine's progress."""
        return _standing(
            await self._database.run(lambda connection: connection.fetchrow(_STATE, equipment_key))
        )

    async def begin(self, equipment_key: int, start: datetime) -> None:
        """Begin to watch a machine, unless that has been done."""
        await self._database.run(
            lambda connection: connection.execute(_BEGIN, equipment_key, start)
        )


async def lock_standing(connection: Connection, equipment_key: int) -> Standing:
    """Return a machine's progress, and keep all writers out until the transaction ends.

    Writers of telemetry take the same lock, so none comes between this and the end.
    """
    await connection.execute(
        "SELECT FROM hydrascope.equipment WHERE equipment_key = $1 FOR NO KEY UPDATE", equipment_key
    )
    return _standing(await connection.fetchrow(_STATE, equipment_key))


async def save_progress(
    connection: Connection, equipment_key: int, progress: Progress, bundle: str | None = None
) -> None:
    """Save a machine's progress, inside a transaction that has called `lock_standing`.

    Args:
        connection: Of the transaction.
        equipment_key: Of the machine.
        progress: How far it has been diagnosed.
        bundle: The version of the bundle that has diagnosed windows; None: none has.
    """
    rules = json.dumps(progress.rules, sort_keys=True)
    await connection.execute(_MOVE, equipment_key, *progress[:5], rules, bundle)


def _standing(row: Any) -> Standing:
    columns = dict(row)
    revision, rules = columns.pop("revision"), columns.pop("rules")
    if columns["upto"] is None:
        return Standing(None, revision)
    return Standing(Progress(**columns, rules=json.loads(rules)), revision)
