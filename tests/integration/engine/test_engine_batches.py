"""The engine's batches: every window gets its own answer, alone or together with others."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_runs import outcomes, with_engine
from serving_parts import TroubledModel, cycle, engine_of

from hydrascope.experiment.restore import restore
from hydrascope.packaging.bundle import read_bundle
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import TelemetryWindow
from hydrascope.telemetry.zema import ZemaSource


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
