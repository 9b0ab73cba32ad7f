"""Workers of a watch in processes of their own, which start fast and can be killed."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg

from hydrascope.telemetry.timescale.database import Database
from hydrascope.telemetry.timescale.migrations import upgrade
from hydrascope.telemetry.timescale.settings import database_settings

PRELOADED = ("hydrascope.watch.startup", "hydrascope.watch.main")
"""What a worker takes long to import."""
_END_S = 60


def _context() -> ForkServerContext:
    """Return a context whose processes find torch imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    return context


def _work(arguments: Sequence[str], log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 2)
    from hydrascope.watch.main import main

    main(arguments)


class Workers:
    """Some workers of one watch.

    Args:
        count: How many.
        arguments: Of `hydrascope watch`.
        log: File to which they write.
    """

    def __init__(self, count: int, arguments: Sequence[str], log: Path) -> None:
        self._context, self._arguments, self.log = _context(), list(arguments), log
        self._processes = [self._started() for _ in range(count)]

    def kill(self, number: int) -> None:
        """Kill a worker, which can do nothing about it, and start another one in its place."""
        killed = self._processes[number]
        assert killed.pid is not None
        os.kill(killed.pid, signal.SIGKILL)
        killed.join(_END_S)
        assert killed.exitcode == -signal.SIGKILL
        self._processes[number] = self._started()

    def stop(self) -> list[int | None]:
        """Ask all workers to end; return their exit codes."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(_END_S)
        return [process.exitcode for process in self._processes]

    def wait(self, seconds: float) -> list[int | None]:
        """Wait until all workers have ended by themselves; return their exit codes."""
        deadline = time.monotonic() + seconds
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
        return [process.exitcode for process in self._processes]

    def cpu_s(self) -> float:
        """Return the processor time of all workers so far."""
        ticks = 0
        for process in self._processes:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Kill those that still run."""
        for process in self._processes:
            if process.is_alive():
                process.kill()
                process.join()

    def _started(self) -> ForkServerProcess:
        process = self._context.Process(target=_work, args=(self._arguments, str(self.log)))
        process.start()
        return process


@contextmanager
def workers(count: int, arguments: Sequence[str], log: Path) -> Iterator[Workers]:
    """Run workers; whatever happens, none is left."""
    running = Workers(count, arguments, log)
    try:
        yield running
    finally:
        running.end()


class Kept(NamedTuple):
    """A diagnosis as the database has it."""

    content: str
    health: float | None
    asked_by: str


def new_database(server_dsn: str, name: str) -> str:
    """Make a database with the present schema; return its DSN."""

    async def work() -> None:
        connection = await asyncpg.connect(server_dsn)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        async with Database(database_settings(dsn=dsn)) as database:
            await upgrade(database)

    dsn = urlsplit(server_dsn)._replace(path=f"/{name}").geturl()
    asyncio.run(work())
    return dsn


def rows(dsn: str, statement: str, *values: object) -> list[Any]:
    """Return the rows of a statement."""

    async def work() -> list[Any]:
        connection = await asyncpg.connect(dsn)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    return asyncio.run(work())


def kept(dsn: str) -> dict[tuple[str, datetime], Kept]:
    """Return all diagnoses by machine and start."""
    found = rows(
        dsn,
        "SELECT equipment_id, window_start, content, health, asked_by "
        "FROM hydrascope.predictions JOIN hydrascope.equipment USING (equipment_key)",
    )
    by_window = {(row[0], row[1]): Kept(*row[2:]) for row in found}
    assert len(by_window) == len(found)
    return by_window


def sums(dsn: str, table: str = "hourly") -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return the sums by machine, series and hour or day."""
    column = "hour" if table == "hourly" else "day"
    found = rows(
        dsn,
        f"SELECT equipment_id, component_id, head, label, measure, {column}, "
        f"windows, total, lowest, highest FROM hydrascope.series_{table} "
        "JOIN hydrascope.series USING (series_key) JOIN hydrascope.equipment USING (equipment_key)",
    )
    return {tuple(row[:6]): tuple(row[6:]) for row in found}


def alarms(dsn: str) -> list[tuple[object, ...]]:
    """Return all alarms and how often each was raised, in the order of what they are about."""
    return rows(
        dsn,
        """
        SELECT equipment_id, rule, component_id, head, finding, severity, state, since, raised_at,
               last_at, windows, over_at, array_agg(action ORDER BY event_key)
        FROM hydrascope.alarms JOIN hydrascope.equipment USING (equipment_key)
        JOIN hydrascope.alarm_events USING (alarm_key)
        GROUP BY equipment_id, alarm_key ORDER BY 1, 2, 3, 4, 5
        """,
    )


def wait_for(dsn: str, windows: int, seconds: float) -> None:
    """Wait until so many windows are diagnosed.

    Raises:
        TimeoutError: They were not within the time.
    """
    deadline = time.monotonic() + seconds
    while (found := rows(dsn, "SELECT count(*) FROM hydrascope.predictions")[0][0]) < windows:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{found} of {windows} windows after {seconds:g} s")
        time.sleep(0.2)
