"""A quick task and small parts of the rig for what builds stores."""

from pathlib import Path

import pytest
from rig_parts import RigParts, cycles

from hydrascope.telemetry import ZemaSource


@pytest.fixture
def two_rigs(zema: ZemaSource) -> RigParts:
    """Two machines, 40 and 30 cycles, the second with a gap."""
    return RigParts(zema, {"a": [cycles(0, 40)], "b": [cycles(700, 20), cycles(900, 10)]})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "stores"
