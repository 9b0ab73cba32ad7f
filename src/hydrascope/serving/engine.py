"""The engine: a bounded queue, batches made as requests come, a model that answers them."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from opentelemetry import trace

from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.serving.breaker import CircuitBreaker
from hydrascope.serving.halving import Outcome, answer_windows
from hydrascope.serving.metrics import Metrics
from hydrascope.serving.refusals import (
    DeadlineError,
    EngineFaultError,
    QueueFullError,
    StoppedError,
)
from hydrascope.serving.windows import (
    GivenReference,
    Model,
    ReferenceUse,
    TelemetryWindow,
    Timings,
    WindowAnswer,
)

_LOG = logging.getLogger(__name__)
_TRACER = trace.get_tracer("hydrascope")
_SHARE = 1 / 8
"""Of what was measured last in the moving mean of a window's time."""


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
    max_wait_s: float = 0.01
    queue: int = 64
    deadline_s: float = 5.0


@dataclass(frozen=True, eq=False)
class Answered:
    """An answer, the model that gave it, and what the request's time went into."""

    answer: WindowAnswer
    model: Model
    queue_s: float
    batch: Timings


@dataclass(eq=False)
class _Waiting:
    window: TelemetryWindow
    model: Model
    arrived: float
    span: trace.SpanContext
    future: "asyncio.Future[Answered]" = field(repr=False)


class Engine:
    """Answers windows; every one that is accepted gets exactly one answer or error.

    A request that finds the engine idle is answered at once. While a batch runs, others gather; a
    full batch is sent ahead where the model takes one. After the batch they start at once too,
    unless requests come so fast, `max_batch` within `max_wait_s`, that waiting would fill their
    batch: then when it is full, or the oldest of them has waited `max_wait_s`.

    Args:
        model: Answers from now on; `model` can be changed at any time. A request is answered by
            the model that was there when it came.
        config: See there.
        breaker: Told of each batch how it went.
        metrics: Told of everything.
    """

    def __init__(
        self, model: Model, config: EngineConfig, breaker: CircuitBreaker, metrics: Metrics
    ) -> None:
        self.model, self.config, self.breaker = model, config, breaker
        self._metrics = metrics
        self._waiting: deque[_Waiting] = deque()
        self._change, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._computing = 0
        self._last_end = 0.0
        self._task: asyncio.Task[None] | None = None
        self._accepting = False
        self._arrivals: deque[float] = deque(maxlen=config.max_batch)
        self._window_s = 0.0
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
        tasks = [each for each in (self._task, *self._under_way) if each is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in self._waiting:
            _refuse(each, StoppedError())
        self._waiting.clear()
        counts = {"accepted": self._accepted, "ended": self._ended}
        _LOG.info("engine stopped", extra={"fields": counts})

    def refusal(self) -> QueueFullError | None:
        """Return why no further window can be taken now, or None.

        One that would wait beyond its deadline is better told so at once.
        """
        wait_s = len(self._waiting) * self._window_s
        if len(self._waiting) >= self.config.queue or wait_s > self.config.deadline_s:
            return QueueFullError(wait_s)
        return None

    async def warm_up(self, batches: Sequence[int]) -> None:
        """Warm the model up with all its machines.

        Raises:
            SpecError: It does not answer as it did at export.
        """
        await self.model.warm_up(batches, self.model.manifest.machines)

    async def check(
        self, machine: Machine, given: GivenReference | None = None
    ) -> ReferenceUse | None:
        """Refuse a machine that the model cannot read; else as `Model.check`.

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
            QueueFullError, DeadlineError, StoppedError, EngineFaultError: See there.
            BreakerOpenError: The engine failed repeatedly.
        """
        if not self._accepting:
            raise StoppedError
        if (refusal := self.refusal()) is not None:
            raise refusal
        self.breaker.admit()
        now = time.perf_counter()
        span = trace.get_current_span().get_span_context()
        future = asyncio.get_running_loop().create_future()
        waiting = _Waiting(window, self.model, now, span, future)
        self._waiting.append(waiting)
        self._accepted += 1
        self._arrivals.append(now)
        waiting.future.add_done_callback(self._count_end)
        self._idle.clear()
        self._change.set()
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
            await self._next()
            batch = self._take()
            if batch:
                self._computing += 1
                task = asyncio.create_task(self._answer(batch))
                self._under_way.add(task)
                task.add_done_callback(self._ended_batch)

    async def _next(self) -> None:
        """Return when the next batch should be made."""
        while self._computing:
            full = len(self._waiting) >= self.config.max_batch
            if full and self._computing < self._waiting[0].model.at_once:
                return
            self._change.clear()
            await self._change.wait()
            if not self._computing and self._waiting:
                await self._gather()
                return
        while not self._waiting:
            if not self._under_way:
                self._idle.set()
            self._change.clear()
            await self._change.wait()

    def _ended_batch(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._change.set()

    async def _gather(self) -> None:
        """Return when the requests that came during a batch should be answered."""
        since_s = time.perf_counter() - self._arrivals[0]
        if len(self._arrivals) < self.config.max_batch or since_s > self.config.max_wait_s:
            return
        until = self._waiting[0].arrived + self.config.max_wait_s
        while len(self._waiting) < self.config.max_batch:
            patience = until - time.perf_counter()
            if patience <= 0:
                return
            self._change.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._change.wait()
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
        # A batch is nobody's child: its span says whose windows it holds.
        links = [trace.Link(each.span) for each in batch]
        try:
            with _TRACER.start_as_current_span("batch", links=links):
                outcomes = await answer_windows(model, windows)
                _trace_stages(outcomes)
        except asyncio.CancelledError:  # stopped before the batch was done
            for each in batch:
                _refuse(each, StoppedError())
            raise
        finally:
            self._computing -= 1
            self._change.set()
        ended = time.perf_counter()
        await asyncio.sleep(0)  # the next batch is on its way before these answers are written
        failures = 0
        for each, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                failures += 1
                _refuse(each, EngineFaultError())
                continue
            answer, timings = outcome
            if not each.future.done():
                queue_s = ended - each.arrived - timings.features_s - timings.network_s
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
        took_s = ended - max(started, self._last_end)
        self._last_end = ended
        self._window_s += _SHARE * (took_s / len(batch) - self._window_s)
        self._metrics.batch(len(batch), failures, took_s)
        self._metrics.device_memory.set(model.device_memory_bytes)


def _trace_stages(outcomes: Sequence[Outcome]) -> None:
    """Record what the model did, perhaps in another process, as spans."""
    for timings in {each[1] for each in outcomes if not isinstance(each, Exception)}:
        began_s = timings.began_s
        for name, took_s in (("features", timings.features_s), ("network", timings.network_s)):
            span = _TRACER.start_span(name, start_time=round(1e9 * began_s))
            began_s += took_s
            span.end(round(1e9 * began_s))


def _refuse(waiting: _Waiting, error: Exception) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(error)
