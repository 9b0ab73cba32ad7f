"""A worker: takes visits from the queue until it is stopped, through losses of the database."""

import asyncio
import logging
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

from procrastinate.jobs import DeleteJobCondition

from hydrascope.monitoring.delivery import deliver
from hydrascope.monitoring.rules import RuleFile
from hydrascope.schemas.errors import SpecError
from hydrascope.serving.equipment.store import EquipmentStore, UnavailableError
from hydrascope.telemetry.timescale.errors import DatabaseError, DatabaseQueryError
from hydrascope.watch.metrics import WatchMetrics
from hydrascope.watch.planner import Planner
from hydrascope.watch.queue import (
    FAILURES,
    QUEUE,
    Again,
    VisitQueue,
    counted_as_stalled,
    is_refused,
)
from hydrascope.watch.settings import WatchSettings
from hydrascope.watch.visit import Visitor

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
_ONCE_PAUSE_S = 0.2
"""How long a worker that is to end waits for the visits of others."""
_AFTER_FAILURE_S = 5
"""The pause after which a failed visit is made again; it doubles with each failure in a row."""
_AFTER_DATABASE_S, _AFTER_MACHINE_S = 15, 300
"""The longest such pause, where the database and where the machine was the reason."""
_HEARTBEATS = 3
"""Signs of life in the time after which a worker counts as stalled."""

_STRUCK_OFF = "others took this worker's machines over, as it gave no sign of life (see stalled_s)"

_AWAY = (*FAILURES, DatabaseError, UnavailableError)

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Worker:
    """Makes plans and visits.

    Attributes:
        settings: Of the watch.
        planner: Finds machines.
        visitor: Visits them.
        store: Has machines and their reference windows.
        metrics: Count failures.
        rules: Say where messages go.
        failed: What went wrong last with each machine, by ID; empty where nothing did.
    """

    settings: WatchSettings
    planner: Planner
    visitor: Visitor
    store: EquipmentStore
    metrics: WatchMetrics
    rules: RuleFile

    def __post_init__(self) -> None:
        """Open the queue's place."""
        self.failed: dict[str, str] = {}
        self._refusal: DatabaseQueryError | None = None
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._ends = False
        settings = self.settings
        self.queue = VisitQueue(
            self.visitor.database.settings,
            self._visit,
            self._plan,
            self._deliver,
            self._register_anew,
            None if settings.once else settings.poll_s,
            connections=settings.concurrency + 2,
        )

    def stop(self) -> None:
        """End after the present batches."""
        self._stopping.set()
        self._end_registration()

    async def run(self) -> None:
        """Work until `stop`, or with `once` until all that is due is diagnosed.

        Raises:
            DatabaseQueryError: The database refuses: wrong password, missing table or right.
        """
        asyncio.get_running_loop().set_exception_handler(_name_lost)
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                # Says why, where it is refused.
                await self.visitor.database.run(methodcaller("execute", "SELECT 1"))
                await self.queue.prepare()
                async with self.queue.app.open_async():
                    pause_s = _FIRST_PAUSE_S
                    if self.settings.once:
                        await self._catch_up()
                        return
                    await self._take_visits(wait=True)
            except _AWAY as error:
                if (refused := self._refused(error)) is not None:
                    raise refused from None
                self.metrics.failures.labels("queue").inc()
                said = _STRUCK_OFF if counted_as_stalled(error) else _line(error)
                _log.warning("database: %s; trying again in %.1f s", said, pause_s)
            if not self._stopping.is_set():
                await self._pause(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        if self._refusal is not None:
            raise self._refusal

    async def _catch_up(self) -> None:
        while not self._stopping.is_set():
            await self.queue.free_stalled(self.settings.stalled_s)
            due = await self.planner.machines_to_visit()
            due = [each for each in due if each.equipment_id not in self.failed]
            if not due:
                await self._deliver()
                return
            await self.queue.add_all(due)
            await self._take_visits(wait=False)
            await self._pause(_ONCE_PAUSE_S)

    async def _take_visits(self, *, wait: bool) -> None:
        """Take visits from the queue until `stop`, or until none waits."""
        settings = self.settings
        self._running = asyncio.create_task(
            self.queue.app.run_worker_async(
                queues=[QUEUE],
                concurrency=settings.concurrency,
                wait=wait,
                fetch_job_polling_interval=float(settings.poll_s),
                shutdown_graceful_timeout=settings.drain_s,
                delete_jobs=DeleteJobCondition.ALWAYS,
                install_signal_handlers=False,
                update_heartbeat_interval=settings.stalled_s / _HEARTBEATS,
                stalled_worker_timeout=settings.stalled_s,
            )
        )
        self._ends = False
        if self._stopping.is_set():
            self._end_registration()
        try:
            await self._running
        except asyncio.CancelledError:
            if not self._ends:
                raise
        finally:
            self._running = None

    def _end_registration(self) -> None:
        # A second cancellation would keep the worker from ending in order.
        if self._running is not None and not self._ends:
            self._ends = True
            self._running.cancel()

    def _register_anew(self) -> None:
        """End the present registration, so that its visits are freed, and begin another one."""
        self.metrics.failures.labels("queue").inc()
        _log.debug("the end of a visit was not written; the worker registers anew")
        self._end_registration()

    async def _plan(self) -> None:
        try:
            if freed := await self.queue.free_stalled(self.settings.stalled_s):
                _log.warning("%d visits of workers that ended are made again", freed)
            await self.queue.add_all(await self.planner.machines_to_visit())
        except _AWAY as error:
            self._refusal = self._refused(error)
            if self._refusal is not None:
                self.stop()
                return
            self.metrics.failures.labels("database").inc()
            _log.warning("database: %s; the next plan tries again", _line(error))

    async def _deliver(self) -> None:
        try:
            delivered = await deliver(self.visitor.database, self.rules)
        except DatabaseError as error:
            _log.warning("database: %s; the next delivery tries again", _line(error))
            return
        self.metrics.messages.labels("sent").inc(delivered.sent)
        self.metrics.messages.labels("failed").inc(delivered.failed)
        self.metrics.messages.labels("given_up").inc(delivered.given_up)

    def _refused(self, error: Exception) -> DatabaseQueryError | None:
        """Return what to end with where trying again is of no use."""
        if isinstance(error, UnavailableError) and isinstance(error.__cause__, DatabaseError):
            error = error.__cause__
        if isinstance(error, DatabaseQueryError):
            return error
        if is_refused(error):
            return DatabaseQueryError(f"{self.visitor.database.settings.place}: {_line(error)}")
        return None

    async def _visit(self, key: int, equipment_id: str, failures: int) -> Again | None:
        """Visit a machine; return whether it is to be visited again before a plan says so."""
        try:
            subject = await self.planner.subject(key, equipment_id)
            if subject is None or self._stopping.is_set():
                return None
            visited = await self.visitor.visit(subject)
        except (DatabaseError, UnavailableError) as error:
            self._note(equipment_id, "database", error)
            return _later(failures, _AFTER_DATABASE_S)
        except Exception as error:  # noqa: BLE001, the other machines go on
            if not isinstance(error, SpecError | ArithmeticError | MemoryError):
                _log.exception("%s: a mistake in Hydrascope", equipment_id)
            self._note(equipment_id, "machine", error)
            return None if self.settings.once else _later(failures, _AFTER_MACHINE_S)
        self.failed.pop(equipment_id, None)
        if not visited.windows:
            self.planner.wait_for_more(equipment_id)
        return Again() if visited.more else None

    def _note(self, equipment_id: str, what: str, error: Exception) -> None:
        """Count a failure, and name it unless it was named before."""
        self.metrics.failures.labels(what).inc()
        line = _line(error)
        if self.failed.get(equipment_id) != line:
            self.failed[equipment_id] = line
            _log.warning("%s: %s; trying again later", equipment_id, line)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def _later(failures: int, longest_s: int) -> Again:
    return Again(min(_AFTER_FAILURE_S * 2 ** min(failures, 10), longest_s), failures + 1)


def _line(error: BaseException) -> str:
    told: Any = error.__cause__ if isinstance(error, FAILURES) and error.__cause__ else error
    return " ".join(str(told).split()) or type(told).__name__


def _name_lost(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Name what a task of the queue failed with that nobody waited for."""
    error = context.get("exception")
    if isinstance(error, FAILURES):
        _log.debug("queue: %s", _line(error))
    else:
        loop.default_exception_handler(context)
