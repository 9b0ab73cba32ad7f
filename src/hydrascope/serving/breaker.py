"""The circuit breaker: after repeated failures nobody waits for the next one."""

import time
from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    """M. Nygard, "Release It!" (2007), chapter 5."""

    CLOSED = "closed"
    """All is well; requests pass."""
    OPEN = "open"
    """Requests are turned away at once."""
    HALF_OPEN = "half_open"
    """A few requests pass, to see whether all is well again."""


class BreakerOpenError(Exception):
    """The engine failed repeatedly and is not asked now.

    Attributes:
        retry_after_s: When it is worth asking again.
    """

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"the engine failed repeatedly; ask again in {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s


class CircuitBreaker:
    """Counts failures in a row. Who is admitted reports `succeeded`, `failed` or `abandoned`.

    Args:
        failures: In a row that open it.
        open_s: How long it stays open.
        probes: Requests at a time that pass while it is half open.
        clock: In seconds.
        on_trip: Called whenever it opens.
    """

    def __init__(
        self,
        failures: int = 5,
        open_s: float = 60.0,
        probes: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._open_s, self._probes, self._clock = failures, open_s, probes, clock
        self.on_trip: Callable[[], None] = lambda: None
        self._failures = self._probing = 0
        self._opened_at: float | None = None

    @property
    def state(self) -> BreakerState:
        """What it does now."""
        if self._opened_at is None:
            return BreakerState.CLOSED
        waited = self._clock() - self._opened_at >= self._open_s
        return BreakerState.HALF_OPEN if waited else BreakerState.OPEN

    def admit(self) -> None:
        """Let a request pass.

        Raises:
            BreakerOpenError: It may not.
        """
        match self.state:
            case BreakerState.OPEN:
                assert self._opened_at is not None
                raise BreakerOpenError(self._opened_at + self._open_s - self._clock())
            case BreakerState.HALF_OPEN:
                if self._probing >= self._probes:
                    raise BreakerOpenError(1.0)
                self._probing += 1

    def succeeded(self) -> None:
        """Close: the engine answered."""
        self.reset()

    def failed(self) -> None:
        """Count a failure; open after too many, or after one of a probe."""
        self._failures += 1
        if self.state is BreakerState.HALF_OPEN or (
            self._opened_at is None and self._failures >= self._limit
        ):
            self._opened_at, self._probing = self._clock(), 0
            self.on_trip()

    def abandoned(self) -> None:
        """Take back an admission that says nothing of the engine (timeout, invalid input)."""
        self._probing = max(0, self._probing - 1)

    def reset(self) -> None:
        """Close, whatever was."""
        self._failures = self._probing = 0
        self._opened_at = None
