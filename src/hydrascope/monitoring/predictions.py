"""Diagnoses over time in the database: written once, read as a fleet, a list or a chart."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from hydrascope.monitoring.observation import DiagnosedWindow, Point, Series, counts
from hydrascope.monitoring.sums import (
    ADD_DAILY,
    ADD_HOURLY,
    Sum,
    add_sums,
    day_of,
    hour_of,
    joined,
    name_of,
    series_keys,
)
from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.repositories import equipment_key

# What the service kept at a client's wish is not in the sums yet, so it is replaced.
_INSERT = """
INSERT INTO hydrascope.predictions AS there
    (equipment_key, window_start, window_end, bundle, content, health, cannot_tell, asked_by)
SELECT $1, window_start, window_end, $2, content, health, cannot_tell, $3
FROM unnest($4::timestamptz[], $5::timestamptz[], $6::jsonb[], $7::real[], $8::boolean[])
    AS each (window_start, window_end, content, health, cannot_tell)
ON CONFLICT (equipment_key, window_end, bundle) DO UPDATE SET
    window_start = excluded.window_start, content = excluded.content, health = excluded.health,
    cannot_tell = excluded.cannot_tell, asked_by = excluded.asked_by, created_at = now()
WHERE there.asked_by = 'service'
RETURNING window_start
"""
# The current bundle: that of the watch, or else that of the newest window.
_CURRENT = """
SELECT coalesce(
    (SELECT bundle FROM hydrascope.watches WHERE equipment_key = $1),
    (SELECT bundle FROM hydrascope.predictions WHERE equipment_key = $1
     ORDER BY window_end DESC, created_at DESC LIMIT 1))
"""
_DIAGNOSES = """
SELECT DISTINCT ON (window_end) window_start, window_end, content
FROM hydrascope.predictions
WHERE equipment_key = $1 AND window_end > $2 AND window_end <= $3
ORDER BY window_end DESC, bundle = $4 DESC, created_at DESC LIMIT $5
"""
_COUNT = """
SELECT count(*) FROM (
    SELECT DISTINCT window_end FROM hydrascope.predictions
    WHERE equipment_key = $1 AND window_end > $2 AND window_end <= $3 LIMIT $4
) AS found
"""
_SUMS = """
SELECT DISTINCT ON (component_id, head, label, measure, {column})
    component_id, head, label, measure, unit, {column} AS start, windows, total, lowest, highest
FROM hydrascope.series
JOIN hydrascope.series_{table} USING (series_key)
WHERE equipment_key = $1 AND {column} >= $2 AND {column} < $3
ORDER BY component_id, head, label, measure, {column}, bundle = $4 DESC, series_key DESC
"""
_HOURLY = _SUMS.format(table="hourly", column="hour")
_DAILY = _SUMS.format(table="daily", column="day")
_HOUR_S = 3600.0


class KeptDiagnosis(NamedTuple):
    """A diagnosis as it was written."""

    start: datetime
    end: datetime
    content: str
    """The diagnosis as JSON."""


class Page(NamedTuple):
    """Some diagnoses, and the place behind which the next ones are."""

    diagnoses: list[KeptDiagnosis]
    next: datetime | None
    """The end of the last; None: there are no more."""


Resolution = Literal["window", "hour", "day"]


async def write_predictions(
    connection: Connection,
    key: int,
    windows: Sequence[DiagnosedWindow],
    bundle: str,
    asked_by: Literal["watch", "predict"],
) -> int:
    """Write diagnoses of one machine and their sums, inside the caller's transaction.

    A window that this bundle has diagnosed already is left as it is.

    Args:
        connection: Of the transaction.
        key: Of the machine.
        windows: The diagnoses.
        bundle: The version of the bundle.
        asked_by: Who asked for them.

    Returns:
        The number of windows written.
    """
    rows = await connection.fetch(
        _INSERT, key, bundle, asked_by,
        [each.start for each in windows], [each.end for each in windows],
        [each.content for each in windows], [each.health for each in windows],
        [each.cannot_tell for each in windows],
    )  # fmt: skip
    written = {row["window_start"] for row in rows}
    new = [each for each in windows if each.start in written]
    observed = [each for window in new for each in window.observations]
    keys = await series_keys(connection, key, bundle, observed)
    hourly: dict[tuple[int, datetime], Sum] = {}
    daily: dict[tuple[int, datetime], Sum] = {}
    for window in new:
        hour, day = hour_of(window.start), day_of(window.start)
        for each in window.observations:
            if counts(each):
                series = keys[name_of(each)]
                for sums, start in ((hourly, hour), (daily, day)):
                    sums[series, start] = joined(sums.get((series, start)), each.value)
    await add_sums(connection, ADD_HOURLY, hourly)
    await add_sums(connection, ADD_DAILY, daily)
    return len(new)


class PredictionRepository:
    """Diagnoses of all machines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def diagnoses(
        self,
        equipment_id: str,
        start: datetime,
        end: datetime,
        limit: int,
        after: datetime | None = None,
    ) -> Page:
        """Return diagnoses of windows that end in (start, end], the newest first.

        Where several bundles have answered a window, the current one's answer is returned, or else
        the last one that was written.

        Args:
            equipment_id: The machine.
            start: With time zone.
            end: With time zone.
            limit: The most diagnoses to return.
            after: `Page.next` of the page before; None: the first page.

        Raises:
            SpecError: The machine is unknown.
        """
        if after is not None:
            end = min(end, after - timedelta(microseconds=1))

        async def work(connection: Connection) -> Page:
            key = await equipment_key(connection, equipment_id)
            current = await connection.fetchval(_CURRENT, key)
            rows = await connection.fetch(_DIAGNOSES, key, start, end, current, limit + 1)
            found = [KeptDiagnosis(*row) for row in rows[:limit]]
            return Page(found, found[-1].end if len(rows) > limit else None)

        return await self._database.run(work)

    async def resolution(
        self, equipment_id: str, start: datetime, end: datetime, points: int
    ) -> Resolution:
        """Return the finest resolution with at most `points` points a line.

        Raises:
            SpecError: The machine is unknown.
        """

        async def work(connection: Connection) -> int:
            key = await equipment_key(connection, equipment_id)
            return int(await connection.fetchval(_COUNT, key, start, end, points + 1))

        if await self._database.run(work) <= points:
            return "window"
        return "hour" if (end - start).total_seconds() / _HOUR_S <= points else "day"

    async def series(
        self, equipment_id: str, start: datetime, end: datetime, resolution: Literal["hour", "day"]
    ) -> list[Series]:
        """Return the lines of a machine's reliable numbers in [start, end), by hour or by day.

        The hour or day of `start` counts as a whole. An hour or day is shown as the current bundle
        has answered it, or else as the one that came last.

        Raises:
            SpecError: The machine is unknown.
        """
        statement = _HOURLY if resolution == "hour" else _DAILY
        first = hour_of(start) if resolution == "hour" else day_of(start)

        async def work(connection: Connection) -> list[Series]:
            key = await equipment_key(connection, equipment_id)
            current = await connection.fetchval(_CURRENT, key)
            rows = await connection.fetch(statement, key, first, end, current)
            found: dict[tuple[str, ...], Series] = {}
            for row in rows:
                component, head, label, measure, unit, start, windows, *numbers = row
                name = component, head, label, measure
                line = found.setdefault(name, Series(*name, unit, []))
                total, lowest, highest = numbers
                line.points.append(Point(start, windows, total / windows, lowest, highest))
            return list(found.values())

        return await self._database.run(work)
