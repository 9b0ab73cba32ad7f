"""A worker goes on by itself after failures of the database that it survives."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.watch_workers import Workers, rows, wait_for, workers
from tests.support.watched_rigs import Part, WatchedRigs, save_machines, write

from hydrascope.telemetry.timescale.settings import database_settings
from hydrascope.watch.queue import SCHEMA, VisitQueue

MACHINES, WINDOWS = 2, 4


@pytest.fixture
def rounds(dsn: str) -> list[list[Part]]:
    """Return telemetry of machines that the database knows; the queue is there and empty."""
    rigs = WatchedRigs(MACHINES, WINDOWS, seed=7)
    save_machines(dsn, list(rigs.machines.values()))

    async def nothing(*_: object) -> None:
        """Do nothing."""

    settings = database_settings(dsn=dsn)
    queue = VisitQueue(settings, nothing, nothing, nothing, lambda: None, None, connections=1)
    asyncio.run(queue.prepare())
    return list(rigs.rounds(0.0))[:WINDOWS]


@contextmanager
def worker(bundle: Path, dsn: str, folder: Path, *settings: str) -> Iterator[Workers]:
    arguments = [f"bundle={bundle}", f"database={dsn}", "poll_s=1", "lateness_s=0", *settings]
    with workers(1, arguments, folder / "log") as one:
        yield one


def cancel(dsn: str, deed: str, table: str, after_s: float) -> None:
    """Let the database cancel what is done to a table after a time, as when it is too busy."""
    body = f"PERFORM pg_sleep({after_s}); RAISE 'too busy' USING ERRCODE = 'query_canceled';"
    function = f"FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
    rows(dsn, f"CREATE {function}")
    rows(dsn, f"CREATE TRIGGER cancelled BEFORE {deed} ON {table} EXECUTE FUNCTION cancel()")


def cancel_no_more(dsn: str, table: str) -> None:
    rows(dsn, f"DROP TRIGGER cancelled ON {table}")


def in_queue(dsn: str) -> str:
    """Return the DSN with which the queue's tables are found by their names."""
    return f"{dsn}?search_path={SCHEMA}"


def wait_until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_visit_that_fails_while_another_one_waits_is_made_again(
    light_bundle: Path, dsn: str, tmp_path: Path, rounds: list[list[Part]]
) -> None:
    for parts in rounds:
        write(dsn, parts)
    cancel(dsn, "INSERT", "hydrascope.predictions", after_s=1.0)
    with worker(light_bundle, dsn, tmp_path) as one:
        visits = "procrastinate_jobs WHERE task_name = 'visit' AND status = 'doing'"
        all_at_once = f"SELECT FROM {visits} HAVING count(*) = {MACHINES}"
        wait_until(lambda: len(rows(in_queue(dsn), all_at_once)) == 1)
        names = "queue_name, task_name, lock, args"
        others = f"INSERT INTO procrastinate_jobs ({names}, queueing_lock) SELECT {names}, lock"
        rows(in_queue(dsn), f"{others} FROM {visits}")
        wait_until(lambda: "too busy" in one.log.read_text())
        cancel_no_more(dsn, "hydrascope.predictions")
        wait_for(dsn, MACHINES * WINDOWS, 30)
        assert one.stop() == [0]


def test_a_visit_whose_end_cannot_be_written_at_once_does_not_keep_its_machine(
    light_bundle: Path, dsn: str, tmp_path: Path, rounds: list[list[Part]]
) -> None:
    for parts in rounds:
        write(dsn, parts)
    cancel(in_queue(dsn), "DELETE", "procrastinate_jobs", after_s=0.1)
    with worker(light_bundle, dsn, tmp_path, "batch=1") as one:
        wait_for(dsn, MACHINES, 60)
        time.sleep(0.5)
        assert len(rows(dsn, "SELECT FROM hydrascope.predictions")) == MACHINES
        cancel_no_more(in_queue(dsn), "procrastinate_jobs")
        wait_for(dsn, MACHINES * WINDOWS, 30)
        assert one.stop() == [0]


def test_a_worker_that_others_count_as_stalled_begins_anew(
    light_bundle: Path, dsn: str, tmp_path: Path, rounds: list[list[Part]]
) -> None:
    for parts in rounds[:-1]:
        write(dsn, parts)
    with worker(light_bundle, dsn, tmp_path) as one:
        wait_for(dsn, MACHINES * (WINDOWS - 1), 60)
        rows(in_queue(dsn), "DELETE FROM procrastinate_workers")  # as another worker would
        write(dsn, rounds[-1])
        wait_for(dsn, MACHINES * WINDOWS, 30)
        assert one.stop() == [0]
    assert "it gave no sign of life" in one.log.read_text()
