"""A batch answered; where memory does not suffice, its halves, and so on down to single windows."""

import logging

from hydrascope.serving.windows import Model, TelemetryWindow, Timings, WindowAnswer

_LOG = logging.getLogger(__name__)
Outcome = tuple[WindowAnswer, Timings] | Exception


async def answer_windows(model: Model, windows: list[TelemetryWindow]) -> list[Outcome]:
    """Answer a batch; what fails is the windows' outcome, not raised."""
    try:
        answers, timings = await model.answer(windows)
    except MemoryError as error:
        if len(windows) == 1:
            return [error]
        half = len(windows) // 2
        _LOG.warning("memory did not suffice for %d windows; they are halved", len(windows))
    except Exception as error:  # noqa: BLE001 (it goes to the requests, the breaker and the log)
        return [error] * len(windows)
    else:
        return [(answer, timings) for answer in answers]
    first = await answer_windows(model, windows[:half])
    return first + await answer_windows(model, windows[half:])
