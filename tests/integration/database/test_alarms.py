"""Alarms in a real database, and messages through a real web hook."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import pytest
from databases import machine, sql

from hydrascope.monitoring.alarm import Alarm, AlarmDriver, AlarmFilter, Judgement, Silence
from hydrascope.monitoring.alarms import AlarmRepository
from hydrascope.monitoring.delivery import TRIES, Delivered, deliver
from hydrascope.monitoring.engine import Change, Transition
from hydrascope.monitoring.news import NewsReader
from hydrascope.monitoring.rules import Rule, RuleFile, Severity
from hydrascope.monitoring.silences import SilenceRepository
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.timescale.database import Connection, Database
from hydrascope.telemetry.timescale.repositories import EquipmentRepository, equipment_key
from hydrascope.telemetry.timescale.settings import database_settings

T = TypeVar("T")
_NOW = datetime.now(UTC).replace(microsecond=0)
_DRIVERS = (AlarmDriver("PS1", 0.7), AlarmDriver("FS1", 0.3))


def _rules(address: str = "json://127.0.0.1:9/") -> RuleFile:
    rule = Rule(name="leaks", notify=("plant",))
    return RuleFile(channels={"plant": address}, rules=(rule,), page="https://plant.example")


def _transition(change: Change, minutes: float = 0.0, **keys: Any) -> Transition:
    end = _NOW + timedelta(minutes=minutes)
    window = TimeWindow(start=end - timedelta(minutes=1), end=end)
    since = (window.start - timedelta(minutes=5)).isoformat()
    given = {"windows": 4, "peak": 0.9, "drivers": _DRIVERS} | keys
    names = ("leaks", Severity.WARNING, "pump", "fault", "leak")
    return Transition(change, *names, window, since, **given)


class _Plant:
    """A machine in a database, with its alarms."""

    def __init__(self, database: Database, rules: RuleFile) -> None:
        self.database, self.rules = database, rules
        self.alarms = AlarmRepository(database, rules)
        self.name = ""

    async def change(self, *transitions: Transition) -> None:
        async def work(connection: Connection) -> None:
            key = await equipment_key(connection, self.name)
            await self.alarms.apply(connection, key, transitions, "model-1", ())

        await self.database.transaction(work)

    async def all(self) -> list[Alarm]:
        return (await self.alarms.page(AlarmFilter())).alarms


def _run(dsn: str, work: Callable[[_Plant], Awaitable[T]], rules: RuleFile | None = None) -> T:
    async def inside() -> T:
        async with Database(database_settings(dsn=dsn)) as database:
            plant = _Plant(database, rules or _rules())
            known = machine()
            plant.name = known.equipment.equipment_id
            await EquipmentRepository(database).save(known)
            return await work(plant)

    return asyncio.run(inside())


async def _as_if_waited(plant: _Plant) -> None:
    """End the pause before the next try of all messages."""
    statement = "UPDATE hydrascope.notifications SET next_try_on = now()"
    await plant.database.run(lambda connection: connection.execute(statement))


def _actions(alarm: Alarm) -> list[tuple[str, str]]:
    return [(event.action, event.actor) for event in alarm.events]


def test_a_finding_has_one_alarm_however_often_it_comes_back(dsn: str) -> None:
    async def work(plant: _Plant) -> list[Alarm]:
        await plant.change(_transition(Change.RAISED), _transition(Change.LASTS, 1, peak=0.95))
        await plant.change(_transition(Change.OVER, 9))
        await plant.change(_transition(Change.RAISED, 20, peak=0.8))
        return await plant.all()

    (alarm,) = _run(dsn, work)
    assert (alarm.state, alarm.over_at) == ("open", None)
    assert alarm.windows == 4 + 1 + 4
    assert _actions(alarm) == [("raised", "watch"), ("over", "watch"), ("reopened", "watch")]
    assert alarm.since == _NOW - timedelta(minutes=6)
    assert alarm.raised_at == _NOW + timedelta(minutes=20)
    assert alarm.drivers == _DRIVERS


@pytest.mark.parametrize("over_first", [True, False])
def test_an_alarm_is_closed_once_it_is_acknowledged_and_over(dsn: str, over_first: bool) -> None:
    async def work(plant: _Plant) -> Alarm:
        await plant.change(_transition(Change.RAISED))
        (alarm,) = await plant.all()
        if over_first:
            await plant.change(_transition(Change.OVER, 9))
            return await plant.alarms.acknowledge(alarm.alarm_id, "anna", "I look at it")
        seen = await plant.alarms.acknowledge(alarm.alarm_id, "anna", "I look at it")
        assert seen.state == "acknowledged"
        await plant.change(_transition(Change.OVER, 9))
        return await plant.alarms.get(alarm.alarm_id)

    alarm = _run(dsn, work)
    assert alarm.state == "closed"
    assert alarm.closed_on is not None
    assert ("acknowledged", "anna") in _actions(alarm)
    assert _actions(alarm)[-1] == ("closed", "watch")


def test_a_closed_alarm_has_its_verdict_and_the_next_finding_is_another_alarm(dsn: str) -> None:
    async def work(plant: _Plant) -> list[Alarm]:
        await plant.change(_transition(Change.RAISED))
        (alarm,) = await plant.all()
        await plant.alarms.comment(alarm.alarm_id, "ben", "hose wet")
        await plant.alarms.close(alarm.alarm_id, "ben", "hose replaced", Judgement("repaired"))
        await plant.change(_transition(Change.LASTS, 1))
        await plant.change(_transition(Change.RAISED, 30))
        with pytest.raises(SpecError, match="of the same finding is open"):
            await plant.alarms.reopen(alarm.alarm_id, "ben")
        return await plant.all()

    new, old = _run(dsn, work)
    assert (old.state, old.verdict, old.windows) == ("closed", "repaired", 4)
    assert [each.note for each in old.events] == ["", "hose wet", "hose replaced"]
    assert (new.state, new.verdict) == ("open", None)


def test_what_an_alarm_does_not_allow_is_one_line(dsn: str) -> None:
    async def work(plant: _Plant) -> None:
        await plant.change(_transition(Change.RAISED))
        (alarm,) = await plant.all()
        number = alarm.alarm_id
        for call, said in (
            (plant.alarms.reopen(number, "anna"), "expected closed"),
            (plant.alarms.comment(number, "anna", " "), "note: it is empty"),
            (plant.alarms.acknowledge(number + 7, "anna"), f"no alarm {number + 7}"),
        ):
            with pytest.raises(SpecError, match=said):
                await call
        await plant.alarms.acknowledge(number, "anna")
        with pytest.raises(SpecError, match="is acknowledged and cannot be acknowledged"):
            await plant.alarms.acknowledge(number, "anna")

    _run(dsn, work)


def test_alarms_are_paged_and_filtered_and_their_changes_are_told(dsn: str) -> None:
    async def work(plant: _Plant) -> None:
        reader = NewsReader(plant.database)
        before = await reader.now()
        names = [f"label_{number}" for number in range(5)]
        await plant.change(*(_transition(Change.RAISED)._replace(finding=name) for name in names))
        first = await plant.alarms.page(AlarmFilter(state="open"), limit=3)
        rest = await plant.alarms.page(AlarmFilter(state="open"), limit=3, before=first.next)
        found = [alarm.finding for alarm in (*first.alarms, *rest.alarms)]
        assert found == names[::-1]
        assert rest.next is None
        assert not (await plant.alarms.page(AlarmFilter(severity="critical"))).alarms
        assert not (await plant.alarms.page(AlarmFilter(equipment_id="other"))).alarms
        news = await reader.since(before)
        assert [alarm.finding for alarm in news.alarms] == names
        assert not (await reader.since(news.place)).alarms

    _run(dsn, work)


class _Hook(ThreadingHTTPServer):
    """Receives messages; refuses the first ones."""

    def __init__(self, refusals: int) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.refusals, self.received = refusals, list[dict[str, Any]]()


class _Request(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, _Hook)
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if server.refusals:
            server.refusals -= 1
            self.send_error(503)
            return
        server.received.append(content)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[_Hook]:
    server = _Hook(refusals=1)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_message_arrives_after_a_refusal_and_says_what_to_look_at(dsn: str, hook: _Hook) -> None:
    rules = _rules(f"json://127.0.0.1:{hook.server_address[1]}/")

    async def work(plant: _Plant) -> tuple[list[Delivered], str]:
        await plant.change(_transition(Change.RAISED), _transition(Change.LASTS, 1))
        rounds = [await deliver(plant.database, plant.rules) for _ in range(2)]
        await _as_if_waited(plant)
        rounds += [await deliver(plant.database, plant.rules) for _ in range(2)]
        (alarm,) = await plant.all()
        return rounds, f"https://plant.example/#/alarms/{alarm.alarm_id}"

    rounds, link = _run(dsn, work, rules)
    assert [tuple(each) for each in rounds] == [(0, 1, 0), (0, 0, 0), (1, 0, 0), (0, 0, 0)]
    (message,) = hook.received
    assert message["title"].startswith("Warning: ")
    assert "pump: leak" in message["title"]
    for part in ("PS1 (70%), FS1 (30%)", "rule leaks", "Since: ", link):
        assert part in message["message"]


def test_a_message_that_never_arrives_is_given_up_and_kept(dsn: str) -> None:
    async def work(plant: _Plant) -> list[Delivered]:
        await plant.change(_transition(Change.RAISED))
        rounds = []
        for _ in range(TRIES + 1):
            rounds.append(await deliver(plant.database, plant.rules))
            await _as_if_waited(plant)
        return rounds

    rounds = _run(dsn, work)
    assert [each.failed for each in rounds] == [1] * (TRIES - 1) + [0, 0]
    assert [each.given_up for each in rounds] == [0] * (TRIES - 1) + [1, 0]
    ((state, tries, error),) = sql(dsn, "SELECT state, tries, error FROM hydrascope.notifications")
    assert (state, tries) == ("given_up", TRIES)
    assert error


def test_nobody_is_notified_of_silenced_or_old_alarms(dsn: str) -> None:
    async def work(plant: _Plant) -> int:
        silences = SilenceRepository(plant.database)
        hour = timedelta(hours=1)
        given = Silence(0, plant.name, "pump", None, _NOW - hour, _NOW + hour, "anna", "works")
        silence = await silences.add(given)
        await plant.change(_transition(Change.RAISED))
        assert await silences.all() == [silence]
        assert await silences.end(silence.silence_id)
        assert not await silences.end(silence.silence_id)
        old = _transition(Change.RAISED, -60 * 48)
        await plant.change(old._replace(component_id="valve"))
        before = len(await plant.all())
        await plant.change(_transition(Change.RAISED)._replace(component_id="cooler"))
        with pytest.raises(SpecError, match=r"ends: .* is not after"):
            await silences.add(given._replace(ends=given.starts))
        return before

    assert _run(dsn, work) == 2
    written = sql(dsn, "SELECT body FROM hydrascope.notifications")
    assert len(written) == 1
    assert "cooler" in written[0][0]
