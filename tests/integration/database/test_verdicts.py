"""Verdicts on alarms as labels, in a real database."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pandas as pd
import pytest
from databases import NOON, machine, on_both_servers, settings

from hydrascope.monitoring.alarm import Alarm, AlarmFilter, AlarmLabel, Judgement
from hydrascope.monitoring.alarms import AlarmRepository
from hydrascope.monitoring.engine import Change, Transition
from hydrascope.monitoring.rules import Rule, RuleFile, Severity
from hydrascope.monitoring.verdicts import SOUND_AFTER_REPAIR
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.task import HeadSpec
from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.database import Connection
from hydrascope.telemetry.timescale.repositories import equipment_key

T = TypeVar("T")
_WEAR = HeadSpec.model_validate(
    {
        "name": "wear",
        "level": "component",
        "kind": "multi_class",
        "components": ["pump"],
        "classes": [
            {"value": 0, "name": "none"},
            {"value": 1, "name": "some"},
            {"value": 2, "name": "much"},
        ],
        "healthy": 0,
    }
)
_RULES = RuleFile(rules=(Rule(name="worn"),))


def _at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


class _Plant:
    """The press, whose pump wears."""

    def __init__(self, connector: TimescaleConnector) -> None:
        self.connector = connector
        self.alarms = AlarmRepository(connector.database, _RULES)

    async def raised(self, since: float, last: float, finding: str = "some") -> Alarm:
        """Raise an alarm that is shown from one minute of the telemetry to another."""
        window = TimeWindow(start=_at(last - 1), end=_at(last))
        names = ("worn", Severity.WARNING, "pump", "wear", finding)
        given = Transition(Change.RAISED, *names, window, _at(since).isoformat(), 4, 0.9)

        async def work(connection: Connection) -> None:
            key = await equipment_key(connection, "press")
            await self.alarms.apply(connection, key, [given], "model-1", [_WEAR])

        await self.connector.database.transaction(work)
        return (await self.alarms.page(AlarmFilter())).alarms[0]

    async def ingest(self, column: str, *rows: tuple[float, float, int]) -> None:
        """Ingest labels from one minute to another."""
        table = pd.DataFrame(
            {
                "start": [_at(row[0]) for row in rows],
                "end": [_at(row[1]) for row in rows],
                column: [row[2] for row in rows],
            }
        )
        await self.connector.labels.save("press", table)

    async def labels(self, until: datetime | None = None) -> list[tuple[Any, ...]]:
        """Return the labels: start and end in minutes, values."""
        table = await self.connector.labels.of("press", until)
        minutes = [(table[name] - NOON).dt.total_seconds() / 60 for name in ("start", "end")]
        return list(zip(*minutes, *(table[name] for name in table.columns[2:]), strict=True))


def _run(dsn: str, work: Callable[[_Plant], Awaitable[T]]) -> T:
    async def inside() -> T:
        async with TimescaleConnector(settings(dsn)) as connector:
            await connector.equipment.save(machine())
            return await work(_Plant(connector))

    return asyncio.run(inside())


def _contents(labels: Sequence[AlarmLabel]) -> list[tuple[datetime, datetime, dict[str, float]]]:
    return [(each.starts, each.ends, dict(each.content)) for each in labels]


@on_both_servers
def test_a_verdict_is_a_label_with_its_author_and_the_last_one_counts(dsn: str) -> None:
    async def work(plant: _Plant) -> list[Alarm]:
        alarm = await plant.raised(10, 20)
        judge = plant.alarms.judge
        first = await judge(alarm.alarm_id, "anna", Judgement("confirmed"), "seen")
        assert await plant.labels() == [(10, 20, 1)]
        second = await judge(alarm.alarm_id, "ben", Judgement("false_alarm"), "a sensor")
        assert await plant.labels() == [(10, 20, 0)]
        # A training that is repeated reads what was known then.
        assert await plant.labels(first.labels[0].given_on) == [(10, 20, 1)]
        assert await plant.labels(NOON) == []
        return [first, second]

    first, second = _run(dsn, work)
    assert _contents(first.labels) == [(_at(10), _at(20), {"pump.wear": 1})]
    assert _contents(second.labels) == [(_at(10), _at(20), {"pump.wear": 0})]
    assert (first.labels[0].author, second.labels[0].author) == ("anna", "ben")
    assert first.labels[0].given_on < second.labels[0].given_on
    assert (second.state, second.verdict) == ("open", "false_alarm")
    said = [(each.action, each.actor, each.verdict, each.note) for each in second.events[1:]]
    assert said == [
        ("judged", "anna", "confirmed", "seen"),
        ("judged", "ben", "false_alarm", "a sensor"),
    ]


def test_a_repair_is_the_fault_before_and_sound_after_until_the_next_alarm(dsn: str) -> None:
    async def work(plant: _Plant) -> None:
        alarm = await plant.raised(10, 20, "much")
        repaired = Judgement("repaired", repaired_at=_at(60))
        closed = await plant.alarms.close(alarm.alarm_id, "anna", "new seal", repaired)
        assert (closed.state, closed.verdict) == ("closed", "repaired")
        week = SOUND_AFTER_REPAIR.total_seconds() / 60
        assert await plant.labels() == [(10, 20, 2), (60, 60 + week, 0)]
        await plant.raised(500, 510)
        assert await plant.labels() == [(10, 20, 2), (60, 500, 0)]
        early = Judgement("repaired", repaired_at=_at(15))
        await plant.alarms.judge(alarm.alarm_id, "anna", early)
        assert await plant.labels() == [(10, 15, 2), (20, 500, 0)]  # between the two nobody knows

    _run(dsn, work)


def test_verdicts_lie_over_what_was_ingested_in_the_column_that_it_has(dsn: str) -> None:
    async def work(plant: _Plant) -> None:
        await plant.ingest("wear", (0, 30, 0), (30, 60, 0))
        alarm = await plant.raised(25, 40)
        await plant.alarms.judge(alarm.alarm_id, "anna", Judgement("confirmed"))
        expected = [(0, 25, 0), (25, 30, 1), (30, 40, 1), (40, 60, 0)]
        assert await plant.labels() == expected
        await plant.ingest("wear", (0, 30, 0), (30, 60, 0))  # once more, as ingestion may
        assert await plant.labels() == expected
        later = await plant.raised(35, 50, "much")
        await plant.alarms.judge(later.alarm_id, "ben", Judgement("confirmed"))
        assert (await plant.labels())[2:5] == [(30, 35, 1), (35, 40, 2), (40, 50, 2)]

    _run(dsn, work)


def test_a_judgement_that_does_not_fit_is_one_line_and_changes_nothing(dsn: str) -> None:
    async def work(plant: _Plant) -> None:
        alarm = await plant.raised(10, 20)
        for judgement, said in (
            (Judgement("confirmed", value=2), "value: 2 is not accepted: the alarm says what"),
            (Judgement("false_alarm", value=2), "value: given with 'false_alarm'; expected null"),
            (Judgement("confirmed", repaired_at=NOON), "repaired_at: given with 'confirmed'"),
            (Judgement("repaired", repaired_at=_at(10)), "repaired_at: .* is not after"),
        ):
            with pytest.raises(SpecError, match=said):
                await plant.alarms.judge(alarm.alarm_id, "anna", judgement)
        assert await plant.alarms.get(alarm.alarm_id) == alarm
        assert await plant.labels() == []

    _run(dsn, work)
