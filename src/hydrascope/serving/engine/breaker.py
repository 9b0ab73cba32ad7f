"""The circuit breaker: after repeated failures requests are refused at once."""

import time
from collections.abc import Callable
from enum import StrEnum

from hydrascope.serving.engine.errors import BreakerOpenError


class BreakerState(StrEnum):
    """M. Nygard, "Release It!" (2007), chapter 5."""

    CLOSED = "closed"
    """Requests pass."""
    OPEN = "open"
    """Requests are refused."""
    HALF_OPEN = "half_open"
    """A few requests pass as probes."""


class CircuitBreaker:
    """Counts failures in a row. Each admission is followed by a success, failure or release.

    Args:
        failures: Failures in a row that open it.
        open_s: Time that it stays open.
        probes: Requests at a time that pass while it is half open.
        clock: Returns seconds.

    Attributes:
        on_trip: Called whenever it opens.
    """

    def __init__(
        self,
        failures: int,
        open_s: float,
        probes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._open_s, self._probes, self._clock = failures, open_s, probes, clock
        self.on_trip: Callable[[], None] = lambda: None
        self._failures = self._probing = 0
        self._opened_at: float | None = None

    @property
    def state(self) -> BreakerState:
        """State at this time."""
        if self._opened_at is None:
            return BreakerState.CLOSED
        waited = self._clock() - self._opened_at >= self._open_s
        return BreakerState.HALF_OPEN if waited else BreakerState.OPEN

    def admit(self) -> None:
        """Admit a request.

        Raises:
            BreakerOpenError: It is open, or half open with all probes under way.
        """
        match self.state:
            case BreakerState.OPEN:
                assert self._opened_at is not None
                raise BreakerOpenError(self._opened_at + self._open_s - self._clock())
            case BreakerState.HALF_OPEN:
                if self._probing >= self._probes:
                    raise BreakerOpenError(1.0)
                self._probing += 1

    def record_failure(self) -> None:
        """Count a failure; open after too many, or after one of a probe."""
        self._failures += 1
        if self.state is BreakerState.HALF_OPEN or (
            self._opened_at is None and self._failures >= self._limit
        ):
            self._opened_at, self._probing = self._clock(), 0
            self.on_trip()

    def release(self) -> None:
        """Undo an admission that ended neither well nor badly (timeout, cancellation)."""
        self._probing = max(0, self._probing - 1)

    def reset(self) -> None:
        """Close: the engine answered, or another model answers from now on."""
        self._failures = self._probing = 0
        self._opened_at = None
