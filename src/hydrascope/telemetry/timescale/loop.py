"""Asynchronous work for synchronous callers: one event loop per process, in its own thread."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

# Reentrant, because the holder may collect garbage and thereby close connections.
_lock = threading.RLock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}
"""The loop by process id, as a forked child has its parent's variables, but not its threads."""


def start(work: Coroutine[Any, Any, T]) -> "Future[T]":
    """Start the work and return immediately."""
    return asyncio.run_coroutine_threadsafe(work, _loop())


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Wait for the work and return its result; an interrupt cancels the work."""
    future = start(work)
    try:
        return future.result()
    finally:
        future.cancel()
        # The traceback of its exception holds this frame, and thereby the caller's objects.
        del future


def iterate(items: AsyncIterator[T]) -> Iterator[T]:
    """Yield the items of an asynchronous iterator."""
    while True:
        try:
            item = wait(_next(items))
        except StopAsyncIteration:
            return
        yield item
        del item


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)


def _loop() -> asyncio.AbstractEventLoop:
    with _lock:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="hydrascope-db", daemon=True).start()
        return loop


os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
)
