"""What an alarm is, and how it is read."""

import json
from datetime import datetime
from typing import Any, Literal, NamedTuple

State = Literal["open", "acknowledged", "closed"]
Verdict = Literal["confirmed", "false_alarm", "repaired"]
"""What somebody found at the machine."""

ALARMS = """
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
EVENTS = """
SELECT alarm_key, action, actor, note, happened_on FROM hydrascope.alarm_events
WHERE alarm_key = ANY($1::bigint[]) ORDER BY event_key
"""


class Driver(NamedTuple):
    """How much a sensor contributed to a finding."""

    sensor: str
    share: float
    """Of what all sensors contributed; negative if it speaks against the finding."""


class Event(NamedTuple):
    """Something that happened to an alarm."""

    action: str
    actor: str
    """The name of a key, or `watch`."""
    note: str
    at: datetime


class Alarm(NamedTuple):
    """An alarm. Its times are those of the telemetry, but for `closed_on` and those of events."""

    alarm_id: int
    equipment_id: str
    name: str
    """The machine's."""
    rule: str
    component_id: str
    """Empty for the machine itself."""
    head: str
    finding: str
    """A class or label; empty for a value, a health or a normality."""
    severity: str
    state: State
    since: datetime
    """The start of the first window that counted for it."""
    raised_at: datetime
    """The end of the window with which it opened."""
    last_at: datetime
    """The end of the last window that showed it."""
    over_at: datetime | None
    """The end of the window with which it was over; None while it lasts."""
    windows: int
    """The windows that showed it."""
    peak: float
    """The number farthest beyond the threshold among these."""
    model: str
    """The version of the model that answered last."""
    drivers: tuple[Driver, ...] | None
    """The sensors that contributed most come first; None: unknown."""
    verdict: Verdict | None
    closed_on: datetime | None
    events: tuple[Event, ...]


def as_alarm(row: Any, events: list[Event]) -> Alarm:
    """Return an alarm of a row of `ALARMS`."""
    columns = dict(row)
    columns["alarm_id"] = columns.pop("alarm_key")
    drivers = columns.pop("drivers")
    parsed = None if drivers is None else tuple(Driver(**each) for each in json.loads(drivers))
    return Alarm(**columns, drivers=parsed, events=tuple(events))


def as_event(row: Any) -> Event:
    """Return an event of a row of `EVENTS`."""
    return Event(row["action"], row["actor"], row["note"], row["happened_on"])
