"""The engine: a bounded queue, dynamic batches, and the model that answers them."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from opentelemetry import trace

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.engine.batch import Outcome, answer_batch
from hydrascope.serving.engine.breaker import CircuitBreaker
from hydrascope.serving.engine.errors import (
    DeadlineError,
    EngineFaultError,
    QueueFullError,
    StoppedError,
)
from hydrascope.serving.engine.queue import Answered, BatchQueue, QueuedWindow
from hydrascope.serving.observability.metrics import Metrics
from hydrascope.serving.windows import GivenReference, Model, ReferenceUse, TelemetryWindow

_LOG = logging.getLogger(__name__)
_NEWEST_WEIGHT = 1 / 8
"""Weight of the last batch in the moving mean of a window's time."""


@dataclass(frozen=True)
class EngineConfig:
    """How requests become batches.

    Attributes:
        max_batch: Windows in a batch.
        max_wait_s: Longest time that a request waits for others to share its batch.
        queue: Requests that may wait.
        deadline_s: Longest time from arrival to answer.
    """

    max_batch: int
    max_wait_s: float
    queue: int
    deadline_s: float


class Engine:
    """Answers windows; each one that is accepted gets exactly one answer or error.

    A request that finds the engine idle is answered at once. While a batch runs, others gather; a
    full batch is sent ahead where the model accepts one. After the batch they start at once too,
    unless requests come so fast, `max_batch` within `max_wait_s`, that waiting would fill their
    batch: then when it is full, or the oldest of them has waited `max_wait_s`.

    Attributes:
        model: Answers all requests from now on; may be replaced at any time. A request is answered
            by the model that was active at its arrival.
        breaker: Counts the batches that fail.
    """

    def __init__(
        self, model: Model, config: EngineConfig, breaker: CircuitBreaker, metrics: Metrics
    ) -> None:
        self.model, self.config, self.breaker = model, config, breaker
        self._metrics = metrics
        self._queue = BatchQueue(config.max_batch, config.max_wait_s)
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._computing = 0
        self._loop: asyncio.Task[None] | None = None
        self._accepting = False
        self._last_end = self._window_s = 0.0
        self._accepted = self._ended = 0

    async def start(self) -> None:
        """Begin to answer."""
        self._accepting = True
        self._loop = asyncio.create_task(self._run(), name="engine")

    async def stop(self, drain_s: float) -> None:
        """Accept no more requests, answer those that wait for at most `drain_s`, and end."""
        self._accepting = False
        try:
            async with asyncio.timeout(drain_s):
                await self._idle.wait()
        except TimeoutError:
            _LOG.warning("stopped with %d requests unanswered", len(self._queue))
        tasks = [each for each in (self._loop, *self._tasks) if each is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._queue.fail_all(StoppedError())
        counts = {"accepted": self._accepted, "ended": self._ended}
        _LOG.info("engine stopped", extra={"fields": counts})

    def refusal(self) -> QueueFullError | None:
        """Return why no further window is accepted now, or None.

        A window that would wait beyond its deadline is refused at once.
        """
        wait_s = len(self._queue) * self._window_s
        if len(self._queue) >= self.config.queue or wait_s > self.config.deadline_s:
            return QueueFullError(wait_s)
        return None

    async def check(
        self, machine: Machine, given: GivenReference | None = None
    ) -> ReferenceUse | None:
        """Check that the model can read a machine, as `Model.check`.

        Raises:
            SpecError: A kind or a sensor of it is not in the network's vocabulary.
            DeadlineError, EngineFaultError: See there.
        """
        try:
            async with asyncio.timeout(self.config.deadline_s):
                return await self.model.check(machine, given)
        except SpecError:
            raise
        except TimeoutError:
            raise DeadlineError from None
        except Exception as error:
            _LOG.exception("a machine could not be checked")
            raise EngineFaultError from error

    async def answer(self, window: TelemetryWindow) -> Answered:
        """Answer a window.

        Raises:
            QueueFullError, BreakerOpenError, DeadlineError, StoppedError, EngineFaultError: See
                there.
        """
        if not self._accepting:
            raise StoppedError
        if (refusal := self.refusal()) is not None:
            raise refusal
        self.breaker.admit()
        span = trace.get_current_span().get_span_context()
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        future.add_done_callback(self._count_end)
        self._idle.clear()
        self._accepted += 1
        self._queue.put(QueuedWindow(window, self.model, time.perf_counter(), span, future))
        self._metrics.queue_depth.set(len(self._queue))
        try:
            async with asyncio.timeout(self.config.deadline_s):
                return await future
        except TimeoutError:
            self.breaker.release()
            raise DeadlineError from None
        except asyncio.CancelledError:
            self.breaker.release()
            raise

    def _count_end(self, _: "asyncio.Future[Answered]") -> None:
        self._ended += 1

    async def _run(self) -> None:
        """Start batches, one after the other."""
        while True:
            await self._next_batch()
            batch = self._queue.take()
            self._metrics.queue_depth.set(len(self._queue))
            if batch:
                self._computing += 1
                task = asyncio.create_task(self._answer(batch))
                self._tasks.add(task)
                task.add_done_callback(self._end_task)

    async def _next_batch(self) -> None:
        """Return when the next batch should start."""
        while self._computing:
            model = self._queue.full_batch_model
            if model is not None and self._computing < model.max_in_flight:
                return
            await self._queue.wait_for_change()
            if not self._computing and len(self._queue):
                await self._queue.gather()
                return
        while not len(self._queue):
            if not self._tasks:
                self._idle.set()
            await self._queue.wait_for_change()

    def _end_task(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._queue.notify()

    async def _answer(self, batch: Sequence[QueuedWindow]) -> None:
        started = time.perf_counter()
        try:
            outcomes = await answer_batch(batch)
        except asyncio.CancelledError:  # stopped before the batch was done
            for each in batch:
                each.fail(StoppedError())
            raise
        finally:
            self._computing -= 1
            self._queue.notify()
        ended = time.perf_counter()
        await asyncio.sleep(0)  # start the next batch before these answers are written
        for each, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Exception):
                each.fail(EngineFaultError())
            elif not each.future.done():
                answer, timings = outcome
                queue_s = ended - each.arrived - timings.features_s - timings.network_s
                each.future.set_result(Answered(answer, each.model, queue_s, timings))
        failures = self._record_failures(outcomes)
        took_s = ended - max(started, self._last_end)
        self._last_end = ended
        self._window_s += _NEWEST_WEIGHT * (took_s / len(batch) - self._window_s)
        self._metrics.observe_batch(len(batch), failures, took_s)
        self._metrics.device_memory.set(batch[0].model.device_memory_bytes)

    def _record_failures(self, outcomes: Sequence[Outcome]) -> int:
        """Tell the breaker and the log how a batch ended; return how many windows failed."""
        errors = [each for each in outcomes if isinstance(each, Exception)]
        if errors:
            self.breaker.record_failure()
            _LOG.error("%d of %d windows failed", len(errors), len(outcomes), exc_info=errors[0])
        else:
            self.breaker.reset()
        return len(errors)
