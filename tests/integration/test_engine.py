"""The engine: every accepted window gets one answer, batched or not, through every trouble."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from serving_parts import TroubledModel, cycle, engine_of

from hydrascope.experiment.restore import restore
from hydrascope.packaging.bundle import read_bundle
from hydrascope.serving.engine.breaker import BreakerState, CircuitBreaker
from hydrascope.serving.engine.engine import Engine
from hydrascope.serving.engine.errors import (
    BreakerOpenError,
    DeadlineError,
    EngineFaultError,
    QueueFullError,
    StoppedError,
)
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import TelemetryWindow
from hydrascope.telemetry.zema import ZemaSource


@pytest.fixture(scope="module")
def model(bundle: Path) -> TroubledModel:
    return TroubledModel(bundle)


@pytest.fixture
def windows(model: TroubledModel, zema: ZemaSource) -> list[TelemetryWindow]:
    model.batches.clear()
    model.fails, model.memory_for, model.pause_s = False, 64, 0.0
    (machine,) = model.manifest.machines
    return [cycle(zema, row, machine) for row in range(40)]


def with_engine(engine: Engine, work: Callable[[], Awaitable[Any]], drain_s: float = 5.0) -> Any:
    async def run() -> Any:
        await engine.start()
        try:
            return await work()
        finally:
            await engine.stop(drain_s)

    return asyncio.run(run())


async def outcomes(calls: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    return list(await asyncio.gather(*calls, return_exceptions=True))


def test_the_service_answers_every_test_window_as_an_evaluation_does(
    bundle: Path, best: str, zema: ZemaSource
) -> None:
    _, diagnoser, data = restore(best)
    rows = data.split.test.tolist()
    expected = diagnoser.predict(data.dataset.gather(rows).inputs)
    served = ServedModel(read_bundle(bundle))
    (machine,) = served.manifest.machines
    answers = []
    for first in range(0, len(rows), 16):
        part = [cycle(zema, row, machine) for row in rows[first : first + 16]]
        answers += served.answer(part)[0]
    assert len(answers) == 440
    for head in served.manifest.task.heads:
        found = np.stack([answer.heads[head.name] for answer in answers])
        found = torch.from_numpy(found).reshape(expected[head.name].shape)
        torch.testing.assert_close(found, expected[head.name], atol=1e-5, rtol=0)


def test_windows_that_come_together_share_batches_and_each_gets_its_own_answer(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    engine = engine_of(model, max_batch=16)
    answered = with_engine(engine, lambda: outcomes([engine.answer(w) for w in windows]))
    assert sum(model.batches) == 40
    assert max(model.batches) == 16
    for window, got in zip(windows, answered, strict=True):
        ((alone,), _) = model.served.answer([window])
        for name, value in alone.heads.items():
            torch.testing.assert_close(got.answer.heads[name], value, atol=1e-5, rtol=0)


def test_what_is_missing_is_counted_for_each_window_of_a_batch(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    first, second = windows[:2]
    sensors = [sensor.id for _, sensor in first.machine.topology.sensors]
    gap, absent = sensors[3], sensors[5]
    values = first.signals[gap].values.copy()
    values[: len(values) // 4] = np.nan
    signals = {**first.signals, gap: replace(first.signals[gap], values=values)}
    elsewhere = {name: signal for name, signal in second.signals.items() if name != absent}
    batch = [replace(first, signals=signals), windows[2], replace(second, signals=elsewhere)]
    answers, _ = model.served.answer(batch)
    missing = [dict(zip(sensors, 1 - answer.present, strict=True)) for answer in answers]
    found = [{name: share for name, share in each.items() if share} for each in missing]
    assert found == [{gap: pytest.approx(0.25)}, {}, {absent: 1.0}]


def test_only_where_windows_come_fast_do_they_wait_for_company_and_at_most_the_limit(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    engine = engine_of(model, max_batch=16, max_wait_s=3.2)

    async def work() -> list[list[float]]:
        waited = []
        for together in (windows[:1], windows[1:3], windows[:40], windows[:1]):
            answered = await asyncio.gather(*(engine.answer(w) for w in together))
            waited.append([each.queue_s for each in answered])
        return waited

    (lone,), pair, many, (late,) = with_engine(engine, work)
    assert model.batches == [1, 2, 16, 16, 8, 1]
    assert max(lone, *pair, late) < 0.15
    # The last eight waited for eight more, who might have come in time.
    assert all(3.1 < each < 4 for each in many[32:])
    assert max(many[:32]) < 3


def test_the_model_has_the_next_batch_while_answers_are_written(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    engine = engine_of(model, max_batch=1)

    async def begun_while_written(window: TelemetryWindow) -> int:
        await engine.answer(window)
        time.sleep(0.2)  # as writing it does, this keeps the loop
        return len(model.batches)

    calls = [begun_while_written(window) for window in windows[:3]]
    assert with_engine(engine, lambda: outcomes(calls)) == [2, 3, 3]


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


def test_windows_of_machines_with_gaps_and_other_rates_are_batched_with_whole_ones(
    model: TroubledModel, windows: list[TelemetryWindow]
) -> None:
    odd = cycle_without(windows[0], "PS1")
    short = shortened(windows[1], 45)
    mixed = [windows[0], odd, windows[2], short, windows[3]]
    together, _ = model.served.answer(mixed)
    for window, answer in zip(mixed, together, strict=True):
        ((alone,), _) = model.served.answer([window])
        np.testing.assert_array_equal(alone.observed, answer.observed)
        for name, value in alone.heads.items():
            torch.testing.assert_close(answer.heads[name], value, atol=1e-5, rtol=0)
    assert not together[3].observed[:, 8:].any()


def cycle_without(window: TelemetryWindow, sensor: str) -> TelemetryWindow:
    signals = {name: signal for name, signal in window.signals.items() if name != sensor}
    return TelemetryWindow(window.machine, window.start, signals)


def shortened(window: TelemetryWindow, samples: int) -> TelemetryWindow:
    signals = {n: replace(s, values=s.values[:samples]) for n, s in window.signals.items()}
    return TelemetryWindow(window.machine, window.start, signals)
