"""A model in a process of its own: the same answers, and what happens when that process ends."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving_parts import cycle, engine_of

from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas import Machine
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.signal import Signal
from hydrascope.serving.engine.engine import Answered
from hydrascope.serving.engine.errors import DeadlineError, EngineFaultError
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.model_process.process import ModelProcess
from hydrascope.serving.model_process.rpc import ProcessEndedError
from hydrascope.serving.windows import TelemetryWindow, WindowAnswer
from hydrascope.telemetry.zema import ZemaSource


@pytest.fixture(scope="module")
def place(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(bundle, tmp_path_factory.mktemp("served") / "bundle"))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def model(place: Path, runner: asyncio.Runner) -> Iterator[ModelProcess]:
    model = runner.run(ModelProcess.open(place))
    runner.run(model.warm_up([1], model.manifest.machines))
    yield model
    runner.run(model.close())
    assert model._process.exitcode == 0


@pytest.fixture(scope="module")
def windows(model: ModelProcess, zema: ZemaSource) -> list[TelemetryWindow]:
    (machine,) = model.manifest.machines
    return [cycle(zema, row, machine) for row in range(0, 1200, 30)]


@pytest.fixture(scope="module")
def expected(bundle: Path, windows: list[TelemetryWindow]) -> list[WindowAnswer]:
    return ServedModel(read_bundle(bundle)).answer(windows)[0]


def assert_same(found: WindowAnswer, expected: WindowAnswer) -> None:
    for name, value in expected.heads.items():
        np.testing.assert_allclose(found.heads[name], value, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(found.observed, expected.observed)
    np.testing.assert_allclose(found.drift, expected.drift, rtol=1e-5)


def kill(model: ModelProcess) -> None:
    assert model._process.pid is not None
    os.kill(model._process.pid, signal.SIGKILL)
    model._process.join(10)


def test_batches_given_at_the_same_time_get_their_own_answers(
    runner: asyncio.Runner,
    model: ModelProcess,
    windows: list[TelemetryWindow],
    expected: list[WindowAnswer],
) -> None:
    parts = [slice(first, first + 1 + first % 3) for first in range(0, 36)]

    async def ask() -> list[Any]:
        return await asyncio.gather(*(model.answer(windows[part]) for part in parts))

    for part, (answers, _) in zip(parts, runner.run(ask()), strict=True):
        for found, right in zip(answers, expected[part], strict=True):
            assert_same(found, right)


def test_a_machine_that_was_changed_is_another_one_there_too(
    runner: asyncio.Runner,
    model: ModelProcess,
    windows: list[TelemetryWindow],
    expected: list[WindowAnswer],
) -> None:
    content = windows[0].machine.model_dump()
    left_out = len(content["topology"]["components"][0].pop("sensors"))
    assert left_out
    changed = Machine.model_validate(content)
    names = {sensor.id for _, sensor in changed.topology.sensors}
    signals = {name: each for name, each in windows[0].signals.items() if name in names}
    other = TelemetryWindow(changed, windows[0].start, signals)
    # Both in one batch, in both orders, and each alone after the other.
    for batch in ([other, windows[0]], [windows[0], other], [other], [windows[0]], [other]):
        answers, _ = runner.run(model.answer(batch))
        for window, answer in zip(batch, answers, strict=True):
            if window is other:
                assert len(answer.observed) == len(expected[0].observed) - left_out
            else:
                assert_same(answer, expected[0])


def test_what_fails_there_fails_here_with_its_cause(
    runner: asyncio.Runner, model: ModelProcess, windows: list[TelemetryWindow]
) -> None:
    (name, signal), *_ = windows[0].signals.items()
    wrong = Signal(signal.values, "fast")  # type: ignore[arg-type]
    with pytest.raises(TypeError) as caught:
        runner.run(model.answer([replace(windows[0], signals={name: wrong})]))
    assert "in group_alike" in str(
        caught.value.__cause__
    )  # where it happened, in the other process
    assert runner.run(model.answer(windows[:1]))[0]


def test_a_process_that_is_killed_costs_what_it_was_asked_and_starts_anew(
    runner: asyncio.Runner,
    model: ModelProcess,
    windows: list[TelemetryWindow],
    expected: list[WindowAnswer],
) -> None:
    engine = engine_of(model, max_batch=4, deadline_s=60.0)

    async def work() -> list[Answered | BaseException]:
        await engine.start()
        calls = [asyncio.create_task(engine.answer(window)) for window in windows[:24]]
        await calls[0]
        kill(model)
        answered = await asyncio.gather(*calls, return_exceptions=True)
        await engine.stop(5.0)
        return answered

    answered = runner.run(work())
    failed = [each for each in answered if isinstance(each, BaseException)]
    assert all(isinstance(each, EngineFaultError) for each in failed)
    assert 1 <= len(failed) <= 8  # the batch that was computed, and the one sent ahead
    for got, right in zip(answered, expected, strict=False):
        if isinstance(got, Answered):
            assert_same(got.answer, right)


def test_a_start_that_somebody_gave_up_waiting_for_goes_on_for_the_others(
    runner: asyncio.Runner, model: ModelProcess, windows: list[TelemetryWindow]
) -> None:
    kill(model)

    async def work() -> list[int | None]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await model.check(_unseen(windows[0].machine))
        async with asyncio.timeout(30):
            while model._has_ended:
                await asyncio.sleep(0.01)
        begun = model._process.pid
        await model.answer(windows[:1])
        return [begun, model._process.pid]

    begun, answered_by = runner.run(work())
    assert begun == answered_by


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGSTOP, DeadlineError), (signal.SIGKILL, EngineFaultError)]
)
def test_a_machine_is_checked_within_the_deadline_or_the_engine_says_that_it_failed(
    runner: asyncio.Runner,
    model: ModelProcess,
    windows: list[TelemetryWindow],
    number: signal.Signals,
    expected: type[Exception],
) -> None:
    engine = engine_of(model, deadline_s=1.0)
    machine = _unseen(windows[0].machine)

    async def work() -> None:
        await model.answer(windows[:1])
        assert model._process.pid is not None
        os.kill(model._process.pid, signal.SIGSTOP)
        checking = asyncio.create_task(engine.check(machine))
        await asyncio.sleep(0.1)
        os.kill(model._process.pid, number)
        try:
            with pytest.raises(expected):
                await checking
        finally:
            if number is signal.SIGSTOP:
                os.kill(model._process.pid, signal.SIGCONT)
        await model.check(machine)

    runner.run(work())


def _unseen(machine: Machine) -> Machine:
    return machine.model_copy(deep=True)


@pytest.mark.slow
def test_a_bundle_that_was_replaced_is_not_taken_for_the_old_one(
    runner: asyncio.Runner, model: ModelProcess, windows: list[TelemetryWindow], place: Path
) -> None:
    aside = place.rename(place.with_name("aside"))
    kill(model)
    with pytest.raises(ProcessEndedError, match="does not exist"):
        runner.run(model.answer(windows[:1]))
    with pytest.raises(EngineFaultError):  # not: the machine is at fault
        runner.run(engine_of(model, deadline_s=60.0).check(_unseen(windows[0].machine)))
    shutil.copytree(aside, place)
    manifest = place / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8") + "\n", encoding="utf-8")

    async def while_it_starts() -> list[object]:
        first = asyncio.create_task(model.answer(windows[:1]))
        await asyncio.sleep(0.5)
        assert model._process.is_alive()
        return await asyncio.gather(first, model.answer(windows[1:2]), return_exceptions=True)

    for failure in runner.run(while_it_starts()):
        assert isinstance(failure, ProcessEndedError)
        assert "another one is at" in str(failure)
    shutil.rmtree(place)
    aside.rename(place)
    assert runner.run(model.answer(windows[:1]))[0]


def test_what_is_wrong_with_a_bundle_is_said_as_if_it_were_opened_here(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"holds no manifest\.json"):
        asyncio.run(ModelProcess.open(tmp_path))
