"""A token bucket for each API key."""

import time
from collections.abc import Callable


class RateLimiter:
    """Limits each key to `rate_per_s` tokens in the long run, and to `burst` at once.

    Args:
        rate_per_s: Tokens added to a bucket each second.
        burst: Capacity of a bucket.
        clock: Returns seconds.
    """

    def __init__(
        self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate_per_s, float(burst), clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def acquire(self, name: str, tokens: int = 1) -> float:
        """Take tokens and return 0, or take none and return the seconds to wait for them.

        More than `burst` tokens are taken from a full bucket, which then has a debt.
        """
        now = self._clock()
        held, before = self._buckets.get(name, (self._burst, now))
        held = min(self._burst, held + (now - before) * self._rate)
        missing = min(tokens, self._burst) - held
        self._buckets[name] = (held if missing > 0 else held - tokens, now)
        return max(0.0, missing / self._rate)
