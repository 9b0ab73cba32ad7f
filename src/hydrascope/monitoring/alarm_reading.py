"""Reading alarms."""

import json
from collections.abc import Sequence
from typing import Any

from hydrascope.monitoring.alarm import (
    Alarm,
    AlarmDriver,
    AlarmEvent,
    AlarmFilter,
    AlarmLabel,
    AlarmPage,
)
from hydrascope.monitoring.meaning import Meaning
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.timescale.database import Connection

_ALARMS = """
SELECT alarm_key, equipment_id, coalesce(metadata ->> 'name', equipment_id) AS name, rule,
       component_id, head, finding, severity, state, since, raised_at, last_at, over_at, windows,
       peak, model, drivers, verdict, closed_on, meaning
FROM hydrascope.alarms JOIN hydrascope.equipment USING (equipment_key)
WHERE ($1::bigint IS NULL OR alarm_key = $1)
    AND ($2::text IS NULL OR equipment_id = $2)
    AND ($3::text IS NULL OR state = $3)
    AND ($4::text IS NULL OR severity = $4)
    AND ($5::bigint IS NULL OR alarm_key < $5)
ORDER BY alarm_key DESC LIMIT $6
"""
_EVENTS = """
SELECT alarm_key, action, actor, note, verdict, happened_on FROM hydrascope.alarm_events
WHERE alarm_key = ANY($1::bigint[]) ORDER BY event_key
"""
_LABELS = """
SELECT alarm_key, starts, ends, content, author, given_on FROM hydrascope.labels
WHERE alarm_key = ANY($1::bigint[]) AND superseded_on IS NULL ORDER BY label_key
"""
_CHANGES = """
SELECT event_key, alarm_key FROM hydrascope.alarm_events
WHERE event_key > $1 ORDER BY event_key LIMIT $2
"""


async def read_alarm(connection: Connection, alarm_id: int) -> Alarm:
    """Return an alarm with all of its events.

    Raises:
        SpecError: There is no such alarm.
    """
    row = await connection.fetchrow(_ALARMS, alarm_id, None, None, None, None, 1)
    if row is None:
        raise SpecError(f"there is no alarm {alarm_id}", path="alarm_id")
    (alarm,) = await _alarms(connection, [row])
    return alarm


async def read_page(
    connection: Connection, which: AlarmFilter, limit: int, before: int | None
) -> AlarmPage:
    """Return alarms, the newest first; the arguments are those of `AlarmRepository.page`."""
    rows = await connection.fetch(_ALARMS, None, *which, before, limit + 1)
    alarms = await _alarms(connection, rows[:limit])
    return AlarmPage(alarms, alarms[-1].alarm_id if len(rows) > limit else None)


async def read_changes(connection: Connection, event: int, limit: int) -> tuple[list[Alarm], int]:
    """Return the alarms with an event after `event`, and the number of the last event looked at."""
    rows = await connection.fetch(_CHANGES, event, limit)
    keys = dict.fromkeys(row["alarm_key"] for row in rows)
    last = rows[-1]["event_key"] if rows else event
    return [await read_alarm(connection, key) for key in keys], last


async def _alarms(connection: Connection, rows: Sequence[Any]) -> list[Alarm]:
    """Return alarms with their events and labels."""
    keys = [row["alarm_key"] for row in rows]
    events: dict[int, list[AlarmEvent]] = {}
    for key, *columns in await connection.fetch(_EVENTS, keys):
        events.setdefault(key, []).append(AlarmEvent(*columns))
    labels: dict[int, list[AlarmLabel]] = {}
    for key, starts, ends, content, *given in await connection.fetch(_LABELS, keys):
        label = AlarmLabel(starts, ends, json.loads(content), *given)
        labels.setdefault(key, []).append(label)
    return [
        _alarm(row, events.get(key, []), labels.get(key, []))
        for key, row in zip(keys, rows, strict=True)
    ]


def _alarm(row: Any, events: Sequence[AlarmEvent], given: Sequence[AlarmLabel]) -> Alarm:
    columns = dict(row)
    columns["alarm_id"] = columns.pop("alarm_key")
    drivers, meaning = columns.pop("drivers"), columns.pop("meaning")
    return Alarm(
        **columns,
        drivers=drivers and tuple(AlarmDriver(**each) for each in json.loads(drivers)),
        meaning=None if meaning is None else Meaning.model_validate_json(meaning),
        labels=tuple(given),
        events=tuple(events),
    )
