"""The model of a watch: answers in a thread of its own, many machines' windows at a time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from hydrascope.data.windows import WindowPlan
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.notebook.alignment import aligned
from hydrascope.packaging.bundle import Bundle
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import GivenReference, ReferenceUse, TelemetryWindow, WindowAnswer

_AT_ONCE = 64
"""The most windows that are answered together."""
T = TypeVar("T")

WindowAt = Callable[[int], TelemetryWindow]
"""Returns the window that starts at a time in microseconds."""


@dataclass(frozen=True, eq=False)
class _Asked:
    windows: Sequence[TelemetryWindow]
    answers: "asyncio.Future[list[WindowAnswer]]"


@dataclass(frozen=True)
class _Decoded:
    decoded: Mapping[str, Tensor]


class WatchModel:
    """Answers windows outside of the event loop.

    Calls that wait while others are answered are answered together.

    Args:
        bundle: Opened on `device`.
        device: `cpu` or `cuda`.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu") -> None:
        self._served = ServedModel(bundle, device)
        self.manifest, self.version = self._served.manifest, self._served.version
        self._thread = ThreadPoolExecutor(1, "model")
        self._waiting: list[_Asked] = []
        self._working: asyncio.Task[None] | None = None

    @property
    def judges_input(self) -> bool:
        """Whether it judges the fitness of its input, and so where a load cycle starts."""
        return bool(self.manifest.least_right)

    def span(self, window: TelemetryWindow) -> TimeWindow:
        """Return the time that a window covers."""
        end = window.start + timedelta(seconds=self.manifest.window.window_s)
        return TimeWindow(start=window.start, end=end)

    async def check(self, machine: Machine, given: GivenReference | None) -> ReferenceUse | None:
        """Check that the model can read a machine.

        Returns:
            What its windows are compared with.

        Raises:
            SpecError: A kind or a sensor of it is not in the model's vocabulary.
        """
        return await self._run(lambda: self._served.check(machine, given))

    async def answer(self, windows: Sequence[TelemetryWindow]) -> list[WindowAnswer]:
        """Answer some windows, in their order.

        Raises:
            SpecError: As `check`.
            FloatingPointError: An answer is NaN or infinite.
            MemoryError: There is too little memory for so many windows.
        """
        asked = _Asked(windows, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await asked.answers

    async def settled(
        self, machine: Machine, spec: WindowSpec, stretch: TimeWindow, window_at: WindowAt
    ) -> TimeWindow:
        """Return a stretch from the start of its load cycle on; see `notebook.alignment`.

        Args:
            machine: Whose telemetry it is.
            spec: How windows are laid.
            stretch: A stretch, or as much of it as is looked at.
            window_at: Returns any window in the stretch.
        """

        def answering(plan: WindowPlan, rows: range) -> _Decoded:
            starts = plan.starts()[rows.start : rows.stop]
            times_us = starts.as_unit("us").asi8.tolist()
            answers, _ = self._served.answer([window_at(each) for each in times_us])
            names = answers[0].fitness
            return _Decoded(
                {
                    name: torch.from_numpy(np.concatenate([each.fitness[name] for each in answers]))
                    for name in names
                }
            )

        plan = WindowPlan(machine, spec, (stretch,))
        found = await self._run(lambda: aligned(plan, answering))
        return found.extents[0]

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _work(self) -> None:
        while self._waiting:
            together = [self._waiting.pop(0)]
            room = _AT_ONCE - len(together[0].windows)
            while self._waiting and len(self._waiting[0].windows) <= room:
                together.append(self._waiting.pop(0))
                room -= len(together[-1].windows)
            if not await self._answered(together) and len(together) > 1:
                # Whatever one machine's windows did is not to fail those of the others.
                for asked in together:
                    await self._answered([asked])

    async def _answered(self, together: Sequence[_Asked]) -> bool:
        """Answer calls together; return False where several cannot be answered together."""
        windows = [window for asked in together for window in asked.windows]
        try:
            answers, _ = await self._run(lambda: self._served.answer(windows))
        except Exception as error:  # noqa: BLE001, whoever asked gets it
            if len(together) == 1:
                together[0].answers.set_exception(error)
            return False
        for asked in together:
            count = len(asked.windows)
            if not asked.answers.done():  # whoever asked may be gone
                asked.answers.set_result(answers[:count])
            answers = answers[count:]
        return True
