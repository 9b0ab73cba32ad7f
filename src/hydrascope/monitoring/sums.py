"""Sums of observations by hour and by day, from which charts over months are drawn."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from hydrascope.monitoring.observation import Observation, counts
from hydrascope.telemetry.timescale.database import Connection

_SERIES = """
SELECT series_key, component_id, head, label, measure
FROM hydrascope.series WHERE equipment_key = $1 AND bundle = $2
"""
_NEW_SERIES = """
INSERT INTO hydrascope.series (equipment_key, bundle, component_id, head, label, measure, unit)
SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
ON CONFLICT DO NOTHING
"""
_ADD = """
INSERT INTO hydrascope.series_{table} AS there
    (series_key, {column}, windows, total, lowest, highest)
SELECT * FROM unnest(
    $1::integer[], $2::timestamptz[], $3::integer[], $4::double precision[], $5::real[], $6::real[]
)
ON CONFLICT (series_key, {column}) DO UPDATE SET
    windows = there.windows + excluded.windows,
    total = there.total + excluded.total,
    lowest = least(there.lowest, excluded.lowest),
    highest = greatest(there.highest, excluded.highest)
"""
ADD_HOURLY = _ADD.format(table="hourly", column="hour")
ADD_DAILY = _ADD.format(table="daily", column="day")


class SeriesName(NamedTuple):
    """What one line of a chart shows, for one machine."""

    component_id: str
    head: str
    label: str
    measure: str


class Sum(NamedTuple):
    """The sum of some numbers."""

    windows: int
    total: float
    lowest: float
    highest: float


def name_of(observation: Observation) -> SeriesName:
    """Return the series of an observation."""
    return SeriesName(
        observation.component_id, observation.head, observation.finding, observation.measure
    )


def hour_of(time: datetime) -> datetime:
    """Return the start of a time's hour, UTC."""
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_of(time: datetime) -> datetime:
    """Return the start of a time's day, UTC."""
    return hour_of(time).replace(hour=0)


async def series_keys(
    connection: Connection, equipment_key: int, bundle: str, observations: Sequence[Observation]
) -> dict[SeriesName, int]:
    """Return the keys of a machine's series by a bundle, after adding those of observations."""
    units = {name_of(each): each.unit for each in observations if counts(each)}
    known = await _known_keys(connection, equipment_key, bundle)
    if missing := sorted(units.keys() - known.keys()):
        columns = [list(column) for column in zip(*missing, strict=True)]
        await connection.execute(
            _NEW_SERIES, equipment_key, bundle, *columns, [units[name] for name in missing]
        )
        known = await _known_keys(connection, equipment_key, bundle)
    return known


async def _known_keys(
    connection: Connection, equipment_key: int, bundle: str
) -> dict[SeriesName, int]:
    rows = await connection.fetch(_SERIES, equipment_key, bundle)
    return {SeriesName(*row[1:]): row["series_key"] for row in rows}


async def add_sums(
    connection: Connection, statement: str, sums: Mapping[tuple[int, datetime], Sum]
) -> None:
    """Add sums, by series key and start of the hour or day, to those that there are."""
    if sums:
        # Written in the order of the keys, so that two writers cannot wait for each other.
        ordered = sorted(sums.items())
        columns = zip(*((*place, *each) for place, each in ordered), strict=True)
        await connection.execute(statement, *(list(column) for column in columns))


def joined(one: Sum | None, value: float) -> Sum:
    """Return a sum with one more number."""
    if one is None:
        return Sum(1, value, value, value)
    return Sum(one.windows + 1, one.total + value, min(one.lowest, value), max(one.highest, value))
