"""The benchmark of few labelled machines learns from those it says, and judges others."""

import pytest
from benchmarks._few_shot import NETWORKS, Machines
from benchmarks._fleet_runs import settings_of

from hydrascope.experiment.assemble import build_datamodule

MACHINES = Machines(
    ("data=fleet", "data.source.kinds=[robot]", "data.source.machines_per_kind=9"), "robot", 4
)


@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_judged_is_not_learned(network: str) -> None:
    settings = settings_of(*MACHINES.overrides(5), *NETWORKS[network])
    assert (settings.init == "pretrained") is (network == "pretrained")
    data = build_datamodule(settings.data, settings.features, settings.task, settings.seed)
    data.plan()
    parts = [set(data.table["equipment_id"].iloc[rows]) for rows in data.split]
    train, val, test = parts
    assert test == {f"robot_{number:03d}" for number in range(4)}
    assert train | val == {f"robot_{number:03d}" for number in range(4, 9)}
    assert len(val) == 1
    assert not train & val
