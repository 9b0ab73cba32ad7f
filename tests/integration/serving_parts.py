"""What the tests of the service share: windows of the rig, a model that can be made to fail."""

import asyncio
import math
import time
from collections.abc import Awaitable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas import Machine, TimeWindow
from hydrascope.serving.engine.breaker import CircuitBreaker
from hydrascope.serving.engine.engine import Engine, EngineConfig
from hydrascope.serving.http.app import create_app
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.observability.metrics import Metrics
from hydrascope.serving.settings import ServeSettings
from hydrascope.serving.startup import start_service
from hydrascope.serving.windows import (
    GivenReference,
    Model,
    ReferenceUse,
    TelemetryWindow,
    Timings,
    WindowAnswer,
)
from hydrascope.telemetry.zema import EPOCH, ZemaSource


def cycle(source: ZemaSource, row: int, machine: Machine) -> TelemetryWindow:
    """One load cycle of the rig, as the engine takes it."""
    start = EPOCH + timedelta(seconds=60 * row)
    signals = source.read("zema", TimeWindow(start=start, end=start + timedelta(seconds=60)))
    return TelemetryWindow(machine, start, signals)


def cycle_json(source: ZemaSource, row: int) -> dict[str, Any]:
    """The same, as a client sends it."""
    machine = source.machines()["zema"]
    return {"equipment_id": "zema", **window_json(cycle(source, row, machine))}


def window_json(window: TelemetryWindow) -> dict[str, Any]:
    """A window, as a client sends it; null where a sample is missing."""
    return {
        "start": window.start.isoformat(),
        "signals": {
            name: {
                "values": [None if math.isnan(each) else each for each in signal.values.tolist()],
                "rate_hz": signal.rate_hz,
            }
            for name, signal in window.signals.items()
        },
    }


class TroubledModel:
    """The real model in a thread, with trouble on demand."""

    max_in_flight = 1
    device_memory_bytes = 0

    def __init__(self, bundle: Path) -> None:
        self.served = ServedModel(read_bundle(bundle))
        self.manifest, self.version = self.served.manifest, self.served.version
        self.window_s = self.served.window_s
        self.batches: list[int] = []
        self.fails = False
        self.memory_for = 64
        self.pause_s = 0.0

    async def check(
        self, machine: Machine, given: GivenReference | None = None
    ) -> ReferenceUse | None:
        return self.served.check(machine, given)

    async def warm_up(self, sizes: Iterable[int], machines: Sequence[Machine]) -> None:
        await asyncio.to_thread(self.served.warm_up, sizes, machines)

    async def answer(
        self, windows: Sequence[TelemetryWindow]
    ) -> tuple[list[WindowAnswer], Timings]:
        self.batches.append(len(windows))
        return await asyncio.to_thread(self._answer, windows)

    async def close(self) -> None:
        pass

    def _answer(self, windows: Sequence[TelemetryWindow]) -> tuple[list[WindowAnswer], Timings]:
        time.sleep(self.pause_s)
        if self.fails:
            raise RuntimeError("made to fail")
        if len(windows) > self.memory_for:
            raise MemoryError("you tried too much")
        return self.served.answer(windows)


def engine_of(model: Model, breaker: CircuitBreaker | None = None, **config: Any) -> Engine:
    usual = {"max_batch": 16, "max_wait_s": 0.01, "queue": 64, "deadline_s": 5.0}
    breaker = breaker or CircuitBreaker(failures=5, open_s=60.0, probes=1)
    return Engine(model, EngineConfig(**(usual | config)), breaker, Metrics())


class Served:
    """A running service in an event loop of its own, asked from outside of it."""

    def __init__(self, **settings: Any) -> None:
        self.runner = asyncio.Runner()
        self.settings = ServeSettings(_env_file=None, **settings)
        self.service = self.runner.run(start_service(self.settings, Metrics()))
        transport = httpx.ASGITransport(create_app(self.service), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://service")

    def run(self, work: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await work

        return self.runner.run(awaited())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.run(self.client.get(path, **more))

    def put(self, path: str, content: Any) -> httpx.Response:
        return self.run(self.client.put(path, json=content))

    def delete(self, path: str) -> httpx.Response:
        return self.run(self.client.delete(path))

    def post(self, path: str, content: Any = None, **more: Any) -> httpx.Response:
        if isinstance(content, bytes | str):
            headers = {"content-type": "application/json", **more.pop("headers", {})}
            return self.run(self.client.post(path, content=content, headers=headers, **more))
        return self.run(self.client.post(path, json=content, **more))

    def close(self) -> None:
        self.run(self.client.aclose())
        self.run(self.service.stop())
        self.runner.close()
