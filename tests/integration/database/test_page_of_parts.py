"""The page that puts the parts together by hand is run, on a real server that holds the rig."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from databases import settings
from jobs import ROOT

from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.graph import BATCH_ONLY
from hydrascope.telemetry.timescale.command import run_ingest

PAGE = ROOT / "docs" / "python.md"
DSN = "postgresql://hydrascope@localhost/plant"
"""What the page calls the database."""


@pytest.fixture
def names(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page has made."""
    run_ingest(settings(dsn, timeout_s=60), "zema", {})
    (block,) = (
        found
        for found in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        if DSN in found
    )
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    found: dict[str, Any] = {}
    exec(block.replace(DSN, dsn), found)
    return found


def test_the_parts_make_one_chain_from_a_database_to_a_network(names: dict[str, Any]) -> None:
    dataset, graph = names["dataset"], names["graph"]
    # What the builder makes of the connector's frame is what the dataset holds.
    stored = dataset[0]
    for name in set(GraphInputs._fields) - set(BATCH_ONLY):
        torch.testing.assert_close(graph[name], stored[name], rtol=1e-6, atol=0)
    assert stored.sensor_features.shape == (17, 10, 34)
    assert dataset.get_equipment_ids() == ["zema"]
    found = dataset.get_statistics()
    assert (found.windows, found.sensors_per_graph) == (len(dataset), 17) == (2205, 17)
    assert sum(found.labels["cooler"].values()) == 2205
    served = [row for batch in names["train"] for row in batch.window.tolist()]
    assert sorted(served) == names["data"].split.train.tolist()
    known = torch.cat([batch.targets["cooler"] for batch in names["val"]])
    most_frequent = max(float((known == grade).float().mean()) for grade in range(3))
    assert names["accuracy"] > most_frequent + 0.2
