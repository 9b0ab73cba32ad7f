"""Bodies of requests, bounded in size, in time and in what all of them take together."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from starlette.types import Message, Receive

from hydrascope.serving.http.problems import ProblemError


class Bounds(NamedTuple):
    """What bodies may take.

    Attributes:
        one: Bytes of one body, at most.
        all: Bytes of the bodies of all requests that have no answer yet.
        time_s: Longest time that a body takes to arrive.
    """

    one: int
    all: int
    time_s: float


class Bodies:
    """Counts the bodies that are held; used in one event loop."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds, self._held = bounds, 0

    @contextmanager
    def bounded(self, receive: Receive) -> Iterator[Receive]:
        """Yield a `receive` that raises `ProblemError` where a body goes beyond a bound.

        What has been received counts until the end of the context, as the request holds it.
        """
        time_s = self._bounds.time_s
        end = asyncio.get_running_loop().time() + time_s
        size, complete = 0, False

        async def counted() -> Message:
            nonlocal size, complete
            if complete:  # what comes is a disconnect, at any time
                return await receive()
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                raise ProblemError(
                    408,
                    f"The body did not arrive within {time_s:g} s.",
                    headers={"Connection": "close"},
                ) from None
            complete = not message.get("more_body", False)
            size += len(message.get("body", b""))
            self._held += len(message.get("body", b""))
            if size > self._bounds.one:
                raise self.too_large()
            if self._held > self._bounds.all:
                retry = {"Retry-After": "1"}
                raise ProblemError(503, "Too many large requests at a time.", headers=retry)
            return message

        try:
            yield counted
        finally:
            self._held -= size

    def too_large(self) -> ProblemError:
        """Return the problem of a body that is too large."""
        return ProblemError(413, f"A request may have {self._bounds.one} bytes.")

    def accepts(self, length: int) -> bool:
        """Return whether a body of this length is small enough."""
        return length <= self._bounds.one
