"""One batch: the call of the model, in halves where memory runs out, and its trace."""

import logging
from collections.abc import Sequence

from opentelemetry import trace

from hydrascope.serving.engine.queue import QueuedWindow
from hydrascope.serving.windows import Model, TelemetryWindow, Timings, WindowAnswer

_LOG = logging.getLogger(__name__)
_TRACER = trace.get_tracer("hydrascope")
Outcome = tuple[WindowAnswer, Timings] | Exception


async def answer_batch(batch: Sequence[QueuedWindow]) -> list[Outcome]:
    """Answer a batch of one model, and trace it."""
    # A batch has no parent: its span links to those of its requests.
    links = [trace.Link(each.span) for each in batch]
    with _TRACER.start_as_current_span("batch", links=links):
        outcomes = await answer_windows(batch[0].model, [each.window for each in batch])
        _trace_stages(outcomes)
    return outcomes


async def answer_windows(model: Model, windows: list[TelemetryWindow]) -> list[Outcome]:
    """Answer windows together; an error is their outcome and is not raised.

    Where memory runs out, halves are answered one after the other, down to single windows.
    """
    try:
        answers, timings = await model.answer(windows)
    except MemoryError as error:
        if len(windows) == 1:
            return [error]
        half = len(windows) // 2
        _LOG.warning("too little memory for %d windows; the batch is halved", len(windows))
    except Exception as error:  # noqa: BLE001 (reported to the requests, the breaker and the log)
        return [error] * len(windows)
    else:
        return [(answer, timings) for answer in answers]
    first = await answer_windows(model, windows[:half])
    return first + await answer_windows(model, windows[half:])


def _trace_stages(outcomes: Sequence[Outcome]) -> None:
    """Record the model's stages, perhaps of another process, as spans."""
    for timings in {each[1] for each in outcomes if not isinstance(each, Exception)}:
        began_s = timings.began_s
        for name, took_s in (("features", timings.features_s), ("network", timings.network_s)):
            span = _TRACER.start_span(name, start_time=round(1e9 * began_s))
            began_s += took_s
            span.end(round(1e9 * began_s))
