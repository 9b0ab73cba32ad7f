"""Caches of answers by content: in this process, or in Redis for all replicas."""

import hashlib
import logging
import time
from collections import OrderedDict

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hydrascope.serving.diagnosis.diagnosis import Diagnosis
from hydrascope.serving.observability.metrics import Metrics
from hydrascope.serving.settings import ServeSettings
from hydrascope.serving.windows import TelemetryWindow

_LOG = logging.getLogger(__name__)
_TIMEOUT_S = 0.1
"""A cache that takes longer is slower than the engine."""


class MemoryCache:
    """Keeps the most recently used answers in this process.

    Args:
        entries: Answers at most; 0: none.
        ttl_s: Time that an answer is kept.
    """

    def __init__(self, entries: int, ttl_s: float) -> None:
        self._limit, self._ttl_s = entries, ttl_s
        self._entries: OrderedDict[str, tuple[float, Diagnosis]] = OrderedDict()

    async def get(self, key: str) -> Diagnosis | None:
        """Return the answer of a key, or None."""
        found = self._entries.get(key)
        if found is None or time.monotonic() > found[0]:
            return None
        self._entries.move_to_end(key)
        return found[1]

    async def put(self, key: str, answer: Diagnosis) -> None:
        """Keep an answer; drop the least recently used one if there are too many."""
        self._entries[key] = (time.monotonic() + self._ttl_s, answer)
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    async def close(self) -> None:
        """Drop all answers."""
        self._entries.clear()


class RedisCache:
    """Shares answers with all replicas. While Redis is unavailable, nothing is found or kept.

    Args:
        url: `redis://host:port/number`, or `rediss://` with TLS.
        ttl_s: Time that an answer is kept.
        metrics: Counts failures.
    """

    def __init__(self, url: str, ttl_s: float, metrics: Metrics) -> None:
        self._redis = Redis.from_url(
            url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        )
        self._ttl_s, self._metrics = ttl_s, metrics
        self._available = True

    async def get(self, key: str) -> Diagnosis | None:
        """Return the answer of a key, or None."""
        try:
            found = await self._redis.get(key)
        except (TimeoutError, RedisError, OSError) as error:
            self._record_failure(error)
            return None
        self._available = True
        if found is None:
            return None
        try:
            return Diagnosis.model_validate_json(found)
        except ValidationError:  # another version's, or another program's: to be replaced
            self._metrics.store_failures.labels("cache").inc()
            return None

    async def put(self, key: str, answer: Diagnosis) -> None:
        """Keep an answer for a while."""
        if not self._available:
            return
        try:
            content = answer.model_dump_json()
            await self._redis.set(key, content, ex=max(1, round(self._ttl_s)))
        except (TimeoutError, RedisError, OSError) as error:
            self._record_failure(error)

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    def _record_failure(self, error: Exception) -> None:
        self._metrics.store_failures.labels("cache").inc()
        if self._available:
            _LOG.warning("Redis does not answer: %s", type(error).__name__)
        self._available = False


Cache = MemoryCache | RedisCache


def open_cache(settings: ServeSettings, metrics: Metrics) -> Cache:
    """Return Redis if there is one, else a cache of this process."""
    if settings.redis is not None:
        return RedisCache(settings.redis, settings.cache_s, metrics)
    return MemoryCache(settings.cache_entries, settings.cache_s)


def cache_key(window: TelemetryWindow, version: str) -> str:
    """Return the hash of all that decides an answer: model, machine, reference, time, samples."""
    reference = window.given.digest if window.given is not None else ""
    parts = "\n".join((version, window.machine.digest, reference, window.digest))
    return f"hydrascope:{hashlib.blake2b(parts.encode(), digest_size=24).hexdigest()}"
