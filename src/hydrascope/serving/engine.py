"""The engine: a bounded queue, batches made as requests come, one thread that answers them."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch

from hydrascope.serving.breaker import CircuitBreaker
from hydrascope.serving.metrics import Metrics
from hydrascope.serving.model import ServedModel, TelemetryWindow, Timings, WindowAnswer

_LOG = logging.getLogger(__name__)


class QueueFullError(Exception):
    """As many requests wait as may wait; ask again in a second."""


class DeadlineError(Exception):
    """The answer would have come later than the request allows."""


class StoppedError(Exception):
    """The service is shutting down."""


class EngineFaultError(Exception):
    """The engine failed on this window; the cause is in the log."""


@dataclass(frozen=True)
class EngineConfig:
    """How requests become batches.

    Attributes:
        max_batch: Windows in a batch.
        max_wait_s: Longest time that a request waits for others to share its batch.
        queue: Requests that may wait.
        deadline_s: Longest time from arrival to answer.
    """

    max_batch: int = 16
    max_wait_s: float = 0.05
    queue: int = 64
    deadline_s: float = 5.0


@dataclass(frozen=True, eq=False)
class Answered:
    """An answer, the model that gave it, and what the request's time went into."""

    answer: WindowAnswer
    model: ServedModel
    queue_s: float
    batch: Timings


@dataclass(eq=False)
class _Waiting:
    window: TelemetryWindow
    model: ServedModel
    arrived: float
    future: "asyncio.Future[Answered]" = field(repr=False)


class Engine:
    """Answers windows; every one that is accepted gets exactly one answer or error.

    A request that finds the engine idle is answered at once. While a batch runs, others gather;
    after it, the next one starts as soon as it is full, its oldest request has waited `max_wait_s`,
    or nobody has come for `max_wait_s / max_batch`: at that rate it would not fill in time.

    Args:
        model: Answers from now on; `model` can be changed at any time. A request is answered by
            the model that was there when it came.
        config: See there.
        breaker: Told of each batch how it went.
        metrics: Told of everything.
    """

    def __init__(
        self, model: ServedModel, config: EngineConfig, breaker: CircuitBreaker, metrics: Metrics
    ) -> None:
        self.model, self.config, self.breaker = model, config, breaker
        self._metrics = metrics
        self._waiting: deque[_Waiting] = deque()
        self._arrival, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._task: asyncio.Task[None] | None = None
        self._accepting = False
        self._last_size, self._last_end = 0, 0.0
        self._accepted = self._ended = 0

    async def start(self) -> None:
        """Begin to answer."""
        self._accepting = True
        self._task = asyncio.create_task(self._serve(), name="engine")

    async def stop(self, drain_s: float) -> None:
        """Accept nothing more, answer what waits for at most `drain_s`, and end."""
        self._accepting = False
        try:
            async with asyncio.timeout(drain_s):
                await self._idle.wait()
        except TimeoutError:
            _LOG.warning("stopped with %d requests unanswered", len(self._waiting))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for each in self._waiting:
            _refuse(each, StoppedError())
        self._waiting.clear()
        self._pool.shutdown(wait=False)
        counts = {"accepted": self._accepted, "ended": self._ended}
        _LOG.info("engine stopped", extra={"fields": counts})

    @property
    def depth(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    async def warm_up(self, batches: Sequence[int]) -> None:
        """Warm the model up in the thread that will answer.

        Raises:
            SpecError: It does not answer as it did at export.
        """
        machines = self.model.manifest.machines
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._pool, self.model.warm_up, batches, machines)

    async def answer(self, window: TelemetryWindow) -> Answered:
        """Answer a window.

        Raises:
            QueueFullError, DeadlineError, StoppedError, EngineFaultError: See there.
            BreakerOpenError: The engine failed repeatedly.
        """
        if not self._accepting:
            raise StoppedError
        if len(self._waiting) >= self.config.queue:
            raise QueueFullError
        self.breaker.admit()
        now = time.perf_counter()
        waiting = _Waiting(window, self.model, now, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._accepted += 1
        waiting.future.add_done_callback(self._count_end)
        self._idle.clear()
        self._arrival.set()
        self._metrics.queue_depth.set(len(self._waiting))
        try:
            async with asyncio.timeout(self.config.deadline_s):
                return await waiting.future
        except TimeoutError:
            self.breaker.abandoned()
            raise DeadlineError from None
        except asyncio.CancelledError:
            self.breaker.abandoned()
            raise

    def _count_end(self, _: "asyncio.Future[Answered]") -> None:
        self._ended += 1

    async def _serve(self) -> None:
        while True:
            while not self._waiting:
                self._idle.set()
                self._arrival.clear()
                await self._arrival.wait()
            await self._gather()
            batch = self._take()
            if batch:
                await self._answer(batch)

    async def _gather(self) -> None:
        """Return when the requests that wait should be answered."""
        quiet_s = self.config.max_wait_s / self.config.max_batch
        company = self._last_size > 1 and time.perf_counter() - self._last_end < quiet_s
        if len(self._waiting) == 1 and not company:
            return
        until = self._waiting[0].arrived + self.config.max_wait_s
        while len(self._waiting) < self.config.max_batch:
            patience = min(quiet_s, until - time.perf_counter())
            if patience <= 0:
                return
            self._arrival.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._arrival.wait()
            except TimeoutError:
                return

    def _take(self) -> list[_Waiting]:
        """Take the next batch from the queue: of one model, without those that gave up."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self.config.max_batch:
            if batch and self._waiting[0].model is not batch[0].model:
                break
            each = self._waiting.popleft()
            if not each.future.done():
                batch.append(each)
        self._metrics.queue_depth.set(len(self._waiting))
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        started = time.perf_counter()
        model, windows = batch[0].model, [each.window for each in batch]
        loop = asyncio.get_running_loop()
        try:
            outcomes = await loop.run_in_executor(self._pool, _answer_windows, model, windows)
        except asyncio.CancelledError:  # stopped before the batch was done
            for each in batch:
                _refuse(each, StoppedError())
            raise
        failures = 0
        for each, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                failures += 1
                _refuse(each, EngineFaultError())
                continue
            answer, timings = outcome
            if not each.future.done():
                queue_s = started - each.arrived
                each.future.set_result(Answered(answer, model, queue_s, timings))
        if failures:
            self.breaker.failed()
            _LOG.error(
                "%d of %d windows failed",
                failures,
                len(batch),
                exc_info=next(each for each in outcomes if isinstance(each, BaseException)),
            )
        else:
            self.breaker.succeeded()
        self._last_size, self._last_end = len(batch), time.perf_counter()
        self._metrics.batch(len(batch), failures, self._last_end - started)
        self._metrics.device_memory.set(model.device_memory_bytes)


Outcome = tuple[WindowAnswer, Timings] | Exception


def _answer_windows(model: ServedModel, windows: list[TelemetryWindow]) -> list[Outcome]:
    """Answer a batch; where memory does not suffice, its halves. Runs in the engine's thread."""
    try:
        answers, timings = model.answer(windows)
    except Exception as error:  # noqa: BLE001 (it goes to the requests, the breaker and the log)
        if not _out_of_memory(error):
            return [error] * len(windows)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(windows) == 1:
            return [error]
        half = len(windows) // 2
        _LOG.warning("memory did not suffice for %d windows; they are halved", len(windows))
    else:
        return [(answer, timings) for answer in answers]
    return _answer_windows(model, windows[:half]) + _answer_windows(model, windows[half:])


def _out_of_memory(error: Exception) -> bool:
    """Whether memory is what is missing; on a CPU torch says so in words alone."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def _refuse(waiting: _Waiting, error: Exception) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(error)
