"""Messages about alarms, written in the transaction of their event and delivered later."""

from datetime import UTC, datetime, timedelta

from hydrascope.monitoring.alarm import Alarm
from hydrascope.monitoring.rules import RuleFile
from hydrascope.telemetry.timescale.database import Connection

_SHOWN_DRIVERS = 3

_SILENT = """
SELECT EXISTS (
    SELECT FROM hydrascope.silences LEFT JOIN hydrascope.equipment USING (equipment_key)
    WHERE now() BETWEEN starts AND ends
        AND (silences.equipment_key IS NULL OR equipment_id = $1)
        AND (component_id IS NULL OR component_id = $2)
        AND (rule IS NULL OR rule = $3)
)
"""
_WRITE = """
INSERT INTO hydrascope.notifications (event_key, channel, title, body) VALUES ($1, $2, $3, $4)
"""


async def write_notifications(
    connection: Connection, rules: RuleFile, event_key: int, alarm: Alarm
) -> None:
    """Write the messages about an alarm that was raised, in the caller's transaction.

    None is written where a silence applies, or the alarm is older than `RuleFile.notify_within_h`.

    Args:
        connection: Of the transaction.
        rules: Say which channels are notified.
        event_key: Of the event that raised the alarm.
        alarm: The alarm.
    """
    channels = next((rule.notify for rule in rules.rules if rule.name == alarm.rule), ())
    age = datetime.now(UTC) - alarm.raised_at
    if not channels or age > timedelta(hours=rules.notify_within_h):
        return
    place = alarm.equipment_id, alarm.component_id, alarm.rule
    if await connection.fetchval(_SILENT, *place):
        return
    for channel in channels:
        message = title(alarm), body(alarm, rules.page)
        await connection.execute(_WRITE, event_key, channel, *message)


def title(alarm: Alarm) -> str:
    """Return the first line of a message."""
    return f"{alarm.severity.capitalize()}: {alarm.name}, {_place(alarm)}: {_finding(alarm)}"


def body(alarm: Alarm, page: str | None) -> str:
    """Return the text of a message: machine, component, finding, since when, sensors, link."""
    lines = [
        f"Machine: {alarm.name} ({alarm.equipment_id})",
        f"Place: {_place(alarm)}",
        f"Finding: {_finding(alarm)} ({alarm.peak:.3g}; rule {alarm.rule})",
        f"Since: {_time(alarm.since)}, in {alarm.windows} windows until {_time(alarm.last_at)}",
    ]
    if alarm.drivers:
        named = ", ".join(f"{d.sensor} ({d.share:.0%})" for d in alarm.drivers[:_SHOWN_DRIVERS])
        lines.append(f"Sensors: {named}")
    if page is not None:
        lines.append(f"{page.rstrip('/')}/#/alarms/{alarm.alarm_id}")
    return "\n".join(lines)


def _place(alarm: Alarm) -> str:
    return alarm.component_id or "whole machine"


def _finding(alarm: Alarm) -> str:
    named = alarm.finding or alarm.head or alarm.rule
    return named.replace("_", " ")


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
