"""The queue that all workers share: procrastinate, in a schema of its own beside the telemetry.

The queue says who visits which machine next. What has been diagnosed is not in it but in
`hydrascope.watches`, so it may be emptied or lost at any time: the next plan fills it again.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.schema import SchemaManager

from hydrascope.monitoring.watches import Watched
from hydrascope.telemetry.timescale.settings import DatabaseSettings

QUEUE = "watch"
SCHEMA = "hydrascope_queue"
_LOCK = 0x77617463  # an arbitrary number that all starting workers share
_POOL_TIMEOUT_S = 10.0

FAILURES = (ConnectorException, psycopg.Error)
"""What the queue raises where the database does not answer."""


class Again(NamedTuple):
    """When a machine is to be visited again."""

    pause_s: int = 0
    failures: int = 0
    """How many visits in a row have failed."""


_AT_ONCE = Again()

Visit = Callable[[int, str, int], Awaitable[Again | None]]
"""Visits a machine by key and ID, after so many failures in a row; returns whether it is to be
visited again before a plan says so."""
Work = Callable[[], Awaitable[None]]

_log = logging.getLogger(__name__)


class _Jobs(JobManager):
    """Jobs of which it is told when their end cannot be written.

    Such a job keeps its machine's lock for as long as its worker is registered.
    """

    def __init__(self, connector: PsycopgConnector, lost: Callable[[], None]) -> None:
        super().__init__(connector)
        self._lost = lost

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Write that a job has ended."""
        try:
            await super().finish_job(job, status, delete_job)
        except ConnectorException as error:
            if isinstance(error.__cause__, psycopg.OperationalError):
                self._lost()
            raise


class VisitQueue:
    """Visits that wait, and those being made.

    A machine is visited by one worker at a time, and at most one visit of it waits.

    Args:
        settings: Of the database.
        visit: Makes a visit.
        plan: Finds machines to visit.
        deliver: Delivers messages about alarms.
        lost: Is called when the end of a job cannot be written: the worker is to register anew.
        poll_s: Time between two plans, of all workers together; None: nothing is done by itself.
        connections: The most connections.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        visit: Visit,
        plan: Work,
        deliver: Work,
        lost: Callable[[], None],
        poll_s: int | None,
        connections: int,
    ) -> None:
        self._settings = settings
        connector = PsycopgConnector(
            conninfo=settings.dsn,
            min_size=1,
            max_size=connections,
            timeout=_POOL_TIMEOUT_S,
            kwargs={
                "options": f"-c search_path={SCHEMA} -c TimeZone=UTC",
                "application_name": "hydrascope watch",
                **({"password": password} if (password := settings.password()) else {}),
            },
        )
        self.app = App(connector=connector)

        self.app.job_manager = _Jobs(connector, lost)

        # A failed visit is not retried by procrastinate: its job could not wait beside another one.
        @self.app.task(name="visit", queue=QUEUE)
        async def make_visit(equipment_key: int, equipment_id: str, failures: int = 0) -> None:
            again = await visit(equipment_key, equipment_id, failures)
            if again is not None:
                await self.add(equipment_key, equipment_id, again)

        self._visit = make_visit
        if poll_s is not None:

            @self.app.periodic(cron=f"* * * * * */{poll_s}")
            @self.app.task(name="plan", queue=QUEUE, queueing_lock="plan", priority=1)
            async def make_plan(timestamp: int) -> None:  # noqa: ARG001, procrastinate passes it
                await plan()

            @self.app.periodic(cron=f"* * * * * */{poll_s}")
            @self.app.task(name="deliver", queue=QUEUE, queueing_lock="deliver", lock="deliver")
            async def make_deliveries(timestamp: int) -> None:  # noqa: ARG001, as above
                await deliver()

    async def prepare(self) -> None:
        """Make the queue's tables, unless they are there; workers may start at the same time.

        Tables of another version of procrastinate are replaced: the next plan fills them.

        Raises:
            psycopg.Error: The database does not answer, or the rights do not suffice.
        """
        sql = SchemaManager.get_schema()
        digest = hashlib.sha256(sql.encode()).hexdigest()
        async with await psycopg.AsyncConnection.connect(
            self._settings.dsn,
            password=self._settings.password(),
            options=f"-c search_path={SCHEMA}",
        ) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            cursor = await connection.execute(
                "SELECT obj_description(to_regnamespace(%s), 'pg_namespace')", [SCHEMA]
            )
            found = await cursor.fetchone()
            if found == (digest,):
                return
            await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            await connection.execute(f"CREATE SCHEMA {SCHEMA}")
            await connection.execute(sql)
            await connection.execute(f"COMMENT ON SCHEMA {SCHEMA} IS '{digest}'")

    async def add(self, equipment_key: int, equipment_id: str, when: Again = _AT_ONCE) -> None:
        """Let a machine be visited, unless a visit of it waits."""
        lock = f"machine {equipment_key}"
        visit = self._visit.configure(
            lock=lock,
            queueing_lock=lock,
            schedule_in={"seconds": when.pause_s} if when.pause_s else None,
        )
        try:
            await visit.defer_async(
                equipment_key=equipment_key, equipment_id=equipment_id, failures=when.failures
            )
        except AlreadyEnqueued:
            _log.debug("%s: a visit waits", equipment_id)

    async def add_all(self, machines: list[Watched]) -> None:
        """Let machines be visited, except those of which a visit waits or is being made.

        What comes during a visit is found by the plan after it.
        """
        jobs = await self.app.job_manager.list_jobs_async(queue=QUEUE)
        there = {job.lock for job in jobs}
        for each in machines:
            if f"machine {each.equipment_key}" not in there:
                await self.add(each.equipment_key, each.equipment_id)

    async def free_stalled(self, stalled_s: float) -> int:
        """End the visits of workers without a sign of life, so that others can make them.

        Returns:
            The number of visits.
        """
        jobs, freed = self.app.job_manager, 0
        stalled = await jobs.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=stalled_s)
        for job in stalled:
            assert job.id is not None
            try:
                await jobs.finish_job_by_id_async(job.id, Status.FAILED, delete_job=True)
            except ConnectorException as error:
                if not isinstance(error.__cause__, psycopg.errors.RaiseException):
                    raise
                continue  # it has ended by itself, or another worker was faster
            freed += 1
        await jobs.prune_stalled_workers(stalled_s)
        return freed


def is_refused(error: BaseException) -> bool:
    """Return whether the database refused a statement, so that trying again is of no use."""
    return isinstance(_cause(error), psycopg.ProgrammingError | psycopg.NotSupportedError)


def counted_as_stalled(error: BaseException) -> bool:
    """Return whether other workers have struck a worker off, because it gave no sign of life."""
    return isinstance(_cause(error), psycopg.errors.ForeignKeyViolation)


def _cause(error: BaseException) -> BaseException | None:
    return error.__cause__ if isinstance(error, ConnectorException) else error
