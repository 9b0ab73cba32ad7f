"""Writing what happens to an alarm: its state, its verdict, its events."""

from datetime import UTC, datetime
from enum import StrEnum

from hydrascope.monitoring.alarm import Alarm, Judgement, Verdict
from hydrascope.monitoring.verdicts import write_labels
from hydrascope.telemetry.timescale.database import Connection

WATCH = "watch"
"""The actor of events that no person caused."""

_STATE = """
UPDATE hydrascope.alarms
SET state = $2, closed_on = CASE WHEN $2 = 'closed' THEN now() END
WHERE alarm_key = $1
"""
_JUDGE = "UPDATE hydrascope.alarms SET verdict = $2 WHERE alarm_key = $1"
_EVENT = """
INSERT INTO hydrascope.alarm_events (alarm_key, action, actor, note, verdict)
VALUES ($1, $2, $3, $4, $5) RETURNING event_key
"""


class Action(StrEnum):
    """What happens to an alarm."""

    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    OVER = "over"
    REOPENED = "reopened"
    CLOSED = "closed"
    COMMENTED = "commented"
    JUDGED = "judged"


async def write_event(
    connection: Connection,
    alarm_id: int,
    action: Action,
    actor: str,
    note: str = "",
    verdict: Verdict | None = None,
) -> int:
    """Write what happened; return the event's number."""
    return int(await connection.fetchval(_EVENT, alarm_id, action.value, actor, note, verdict))


async def set_state(
    connection: Connection,
    alarm_id: int,
    action: Action,
    actor: str,
    note: str = "",
    verdict: Verdict | None = None,
) -> None:
    """Move an alarm to the state that an action leads to, and write the event."""
    state = "open" if action is Action.REOPENED else action.value
    await connection.execute(_STATE, alarm_id, state)
    await write_event(connection, alarm_id, action, actor, note, verdict)


async def write_verdict(
    connection: Connection, alarm: Alarm, actor: str, judgement: Judgement
) -> None:
    """Write what was found, and what that labels.

    Raises:
        SpecError: The judgement does not fit the alarm.
    """
    await connection.execute(_JUDGE, alarm.alarm_id, judgement.verdict)
    await write_labels(connection, alarm, actor, judgement, datetime.now(UTC))
