"""Messages about alarms: written with their event, delivered by Apprise, tried again, given up.

A message is delivered at least once: a worker that dies between the delivery and its record sends
it again.
"""

import asyncio
import io
import logging
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import apprise

from hydrascope.monitoring.alarm import Alarm
from hydrascope.monitoring.rules import RuleFile
from hydrascope.telemetry.timescale.database import Connection, Database

TRIES = 8
"""After these a message is given up; with the pauses below that is about four hours."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 30, 3600
_LEASE_S = 120
"""Time in which the worker that took a message must have delivered it."""
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
_TAKE = """
UPDATE hydrascope.notifications
SET tries = tries + 1, next_try_on = now() + make_interval(secs => $2)
WHERE notification_key IN (
    SELECT notification_key FROM hydrascope.notifications
    WHERE state = 'waiting' AND next_try_on <= now() ORDER BY next_try_on LIMIT $1
    FOR UPDATE SKIP LOCKED
)
RETURNING notification_key, channel, title, body, tries
"""
_SENT = """
UPDATE hydrascope.notifications SET state = 'sent', sent_on = now(), error = ''
WHERE notification_key = $1
"""
_FAILED = """
UPDATE hydrascope.notifications
SET state = $2, error = $3, next_try_on = now() + make_interval(secs => $4)
WHERE notification_key = $1
"""

_log = logging.getLogger(__name__)


class Delivered(NamedTuple):
    """What came of a round of deliveries."""

    sent: int
    failed: int
    """Failed, to be tried again."""
    given_up: int


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


async def deliver(database: Database, rules: RuleFile, limit: int = 20) -> Delivered:
    """Deliver the messages whose time has come.

    Args:
        database: Holds the messages.
        rules: Say what address a channel has.
        limit: The most messages.
    """

    async def take(connection: Connection) -> list[tuple[int, str, str, str, int]]:
        return [tuple(row) for row in await connection.fetch(_TAKE, limit, _LEASE_S)]

    sent = failed = given_up = 0
    for key, channel, *message, tries in await database.transaction(take):
        error = await _send(rules.channels.get(channel), channel, *message)
        if not error:
            sent += 1
            await database.run(lambda connection, key=key: connection.execute(_SENT, key))
            continue
        last = tries >= TRIES
        given_up, failed = given_up + last, failed + (not last)
        _log.warning("%s: %s%s", channel, error, "; given up" if last else "; trying again")
        pause_s = min(_FIRST_PAUSE_S * 2 ** (tries - 1), _LONGEST_PAUSE_S)
        row = key, "given_up" if last else "waiting", error, pause_s
        await database.run(lambda connection, row=row: connection.execute(_FAILED, *row))
    return Delivered(sent, failed, given_up)


async def _send(address: str | None, channel: str, title: str, body: str) -> str:
    """Send a message; return why it failed, or an empty text."""
    if address is None:
        return f"the file of rules has no channel {channel!r} any more"
    receiver = apprise.Apprise()
    if not receiver.add(address):
        return f"channels.{channel}: Apprise does not know such an address"
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:
        assert isinstance(said, io.StringIO)
        try:
            async with asyncio.timeout(_LEASE_S / 2):
                done = await receiver.async_notify(body=body, title=title)
        except TimeoutError:
            return f"no answer within {_LEASE_S / 2:g} s"
        reason = " ".join(said.getvalue().split())
    return "" if done else reason or "not delivered"


def _place(alarm: Alarm) -> str:
    return alarm.component_id or "whole machine"


def _finding(alarm: Alarm) -> str:
    named = alarm.finding or alarm.head or alarm.rule
    return named.replace("_", " ")


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
