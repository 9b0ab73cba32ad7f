"""The queue of windows, and when those that wait become a batch."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from opentelemetry import trace

from hydrascope.serving.windows import Model, TelemetryWindow, Timings, WindowAnswer


@dataclass(frozen=True, eq=False)
class Answered:
    """An answer, the model that gave it, and the times of its request.

    Attributes:
        queue_s: Time outside of the model.
        batch: Times of the whole batch.
    """

    answer: WindowAnswer
    model: Model
    queue_s: float
    batch: Timings


@dataclass(eq=False)
class QueuedWindow:
    """A window that waits, and the future of its answer.

    Attributes:
        model: Answers it, even if another model is activated meanwhile.
        arrived: Of `time.perf_counter`.
        span: Of its request.
    """

    window: TelemetryWindow
    model: Model
    arrived: float
    span: trace.SpanContext
    future: "asyncio.Future[Answered]" = field(repr=False)

    def fail(self, error: Exception) -> None:
        """Answer with an error, unless it was answered or cancelled."""
        if not self.future.done():
            self.future.set_exception(error)


class BatchQueue:
    """Holds windows in the order of their arrival, and forms batches of them.

    Args:
        max_batch: Windows in a batch.
        max_wait_s: Longest time that a window waits for others to share its batch.
    """

    def __init__(self, max_batch: int, max_wait_s: float) -> None:
        self._max_batch, self._max_wait_s = max_batch, max_wait_s
        self._queued: deque[QueuedWindow] = deque()
        self._arrivals: deque[float] = deque(maxlen=max_batch)
        self._change = asyncio.Event()

    def __len__(self) -> int:
        return len(self._queued)

    @property
    def full_batch_model(self) -> Model | None:
        """Model of the next batch if enough windows wait to fill one, else None."""
        return self._queued[0].model if len(self._queued) >= self._max_batch else None

    def put(self, queued: QueuedWindow) -> None:
        """Append a window."""
        self._queued.append(queued)
        self._arrivals.append(queued.arrived)
        self._change.set()

    def take(self) -> list[QueuedWindow]:
        """Remove and return the next batch: of one model, without those that were cancelled."""
        batch: list[QueuedWindow] = []
        while self._queued and len(batch) < self._max_batch:
            if batch and self._queued[0].model is not batch[0].model:
                break
            queued = self._queued.popleft()
            if not queued.future.done():
                batch.append(queued)
        return batch

    def fail_all(self, error: Exception) -> None:
        """Remove all windows and answer them with an error."""
        for queued in self._queued:
            queued.fail(error)
        self._queued.clear()

    def notify(self) -> None:
        """Wake the task that waits for a change."""
        self._change.set()

    async def wait_for_change(self) -> None:
        """Wait until a window arrives or `notify` is called."""
        self._change.clear()
        await self._change.wait()

    async def gather(self) -> None:
        """Wait for more windows after a batch, if they come fast enough to fill the next one.

        Returns when it is full, or when the oldest window has waited `max_wait_s`.
        """
        since_s = time.perf_counter() - self._arrivals[0]
        if len(self._arrivals) < self._max_batch or since_s > self._max_wait_s:
            return
        until = self._queued[0].arrived + self._max_wait_s
        while len(self._queued) < self._max_batch:
            remaining_s = until - time.perf_counter()
            if remaining_s <= 0:
                return
            try:
                async with asyncio.timeout(remaining_s):
                    await self.wait_for_change()
            except TimeoutError:
                return
