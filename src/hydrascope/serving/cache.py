"""Answers that were given before, by content: in this process, or in Redis for all replicas."""

import hashlib
import logging
import time
from collections import OrderedDict
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hydrascope.serving.answers import Diagnosis
from hydrascope.serving.metrics import Metrics
from hydrascope.serving.windows import TelemetryWindow

_LOG = logging.getLogger(__name__)
_PATIENCE_S = 0.1
"""A cache that answers later than this is slower than the engine."""


class Cache(Protocol):
    """Keeps answers for a while; may forget any at any time."""

    async def get(self, key: str) -> Diagnosis | None:
        """Return what was put there, or None."""
        ...

    async def put(self, key: str, answer: Diagnosis) -> None:
        """Keep it for a while."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class MemoryCache:
    """The latest answers of this process.

    Args:
        entries: Kept at most; 0: none.
        keep_s: How long.
    """

    def __init__(self, entries: int, keep_s: float) -> None:
        self._limit, self._keep_s = entries, keep_s
        self._kept: OrderedDict[str, tuple[float, Diagnosis]] = OrderedDict()

    async def get(self, key: str) -> Diagnosis | None:
        """Return what was put there, or None."""
        found = self._kept.get(key)
        if found is None or time.monotonic() > found[0]:
            return None
        self._kept.move_to_end(key)
        return found[1]

    async def put(self, key: str, answer: Diagnosis) -> None:
        """Keep it; forget the one that was not asked for longest."""
        if not self._limit:
            return
        self._kept[key] = (time.monotonic() + self._keep_s, answer)
        self._kept.move_to_end(key)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    async def close(self) -> None:
        """Forget all."""
        self._kept.clear()


class RedisCache:
    """Answers shared by all replicas. While Redis does not answer, nothing is found or kept.

    Args:
        url: `redis://host:port/number`, or `rediss://` with TLS.
        keep_s: How long.
        metrics: Told of failures.
    """

    def __init__(self, url: str, keep_s: float, metrics: Metrics) -> None:
        self._redis = Redis.from_url(
            url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S
        )
        self._keep_s, self._metrics = keep_s, metrics
        self._working = True

    async def get(self, key: str) -> Diagnosis | None:
        """Return what was put there, or None."""
        try:
            found = await self._redis.get(key)
        except (TimeoutError, RedisError, OSError) as error:
            self._failed(error)
            return None
        self._working = True
        return None if found is None else Diagnosis.model_validate_json(found)

    async def put(self, key: str, answer: Diagnosis) -> None:
        """Keep it for a while."""
        if not self._working:
            return
        try:
            content = answer.model_dump_json()
            await self._redis.set(key, content, ex=max(1, round(self._keep_s)))
        except (TimeoutError, RedisError, OSError) as error:
            self._failed(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _failed(self, error: Exception) -> None:
        self._metrics.store_failures.labels("cache").inc()
        if self._working:
            _LOG.warning("Redis does not answer: %s", type(error).__name__)
        self._working = False


def cache_key(window: TelemetryWindow, version: str) -> str:
    """Return the hash of all that decides an answer: model, machine, reference, time, samples."""
    reference = window.given.digest if window.given is not None else ""
    parts = "\n".join((version, window.machine.digest, reference, window.digest))
    return f"hydrascope:{hashlib.blake2b(parts.encode(), digest_size=24).hexdigest()}"
