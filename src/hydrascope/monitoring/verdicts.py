"""Verdicts on alarms: what somebody found at the machine, written as labels that a training reads.

| verdict | from the alarm's start to its last window | afterwards |
|---|---|---|
| confirmed | the fault | – |
| false_alarm | sound | – |
| repaired | the fault, up to the repair | from the repair on sound, for `SOUND_AFTER_REPAIR` |

A verdict says nothing about telemetry that comes after the alarm's last window, but for a repair.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from hydrascope.monitoring.alarm import Alarm, Judgement
from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.timescale.database import Connection
from hydrascope.telemetry.timescale.repositories import equipment_key

SOUND_AFTER_REPAIR = timedelta(days=7)
"""How long a machine counts as sound after a repair, if no alarm comes before: nobody has looked at
it again, and what was repaired may wear once more."""

_SUPERSEDE = """
UPDATE hydrascope.labels SET superseded_on = clock_timestamp()
WHERE alarm_key = $1 AND superseded_on IS NULL
"""
_WRITE = """
INSERT INTO hydrascope.labels
    (equipment_key, starts, ends, content, alarm_key, verdict, author, given_on)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
"""
_INGESTED = """
SELECT name FROM unnest($2::text[]) WITH ORDINALITY AS given (name, number)
WHERE EXISTS (
    SELECT FROM hydrascope.labels
    WHERE equipment_key = $1 AND alarm_key IS NULL AND content::jsonb ? name
)
ORDER BY number LIMIT 1
"""


class _Span(NamedTuple):
    """A time in which a label has a value."""

    starts: datetime
    ends: datetime
    value: float


async def write_labels(
    connection: Connection, alarm: Alarm, actor: str, judgement: Judgement, now: datetime
) -> None:
    """Write the labels of a verdict in place of those of earlier verdicts on the same alarm.

    Args:
        connection: Of the transaction that writes the verdict.
        alarm: The alarm.
        actor: The author of the verdict.
        judgement: The verdict.
        now: When it was given.

    Raises:
        SpecError: The judgement does not fit the alarm.
    """
    spans = list(_spans(alarm, judgement, now))
    await connection.execute(_SUPERSEDE, alarm.alarm_id)
    if alarm.meaning is None:
        return
    key = await equipment_key(connection, alarm.equipment_id)
    columns = list(alarm.meaning.columns)
    column = await connection.fetchval(_INGESTED, key, columns) or columns[0]
    for starts, ends, value in spans:
        implied = alarm.meaning.implied if value == 1 else ()
        content = json.dumps(dict.fromkeys((column, *implied), value))
        await connection.execute(
            _WRITE, key, starts, ends, content, alarm.alarm_id, judgement.verdict, actor
        )


def _spans(alarm: Alarm, judgement: Judgement, now: datetime) -> Iterator[_Span]:
    """Yield the times in which the alarm's label has a value by a verdict.

    Raises:
        SpecError: As in `write_labels`.
    """
    verdict, value, repaired_at = judgement
    if repaired_at is not None and verdict != "repaired":
        raise SpecError(f"given with {verdict!r}; expected null", path="repaired_at")
    if value is not None and verdict == "false_alarm":
        raise SpecError("given with 'false_alarm'; expected null", path="value")
    meaning = alarm.meaning
    if value is not None and meaning is None:
        raise SpecError("the alarm names no label of the task; expected null", path="value")
    repaired_at = repaired_at or now
    if verdict == "repaired" and repaired_at <= alarm.since:
        raise SpecError(
            f"{repaired_at.isoformat()} is not after {alarm.since.isoformat()}, when the alarm "
            "began; expected the telemetry's time of the repair",
            path="repaired_at",
        )
    if meaning is None:
        return
    ends = min(alarm.last_at, repaired_at) if verdict == "repaired" else alarm.last_at
    found = meaning.sound if verdict == "false_alarm" else meaning.found(value)
    if found is not None:
        yield _Span(alarm.since, ends, found)
    if verdict == "repaired" and meaning.sound is not None:
        starts = max(alarm.last_at, repaired_at)
        yield _Span(starts, starts + SOUND_AFTER_REPAIR, meaning.sound)
