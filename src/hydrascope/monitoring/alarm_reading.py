"""Reading alarms."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hydrascope.monitoring.alarm import Alarm, AlarmFilter, AlarmPage, Driver, Event
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.timescale.database import Connection

_ALARMS = """
SELECT alarm_key, equipment_id, coalesce(metadata ->> 'name', equipment_id) AS name, rule,
       component_id, head, finding, severity, state, since, raised_at, last_at, over_at, windows,
       peak, model, drivers, verdict, closed_on
FROM hydrascope.alarms JOIN hydrascope.equipment USING (equipment_key)
WHERE ($1::bigint IS NULL OR alarm_key = $1)
    AND ($2::text IS NULL OR equipment_id = $2)
    AND ($3::text IS NULL OR state = $3)
    AND ($4::text IS NULL OR severity = $4)
    AND ($5::bigint IS NULL OR alarm_key < $5)
ORDER BY alarm_key DESC LIMIT $6
"""
_EVENTS = """
SELECT alarm_key, action, actor, note, happened_on FROM hydrascope.alarm_events
WHERE alarm_key = ANY($1::bigint[]) ORDER BY event_key
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
    return _alarm(row, (await _events(connection, [alarm_id])).get(alarm_id, []))


async def read_page(
    connection: Connection, which: AlarmFilter, limit: int, before: int | None
) -> AlarmPage:
    """Return alarms, the newest first; the arguments are those of `AlarmRepository.page`."""
    rows = await connection.fetch(_ALARMS, None, *which, before, limit + 1)
    events = await _events(connection, [row["alarm_key"] for row in rows[:limit]])
    alarms = [_alarm(row, events.get(row["alarm_key"], [])) for row in rows[:limit]]
    return AlarmPage(alarms, alarms[-1].alarm_id if len(rows) > limit else None)


async def read_changes(connection: Connection, event: int, limit: int) -> tuple[list[Alarm], int]:
    """Return the alarms with an event after `event`, and the number of the last event looked at."""
    rows = await connection.fetch(_CHANGES, event, limit)
    keys = dict.fromkeys(row["alarm_key"] for row in rows)
    last = rows[-1]["event_key"] if rows else event
    return [await read_alarm(connection, key) for key in keys], last


async def _events(connection: Connection, alarm_ids: Sequence[int]) -> Mapping[int, list[Event]]:
    events: dict[int, list[Event]] = {}
    for row in await connection.fetch(_EVENTS, list(alarm_ids)):
        event = Event(row["action"], row["actor"], row["note"], row["happened_on"])
        events.setdefault(row["alarm_key"], []).append(event)
    return events


def _alarm(row: Any, events: Sequence[Event]) -> Alarm:
    columns = dict(row)
    columns["alarm_id"] = columns.pop("alarm_key")
    drivers = columns.pop("drivers")
    parsed = None if drivers is None else tuple(Driver(**each) for each in json.loads(drivers))
    return Alarm(**columns, drivers=parsed, events=tuple(events))
