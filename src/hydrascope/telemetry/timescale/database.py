"""A pool of connections with timeouts, retries and health checks."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from hydrascope.telemetry.timescale.errors import (
    FAILURES,
    QUERY_CANCELED,
    DatabaseError,
    DatabaseQueryError,
    DatabaseTimeoutError,
    DatabaseUnavailableError,
    is_curable,
)
from hydrascope.telemetry.timescale.settings import DatabaseSettings

Connection = Any
"""An asyncpg connection; the library has no type annotations."""
T = TypeVar("T")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_CLOSE_S = 5.0
_IDLE_S = 60.0
"""The time after which an idle connection is closed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Health:
    """The result of a health check.

    Attributes:
        ok: Whether the database answered.
        error: The reason if it did not, else empty.
        latency_s: Time of a round trip, including the wait for a connection.
        connections: Open connections of the pool.
        idle: Idle ones among them.
        pool_max: Most connections of the pool.
        server: Version of PostgreSQL, and of TimescaleDB if installed.
        checked_at: Unix time.
    """

    ok: bool
    error: str
    latency_s: float
    connections: int
    idle: int
    pool_max: int
    server: str
    checked_at: float


class Database:
    """One database. Use it as an asynchronous context manager, or `close` it.

    Connections are opened when first needed, so the object can be created while the database is
    unreachable. It must be used in one event loop.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self.last_health: Health | None = None
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Database":
        """Start the health checks."""
        self._watch = asyncio.create_task(self._check_regularly())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the database."""
        await self.close()

    async def close(self) -> None:
        """Stop the health checks and close all connections, after 5 s even those in use."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait([watch])
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of `work` on a connection.

        `work` is retried, with growing random pauses, if that can help: after a lost connection,
        if the server is starting or full, or after a conflict of transactions. It must therefore
        be idempotent, like a transaction or a read.

        Raises:
            DatabaseError: The subclass states the remedy.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception(is_curable),
            wait=wait_random_exponential(_FIRST_PAUSE_S, _LONGEST_PAUSE_S),
            stop=stop_after_delay(self.settings.retry_for_s),
            before_sleep=self._log_retry,
            reraise=True,
        )
        try:
            answer: T = await retrying(self._once, work)
        except FAILURES as error:
            raise self._translated(error) from error
        return answer

    async def transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` inside a transaction; otherwise like `run`."""

        async def inside(connection: Connection) -> T:
            async with connection.transaction():
                return await work(connection)

        return await self.run(inside)

    async def health_check(self) -> Health:
        """Check the database; never raises a `DatabaseError`."""
        start, server, error = time.perf_counter(), "", ""
        try:
            server = await self._once(_version)
        except FAILURES as failed:
            error = str(self._translated(failed))
        pool = self._pool
        self.last_health = Health(
            ok=not error,
            error=error,
            latency_s=time.perf_counter() - start,
            connections=pool.get_size() if pool else 0,
            idle=pool.get_idle_size() if pool else 0,
            pool_max=self.settings.pool_max,
            server=server,
            checked_at=time.time(),
        )
        return self.last_health

    async def _once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        deadline = asyncio.get_running_loop().time() + self.settings.timeout_s
        async with asyncio.timeout_at(deadline):
            pool = await self._opened()
        connection = await self._acquired(pool, deadline)
        try:
            async with asyncio.timeout_at(deadline):
                return await work(connection)
        except (
            TimeoutError,
            asyncio.CancelledError,
            asyncpg.InternalClientError,
            asyncpg.InterfaceError,
        ):
            # An orderly end could take as long again, so the connection is dropped; the server's
            # statement_timeout ends what still runs there. A connection that has already ended is
            # back in the pool, and raises InterfaceError.
            with suppress(asyncpg.InterfaceError):
                connection.terminate()
            raise
        finally:
            await pool.release(connection, timeout=self.settings.timeout_s)

    async def _acquired(self, pool: Any, deadline: float) -> Connection:
        left_s = max(0.0, deadline - asyncio.get_running_loop().time())
        try:
            return await pool.acquire(timeout=left_s)
        except TimeoutError:
            busy = pool.get_size() - pool.get_idle_size()
            if busy < self.settings.pool_max:
                raise
            raise TimeoutError(f"all {busy} connections are in use (pool_max)") from None

    async def _opened(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await self._new_pool()
            return self._pool

    async def _new_pool(self) -> Any:
        """Open a pool with `pool_min` connections, or as many as the server grants now."""
        settings = self.settings
        # With a min_size, asyncpg leaks the opened connections if one is refused.
        pool = await asyncpg.create_pool(
            settings.dsn,
            password=settings.password(),
            min_size=0,
            max_size=settings.pool_max,
            timeout=settings.timeout_s,
            max_inactive_connection_lifetime=_IDLE_S,
            server_settings={
                "application_name": "hydrascope",
                "statement_timeout": str(round(settings.timeout_s * 1000)),
                "TimeZone": "UTC",
            },
        )
        try:
            requests = (pool.acquire() for _ in range(settings.pool_min))
            opened = await asyncio.gather(*requests, return_exceptions=True)
            for connection in opened:
                if not isinstance(connection, BaseException):
                    await pool.release(connection)
        except BaseException:
            pool.terminate()
            raise
        return pool

    async def _check_regularly(self) -> None:
        while True:
            health = await self.health_check()
            if not health.ok:
                _log.warning("%s", health.error)
            await asyncio.sleep(self.settings.health_s)

    def _log_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.warning("%s: %s; trying again", self.settings.place, _short(error))

    def _timeout(self, error: BaseException) -> str:
        spent = f"no answer within {self.settings.timeout_s:g} s (timeout_s)"
        return f"{spent}: {_short(error)}" if str(error) else spent

    def _translated(self, error: BaseException) -> DatabaseError:
        place = self.settings.place
        if isinstance(error, TimeoutError) or getattr(error, "sqlstate", "") == QUERY_CANCELED:
            return DatabaseTimeoutError(f"{place}: {self._timeout(error)}")
        if is_curable(error):
            tried = self.settings.retry_for_s
            return DatabaseUnavailableError(f"{place}: {_short(error)}; tried for {tried:g} s")
        if isinstance(error, asyncpg.UndefinedTableError | asyncpg.InvalidSchemaNameError):
            advice = "; run python -m hydrascope db upgrade, or map your own table by `table`"
            return DatabaseQueryError(f"{place}: {_short(error)}{advice}")
        return DatabaseQueryError(f"{place}: {_short(error)}")


async def _version(connection: Connection) -> str:
    version = await connection.fetchval("SHOW server_version")
    extension = await connection.fetchval(
        "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    )
    return f"PostgreSQL {version}" + (f", TimescaleDB {extension}" if extension else "")


def _short(error: BaseException | None) -> str:
    return " ".join(str(error).split()) or type(error).__name__
