"""Runs of an engine, and the outcomes of its calls."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from hydrascope.serving.engine.engine import Engine


def with_engine(engine: Engine, work: Callable[[], Awaitable[Any]], drain_s: float = 5.0) -> Any:
    async def run() -> Any:
        await engine.start()
        try:
            return await work()
        finally:
            await engine.stop(drain_s)

    return asyncio.run(run())


async def outcomes(calls: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    return list(await asyncio.gather(*calls, return_exceptions=True))
