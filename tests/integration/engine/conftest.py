"""A model that can be troubled, and windows for it."""

from pathlib import Path

import pytest
from serving_parts import TroubledModel, cycle

from hydrascope.serving.windows import TelemetryWindow
from hydrascope.telemetry.zema import ZemaSource


@pytest.fixture(scope="module")
def model(bundle: Path) -> TroubledModel:
    return TroubledModel(bundle)


@pytest.fixture
def windows(model: TroubledModel, zema: ZemaSource) -> list[TelemetryWindow]:
    model.batches.clear()
    model.fails, model.memory_for, model.pause_s = False, 64, 0.0
    (machine,) = model.manifest.machines
    return [cycle(zema, row, machine) for row in range(40)]
