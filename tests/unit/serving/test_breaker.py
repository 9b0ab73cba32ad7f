"""The circuit breaker counts what it should and nothing else."""

import pytest

from hydrascope.serving.engine.breaker import BreakerState, CircuitBreaker
from hydrascope.serving.engine.errors import BreakerOpenError


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock, probes: int = 1) -> CircuitBreaker:
    breaker = CircuitBreaker(failures=2, open_s=60, probes=probes, clock=clock)
    breaker.record_failure()
    breaker.record_failure()
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_only_failures_in_a_row_open_it() -> None:
    breaker = CircuitBreaker(failures=3, open_s=60, probes=1)
    for _ in range(10):
        breaker.admit()
        breaker.record_failure()
        breaker.record_failure()
        breaker.reset()
        breaker.release()
    assert breaker.state is BreakerState.CLOSED


def test_while_open_nobody_passes_and_is_told_when_to_come_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 20
    with pytest.raises(BreakerOpenError) as refused:
        breaker.admit()
    assert refused.value.retry_after_s == 40


def test_half_open_lets_some_pass_at_a_time_and_gives_back_what_was_abandoned() -> None:
    clock = Clock()
    breaker = opened(clock, probes=2)
    clock.now += 60
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.admit()
    breaker.admit()
    with pytest.raises(BreakerOpenError):
        breaker.admit()
    breaker.release()
    breaker.admit()


def test_a_probe_that_fails_opens_it_for_the_whole_time_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    trips = []
    breaker.on_trip = lambda: trips.append(clock.now)
    clock.now += 61
    breaker.admit()
    breaker.record_failure()
    assert breaker.state is BreakerState.OPEN
    clock.now += 59
    assert breaker.state is BreakerState.OPEN
    clock.now += 1
    assert breaker.state is BreakerState.HALF_OPEN
    assert trips == [161.0]


def test_a_probe_that_succeeds_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 60
    breaker.admit()
    breaker.reset()
    assert breaker.state is BreakerState.CLOSED
    breaker.record_failure()
    assert breaker.state is BreakerState.CLOSED  # counted from the start again
