"""Alarms in the database: folded, acknowledged, closed, with everything that happened to them.

An alarm follows ISA-18.2: it is open until somebody acknowledges it, and closed once it is both
acknowledged and over. Somebody may close it earlier, with a verdict; if the machine still shows the
finding, a new alarm is raised from then on.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

from hydrascope.monitoring.alarm import Alarm, AlarmFilter, AlarmPage, Judgement
from hydrascope.monitoring.alarm_reading import read_alarm, read_page
from hydrascope.monitoring.alarm_writing import (
    WATCH,
    Action,
    set_state,
    write_event,
    write_verdict,
)
from hydrascope.monitoring.engine import Change, Transition, forget
from hydrascope.monitoring.meaning import meaning_of
from hydrascope.monitoring.notifications import write_notifications
from hydrascope.monitoring.rules import RuleFile
from hydrascope.monitoring.watches import lock_standing, save_progress
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadSpec
from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.repositories import equipment_key

_OPEN = """
SELECT alarm_key, state, over_at FROM hydrascope.alarms
WHERE equipment_key = $1 AND rule = $2 AND component_id = $3 AND head = $4 AND finding = $5
    AND state <> 'closed'
FOR UPDATE
"""
_RAISE = """
INSERT INTO hydrascope.alarms
    (equipment_key, rule, component_id, head, finding, severity, state, since, raised_at, last_at,
     windows, peak, model, drivers, meaning)
VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8, $8, $9, $10, $11, $12, $13)
RETURNING alarm_key
"""
_REOPEN = """
UPDATE hydrascope.alarms
SET state = 'open', over_at = NULL, severity = $2, raised_at = $3, last_at = $3,
    windows = windows + $4, peak = $5, model = $6, drivers = $7, meaning = $8
WHERE alarm_key = $1
"""
_LAST = """
UPDATE hydrascope.alarms SET last_at = $2, windows = windows + 1, peak = $3 WHERE alarm_key = $1
"""
_OVER = "UPDATE hydrascope.alarms SET over_at = $2 WHERE alarm_key = $1"


class _Answered(NamedTuple):
    """What raised an alarm: a version of a model, and the heads of its task."""

    model: str
    heads: tuple[HeadSpec, ...]


class AlarmRepository:
    """Alarms of all machines.

    Args:
        database: To read from and write to.
        rules: Say who is notified.
    """

    def __init__(self, database: Database, rules: RuleFile) -> None:
        self._database, self._rules = database, rules

    async def apply(
        self,
        connection: Connection,
        key: int,
        transitions: Sequence[Transition],
        model: str,
        heads: Sequence[HeadSpec],
    ) -> None:
        """Write what some windows of a machine did to its alarms, in the caller's transaction.

        Args:
            connection: Of the transaction.
            key: Of the machine.
            transitions: In the order of the windows.
            model: The version of the model that answered.
            heads: Of its task; they tell what a verdict labels.
        """
        for each in transitions:
            found = await connection.fetchrow(
                _OPEN, key, each.rule, each.component_id, each.head, each.finding
            )
            end = each.window.end
            match each.change:
                case Change.RAISED:
                    answered = _Answered(model, tuple(heads))
                    await self._raised(connection, key, each, answered, found)
                case Change.LASTS if found is not None:
                    await connection.execute(_LAST, found["alarm_key"], end, each.peak)
                case Change.OVER if found is not None:
                    await connection.execute(_OVER, found["alarm_key"], end)
                    await write_event(connection, found["alarm_key"], Action.OVER, WATCH)
                    if found["state"] == "acknowledged":
                        await set_state(connection, found["alarm_key"], Action.CLOSED, WATCH)

    async def acknowledge(self, alarm_id: int, actor: str, note: str = "") -> Alarm:
        """Say that somebody takes care of an alarm; one that is over is closed by that.

        Raises:
            SpecError: There is no such alarm, or it is not open.
        """

        async def work(connection: Connection, alarm: Alarm) -> None:
            if alarm.state != "open":
                raise _not_possible(alarm, "acknowledged", "open")
            await set_state(connection, alarm_id, Action.ACKNOWLEDGED, actor, note)
            if alarm.over_at is not None:
                await set_state(connection, alarm_id, Action.CLOSED, WATCH)

        return await self._change(alarm_id, work)

    async def close(
        self, alarm_id: int, actor: str, note: str = "", judgement: Judgement | None = None
    ) -> Alarm:
        """Close an alarm, whether it is over or not; a judgement is as in `judge`.

        Raises:
            SpecError: There is no such alarm, it is closed, or the judgement does not fit it.
        """

        async def work(connection: Connection, alarm: Alarm) -> None:
            if alarm.state == "closed":
                raise _not_possible(alarm, "closed", "open or acknowledged")
            verdict = None if judgement is None else judgement.verdict
            await set_state(connection, alarm_id, Action.CLOSED, actor, note, verdict)
            if judgement is not None:
                await write_verdict(connection, alarm, actor, judgement)
            await _forget(connection, alarm)

        return await self._change(alarm_id, work)

    async def judge(self, alarm_id: int, actor: str, judgement: Judgement, note: str = "") -> Alarm:
        """Say what was found at the machine, whatever the alarm's state; the last verdict counts.

        Raises:
            SpecError: There is no such alarm, or the judgement does not fit it.
        """

        async def work(connection: Connection, alarm: Alarm) -> None:
            await write_event(connection, alarm_id, Action.JUDGED, actor, note, judgement.verdict)
            await write_verdict(connection, alarm, actor, judgement)

        return await self._change(alarm_id, work)

    async def reopen(self, alarm_id: int, actor: str, note: str = "") -> Alarm:
        """Open a closed alarm again.

        Raises:
            SpecError: There is no such alarm, it is not closed, or another one of the same finding
                is open.
        """

        async def work(connection: Connection, alarm: Alarm) -> None:
            if alarm.state != "closed":
                raise _not_possible(alarm, "reopened", "closed")
            key = await equipment_key(connection, alarm.equipment_id)
            names = alarm.rule, alarm.component_id, alarm.head, alarm.finding
            if (other := await connection.fetchrow(_OPEN, key, *names)) is not None:
                raise SpecError(
                    f"alarm {other['alarm_key']} of the same finding is {other['state']}; "
                    f"expected none beside {alarm_id}",
                    path="alarm_id",
                )
            await set_state(connection, alarm_id, Action.REOPENED, actor, note)

        return await self._change(alarm_id, work)

    async def comment(self, alarm_id: int, actor: str, note: str) -> Alarm:
        """Write a note to an alarm.

        Raises:
            SpecError: There is no such alarm, or the note is empty.
        """
        if not note.strip():
            raise SpecError("it is empty; expected some text", path="note")

        async def work(connection: Connection, _: Alarm) -> None:
            await write_event(connection, alarm_id, Action.COMMENTED, actor, note)

        return await self._change(alarm_id, work)

    async def get(self, alarm_id: int) -> Alarm:
        """Return an alarm with all of its events.

        Raises:
            SpecError: There is no such alarm.
        """
        return await self._database.run(lambda connection: read_alarm(connection, alarm_id))

    async def page(
        self, which: AlarmFilter, limit: int = 100, before: int | None = None
    ) -> AlarmPage:
        """Return alarms, the newest first.

        Args:
            which: The alarms that are asked for.
            limit: The most alarms to return.
            before: `AlarmPage.next` of the page before; None: the first page.
        """
        return await self._database.run(
            lambda connection: read_page(connection, which, limit, before)
        )

    async def _raised(
        self, connection: Connection, key: int, given: Transition, answered: _Answered, found: Any
    ) -> None:
        drivers = json.dumps([asdict(each) for each in given.drivers]) if given.drivers else None
        names = given.rule, given.component_id, given.head, given.finding
        end = given.window.end
        meant = meaning_of(answered.heads, given.component_id, given.head, given.finding)
        meaning = None if meant is None else meant.model_dump_json()
        numbers = given.windows, given.peak, answered.model, drivers, meaning
        if found is None:
            since = datetime.fromisoformat(given.since)
            alarm_key = await connection.fetchval(
                _RAISE, key, *names, given.severity.value, since, end, *numbers
            )
            action = Action.RAISED
        else:
            alarm_key, action = found["alarm_key"], Action.REOPENED
            await connection.execute(_REOPEN, alarm_key, given.severity.value, end, *numbers)
        event = await write_event(connection, alarm_key, action, WATCH)
        await write_notifications(
            connection, self._rules, event, await read_alarm(connection, alarm_key)
        )

    async def _change(
        self, alarm_id: int, work: Callable[[Connection, Alarm], Awaitable[None]]
    ) -> Alarm:
        async def inside(connection: Connection) -> Alarm:
            # The machine's row is locked first, as by a watch: two writers wait, none is lost.
            await connection.execute(
                "SELECT FROM hydrascope.equipment JOIN hydrascope.alarms USING (equipment_key) "
                "WHERE alarm_key = $1 FOR NO KEY UPDATE",
                alarm_id,
            )
            await work(connection, await read_alarm(connection, alarm_id))
            return await read_alarm(connection, alarm_id)

        return await self._database.transaction(inside)


async def _forget(connection: Connection, alarm: Alarm) -> None:
    """Let the rules begin anew with a finding, so that it can raise a new alarm."""
    key = await equipment_key(connection, alarm.equipment_id)
    progress = (await lock_standing(connection, key)).progress
    if progress is not None:
        names = alarm.rule, alarm.component_id, alarm.head, alarm.finding
        rules = forget(progress.rules, *names)
        await save_progress(connection, key, progress._replace(rules=rules))


def _not_possible(alarm: Alarm, action: str, expected: str) -> SpecError:
    return SpecError(
        f"alarm {alarm.alarm_id} is {alarm.state} and cannot be {action}; expected {expected}",
        path="alarm_id",
    )
