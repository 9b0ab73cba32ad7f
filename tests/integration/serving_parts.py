"""What the tests of the service share: windows of the rig, a model that can be made to fail."""

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas import Machine, TimeWindow
from hydrascope.serving.breaker import CircuitBreaker
from hydrascope.serving.engine import Engine, EngineConfig
from hydrascope.serving.metrics import Metrics
from hydrascope.serving.model import ServedModel, TelemetryWindow, Timings, WindowAnswer
from hydrascope.telemetry.zema import EPOCH, ZemaSource


def cycle(source: ZemaSource, row: int, machine: Machine) -> TelemetryWindow:
    """One load cycle of the rig, as the engine takes it."""
    start = EPOCH + timedelta(seconds=60 * row)
    signals = source.read("zema", TimeWindow(start=start, end=start + timedelta(seconds=60)))
    return TelemetryWindow(machine, start, signals)


def cycle_json(source: ZemaSource, row: int) -> dict[str, Any]:
    """The same, as a client sends it."""
    machine = source.machines()["zema"]
    window = cycle(source, row, machine)
    return {
        "equipment_id": "zema",
        "start": window.start.isoformat(),
        "signals": {
            name: {"values": signal.values.tolist(), "rate_hz": signal.rate_hz}
            for name, signal in window.signals.items()
        },
    }


class TroubledModel(ServedModel):
    """The real model, with trouble on demand."""

    def __init__(self, bundle: Path) -> None:
        super().__init__(read_bundle(bundle))
        self.batches: list[int] = []
        self.fails = False
        self.memory_for = 64
        self.pause_s = 0.0

    def answer(self, windows: Sequence[TelemetryWindow]) -> tuple[list[WindowAnswer], Timings]:
        self.batches.append(len(windows))
        time.sleep(self.pause_s)
        if self.fails:
            raise RuntimeError("made to fail")
        if len(windows) > self.memory_for:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried too much")
        return super().answer(windows)


def engine_of(model: ServedModel, breaker: CircuitBreaker | None = None, **config: Any) -> Engine:
    return Engine(model, EngineConfig(**config), breaker or CircuitBreaker(), Metrics())
