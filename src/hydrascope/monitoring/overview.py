"""The fleet at a glance: every machine's last health, its trend and its open alarms."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hydrascope.telemetry.timescale.database import Connection, Database

_SEVERITIES = ("info", "warning", "critical")
"""From the least to the worst; the statement below has the same order."""
_MACHINES = """
SELECT equipment_id, coalesce(metadata ->> 'name', equipment_id) AS name, topology_id AS topology,
       health, coalesce(cannot_tell, false) AS cannot_tell, last_seen,
       coalesce(open_alarms, 0) AS open_alarms, worst, finding, equipment_key,
       latest.bundle, count(*) OVER () AS total
FROM hydrascope.equipment
LEFT JOIN hydrascope.watches USING (equipment_key)
LEFT JOIN LATERAL (
    SELECT health, cannot_tell, window_end AS last_seen, bundle FROM hydrascope.predictions
    WHERE predictions.equipment_key = equipment.equipment_key
        AND (watches.bundle IS NULL OR predictions.bundle = watches.bundle)
    ORDER BY window_end DESC, created_at DESC LIMIT 1
) AS latest ON true
LEFT JOIN (
    SELECT equipment_key, count(*) AS open_alarms,
           max(CASE severity WHEN 'critical' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END) AS worst,
           (array_agg(coalesce(nullif(finding, ''), head) ORDER BY
               CASE severity WHEN 'critical' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END DESC,
               raised_at DESC, alarm_key))[1] AS finding
    FROM hydrascope.alarms WHERE state <> 'closed' GROUP BY equipment_key
) AS alarms USING (equipment_key)
WHERE $1 = '' OR strpos(lower(equipment_id), lower($1)) > 0
    OR strpos(lower(metadata ->> 'name'), lower($1)) > 0
ORDER BY worst DESC NULLS LAST, health NULLS LAST, equipment_id
LIMIT $2 OFFSET $3
"""
_COUNT = """
SELECT count(*) FROM hydrascope.equipment
WHERE $1 = '' OR strpos(lower(equipment_id), lower($1)) > 0
    OR strpos(lower(metadata ->> 'name'), lower($1)) > 0
"""
_TREND = """
SELECT equipment_key, array_agg(day ORDER BY day) AS days, array_agg(lowest ORDER BY day) AS lowest
FROM (
    SELECT DISTINCT ON (equipment_key, day) equipment_key, day, lowest
    FROM unnest($1::integer[], $2::timestamptz[], $3::text[])
        AS each (equipment_key, since, current)
    JOIN hydrascope.series USING (equipment_key)
    -- The offset keeps a large fleet from being joined by a scan of all days of all series.
    CROSS JOIN LATERAL (
        SELECT day, lowest FROM hydrascope.series_daily
        WHERE series_daily.series_key = series.series_key AND day >= since
        OFFSET 0
    ) AS days
    WHERE component_id = '' AND head = '' AND label = '' AND measure = 'health'
    ORDER BY equipment_key, day, bundle = current DESC, series.series_key DESC
) AS shown
GROUP BY equipment_key
"""
TREND_DAYS = 30
"""The days before a machine's last window that its trend shows."""


class MachineState(NamedTuple):
    """A row of the overview."""

    equipment_id: str
    name: str
    topology: str
    health: float | None
    """The lowest health in the last window; None: no answer was reliable, or there is none."""
    cannot_tell: bool
    """Whether no answer to the last window was reliable."""
    last_seen: datetime | None
    """The end of the last window."""
    trend: Sequence[tuple[datetime, float]]
    """The lowest health of each day with a reliable answer."""
    open_alarms: int
    """Alarms that are not closed."""
    worst: str | None
    """The worst severity among them."""
    finding: str | None
    """What the newest of the worst found: a class or label, or else the head's name."""


class Overview(NamedTuple):
    """Some machines, the worst first."""

    total: int
    """All machines that match."""
    machines: list[MachineState]


async def read_overview(
    database: Database, search: str = "", limit: int = 100, offset: int = 0
) -> Overview:
    """Return machines by the worst open alarm, then by the lowest health.

    Args:
        database: To read from.
        search: A part of the machine's ID or name, in any case; empty: all.
        limit: The most machines to return.
        offset: Machines to skip.
    """

    async def work(connection: Connection) -> Overview:
        rows = await connection.fetch(_MACHINES, search, limit, offset)
        seen = [row for row in rows if row["last_seen"] is not None]
        since = [row["last_seen"] - timedelta(days=TREND_DAYS) for row in seen]
        keys, current = [[row[name] for row in seen] for name in ("equipment_key", "bundle")]
        found = await connection.fetch(_TREND, keys, since, current)
        trends = {
            row["equipment_key"]: list(zip(row["days"], row["lowest"], strict=True))
            for row in found
        }
        total = rows[0]["total"] if rows else await connection.fetchval(_COUNT, search)
        return Overview(total, [_state(row, trends) for row in rows])

    return await database.run(work)


def _state(row: Any, trends: Mapping[int, list[tuple[datetime, float]]]) -> MachineState:
    worst = None if row["worst"] is None else _SEVERITIES[row["worst"]]
    trend = trends.get(row["equipment_key"], [])
    return MachineState._make((*row[:6], trend, row["open_alarms"], worst, row["finding"]))
