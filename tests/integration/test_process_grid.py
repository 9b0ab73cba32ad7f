"""Networks whose parameters do not all get gradients train in several processes."""

import json
from pathlib import Path

import pytest
from process_grid import Cell, settings_of

from hydrascope.experiment import train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.usefixtures("forks")]


# `process_grid.py` has all of them.
@pytest.mark.parametrize(
    "cell",
    [("mlp", "machine", "ddp"), ("gatv2_lstm", "component", "fsdp")],
    ids="-".join,
)
def test_a_network_trains_in_two_processes_whatever_its_heads(cell: Cell, tmp_path: Path) -> None:
    train.run(settings_of(cell, tmp_path / "run"), quiet=True)
    tested = json.loads((tmp_path / "run" / "results.json").read_text())["test"][cell[0]]
    assert set(tested) == {"machine": {"stable"}, "component": {"cooler"}}[cell[1]]
