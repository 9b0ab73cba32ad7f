"""A batch answered; where memory does not suffice, its halves, and so on down to single windows."""

import logging

import torch

from hydrascope.serving.windows import Model, TelemetryWindow, Timings, WindowAnswer

_LOG = logging.getLogger(__name__)
_NO_MEMORY = ("can't allocate memory", "CUDA out of memory")
"""What torch says on a CPU and of a GPU."""

Outcome = tuple[WindowAnswer, Timings] | Exception


async def answer_windows(model: Model, windows: list[TelemetryWindow]) -> list[Outcome]:
    """Answer a batch; what fails is the windows' outcome, not raised."""
    try:
        answers, timings = await model.answer(windows)
    except Exception as error:  # noqa: BLE001 (it goes to the requests, the breaker and the log)
        if not _out_of_memory(error):
            return [error] * len(windows)
        if len(windows) == 1:
            return [error]
        half = len(windows) // 2
        _LOG.warning("memory did not suffice for %d windows; they are halved", len(windows))
    else:
        return [(answer, timings) for answer in answers]
    first = await answer_windows(model, windows[:half])
    return first + await answer_windows(model, windows[half:])


def _out_of_memory(error: Exception) -> bool:
    """Whether memory is what is missing; of a program's step it is known by its words alone."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(each in str(error) for each in _NO_MEMORY)
    )
