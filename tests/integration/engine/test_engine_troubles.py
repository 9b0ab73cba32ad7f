"""The engine in trouble: a full queue, deadlines, little memory, failures, changes, stops."""

import asyncio
import time
from pathlib import Path
from typing import Any

from engine_runs import outcomes, with_engine
from serving_parts import TroubledModel, engine_of

from hydrascope.serving.engine.breaker import BreakerState, CircuitBreaker
from hydrascope.serving.engine.errors import (
    BreakerOpenError,
    DeadlineError,
    EngineFaultError,
    QueueFullError,
    StoppedError,
)
from hydrascope.serving.windows import TelemetryWindow


def test_a_full_queue_refuses_and_what_was_accepted_is_answered(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    model.pause_s = 0.05
    engine = engine_of(model, queue=8, max_batch=4)
    answered = with_engine(engine, lambda: outcomes([engine.answer(w) for w in windows]))
    refused = [each for each in answered if isinstance(each, QueueFullError)]
    assert len(refused) == 32
    assert len([each for each in answered if not isinstance(each, Exception)]) == 8


def test_a_window_that_waits_too_long_is_given_up_and_never_computed(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    model.pause_s = 0.3
    engine = engine_of(model, max_batch=1, deadline_s=0.45)
    answered = with_engine(engine, lambda: outcomes([engine.answer(w) for w in windows[:6]]))
    late = [each for each in answered if isinstance(each, DeadlineError)]
    assert len(late) >= 4
    assert len(model.batches) < 6
    assert engine.breaker.state is BreakerState.CLOSED  # a timeout is no failure of the engine


def test_a_window_that_would_wait_too_long_is_refused_at_once_and_told_when_to_come_again(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    model.pause_s = 0.3
    engine = engine_of(model, max_batch=1, deadline_s=0.5)

    async def work() -> tuple[list[Any], list[Any]]:
        for window in windows[:12]:  # until it knows how long it takes
            await engine.answer(window)
        refused = await outcomes([engine.answer(window) for window in windows[:6]])
        await asyncio.sleep(0.7)  # until what was given up is done
        return refused, await outcomes([engine.answer(windows[6])])

    first, later = with_engine(engine, work)
    told = [each.retry_after_s for each in first if isinstance(each, QueueFullError)]
    assert len(told) >= 3
    assert all(0.5 < each < 2 for each in told)
    assert not isinstance(later[0], Exception)


def test_memory_that_does_not_suffice_halves_the_batch_until_it_does(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    model.memory_for = 3
    engine = engine_of(model, max_batch=16)
    answered = with_engine(engine, lambda: outcomes([engine.answer(w) for w in windows[:16]]))
    assert not any(isinstance(each, Exception) for each in answered)
    assert sorted(model.batches) == [2] * 8 + [4] * 4 + [8] * 2 + [16]
    model.memory_for = 0
    engine = engine_of(model)
    (alone,) = with_engine(engine, lambda: outcomes([engine.answer(windows[0])]))
    assert isinstance(alone, EngineFaultError)


def test_the_breaker_opens_after_failures_and_a_probe_closes_it(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    now = 0.0
    breaker = CircuitBreaker(failures=3, open_s=60, probes=1, clock=lambda: now)
    engine = engine_of(model, breaker)

    async def work() -> list[Any]:
        nonlocal now
        model.fails = True
        results = []
        for window in windows[:5]:
            results += await outcomes([engine.answer(window)])
        model.fails = False
        now = 61.0
        probes = await outcomes([engine.answer(w) for w in windows[5:8]])
        after = await outcomes([engine.answer(w) for w in windows[8:12]])
        return [results, probes, after]

    results, probes, after = with_engine(engine, work)
    assert [type(each) for each in results] == [EngineFaultError] * 3 + [BreakerOpenError] * 2
    assert results[3].retry_after_s == 60
    assert [isinstance(each, BreakerOpenError) for each in probes] == [False, True, True]
    assert not any(isinstance(each, Exception) for each in after)


def test_a_model_is_changed_under_load_and_each_window_is_answered_by_the_one_it_came_to(
    model: TroubledModel, windows: list[TelemetryWindow], bundle: Path
) -> None:
    other = TroubledModel(bundle)
    model.pause_s = other.pause_s = 0.02
    engine = engine_of(model, max_batch=4)

    async def work() -> list[Any]:
        before = [asyncio.create_task(engine.answer(w)) for w in windows[:20]]
        await asyncio.sleep(0.01)
        engine.model = other
        after = [asyncio.create_task(engine.answer(w)) for w in windows[20:]]
        return [await outcomes(before), await outcomes(after)]

    before, after = with_engine(engine, work)
    assert [each.model for each in before] == [model] * 20
    assert [each.model for each in after] == [other] * 20


def test_stopping_answers_what_waits_and_refuses_what_comes(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    model.pause_s = 0.02
    engine = engine_of(model, max_batch=4)

    async def work(drain_s: float) -> list[Any]:
        await engine.start()
        tasks = [asyncio.create_task(engine.answer(w)) for w in windows[:20]]
        await asyncio.sleep(0.01)
        stopping = asyncio.create_task(engine.stop(drain_s))
        await asyncio.sleep(0)
        late = await outcomes([engine.answer(windows[20])])
        await stopping
        return [await outcomes(tasks), late]

    answered, (late,) = asyncio.run(work(10.0))
    assert not any(isinstance(each, Exception) for each in answered)
    assert isinstance(late, StoppedError)

    engine = engine_of(model, max_batch=1)
    model.pause_s = 0.2
    started = time.perf_counter()
    answered, _ = asyncio.run(work(1.0))
    assert time.perf_counter() - started < 3.5
    assert {type(each).__name__ for each in answered} == {"Answered", "StoppedError"}


def test_a_client_that_leaves_costs_nobody_else_anything(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    model.pause_s = 0.05
    engine = engine_of(model, max_batch=2)

    async def work() -> list[Any]:
        tasks = [asyncio.create_task(engine.answer(w)) for w in windows[:10]]
        await asyncio.sleep(0.01)
        for task in tasks[::2]:
            task.cancel()
        return await outcomes(tasks)

    answered = with_engine(engine, work)
    assert [isinstance(each, asyncio.CancelledError) for each in answered] == [True, False] * 5
    assert engine.breaker.state is BreakerState.CLOSED
