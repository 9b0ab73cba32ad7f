"""What happened to one machine happens to another of its build: x + a - b, labels included."""

import numpy as np
import pytest
import torch
from tests.support.shared_store import STORE

from hydrascope.data.batch import RowBatch, TrainingBatch
from hydrascope.data.build import StoreConfig
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.dataset import HydraulicGraphDataset
from hydrascope.data.loaders import DataLoaderConfig
from hydrascope.data.references import ReferenceSpec
from hydrascope.data.split_spec import SplitSpec
from hydrascope.data.transplants import MachineBank, Transplants
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas import SpecError, TaskSpec, validate
from hydrascope.telemetry.fleet import FleetSource

FAULTS = ["leakage", "seal_degradation", "valve_stiction", "vibration_anomaly", "contamination"]
SEVERITIES = [f"{fault}_severity" for fault in FAULTS]
OF_COMPONENT = ("worn", "faults", "severity")
TASK = validate(
    TaskSpec,
    {
        "name": "t",
        "heads": [
            {"name": "health", "level": "machine", "kind": "regression", "evidence": "worn"},
            {"name": "worn", "level": "component", "kind": "regression", "label": "health"},
            {"name": "remaining_life", "level": "machine", "kind": "regression"},
            {"name": "any", "level": "machine", "kind": "multi_label", "labels": FAULTS,
             "evidence": "faults"},
            {"name": "faults", "level": "component", "kind": "multi_label", "labels": FAULTS},
            {"name": "severity", "level": "component", "kind": "regression", "labels": SEVERITIES},
        ],
    },
)  # fmt: skip


pytestmark = pytest.mark.xdist_group("transplants")  # its fleet is simulated once


@pytest.fixture(scope="module")
def fleet() -> HydraulicDataModule:
    source = FleetSource(
        6, ("robot", "machining_centre"), hours=0.1, recording_min=0.5, fault_rate=2.0,
        commissioning=1,
    )  # fmt: skip
    features = FeatureConfig.model_validate(
        {"statistical": True, "patch": False, "percentiles": []}
    )
    data = HydraulicDataModule(
        source,
        WindowSpec(30.0, 30.0, 2),
        FeatureEngineer(features),
        TASK,
        store=StoreConfig(STORE),
        split=SplitSpec("by_machine", folds=4, fold=0, val_fraction=0.1),
        loader=DataLoaderConfig(batch_size=64),
        reference=ReferenceSpec(label="commissioning"),
    )
    data.setup()
    return data


@pytest.fixture(scope="module")
def bank(fleet: HydraulicDataModule) -> MachineBank:
    machines = fleet.dataset.machines
    return MachineBank(machines, fleet.split.train, TASK.heads, fleet.dataset.gather)


def drawn(fleet: HydraulicDataModule, bank: MachineBank, epoch: int) -> TrainingBatch:
    dataset = HydraulicGraphDataset(fleet.dataset.machines, [Transplants(bank, 1)], 0)
    return dataset[RowBatch(fleet.split.train, epoch, augment=True)]


def apart(batch: TrainingBatch, name: str) -> list[torch.Tensor]:
    """A head's targets of each window."""
    graph = batch.inputs.component_graph
    if name not in OF_COMPONENT:
        return list(batch.targets[name].unbind())
    return [batch.targets[name][graph == number] for number in range(len(batch.window))]


def features(batch: TrainingBatch) -> list[torch.Tensor]:
    graph = batch.inputs.component_graph[batch.inputs.sensor_component]
    x = torch.where(batch.inputs.sensor_observed.unsqueeze(-1), batch.inputs.sensor_features, 0.0)
    return [x[graph == number].double() for number in range(len(batch.window))]


def test_a_pair_is_of_one_machine_of_the_build_and_of_training(
    fleet: HydraulicDataModule, bank: MachineBank
) -> None:
    random, rows = np.random.default_rng(0), set(fleet.split.train.tolist())
    machine, kind = fleet.table["equipment_id"], fleet.table["kind"]
    seen = set()
    for window in fleet.split.train[::5].tolist():
        for _ in range(5):
            taken, given = bank.draw(window, random)
            assert {taken, given} <= rows
            assert machine[taken] == machine[given]
            assert kind[taken] == kind[window]
            seen.add(machine[taken])
    assert len(seen) == machine[fleet.split.train].nunique()


def test_a_window_takes_what_a_has_where_a_and_b_differ_and_stays_as_it_is_elsewhere(
    fleet: HydraulicDataModule, bank: MachineBank
) -> None:
    plain, batch = fleet.dataset.gather(fleet.split.train), drawn(fleet, bank, 0)
    x, z = features(plain), features(batch)
    labels = {name: (apart(plain, name), apart(batch, name)) for name in OF_COMPONENT}
    everything = dict(zip(plain.window.tolist(), x, strict=True))
    truth = dict(
        zip(plain.window.tolist(), zip(*(labels[n][0] for n in OF_COMPONENT), strict=True),
            strict=True)
    )  # fmt: skip
    changed = [k for k in range(len(x)) if not torch.allclose(x[k], z[k])]
    assert 0.1 < len(changed) / len(x) < 0.6
    relabelled = 0
    for number in range(len(x)):
        before = torch.cat([labels[name][0][number].flatten() for name in OF_COMPONENT])
        after = torch.cat([labels[name][1][number].flatten() for name in OF_COMPONENT])
        if number not in changed:
            assert torch.equal(before, after)
            continue
        relabelled += int(not torch.equal(before, after))
        delta, build = z[number] - x[number], fleet.table["kind"][int(plain.window[number])]
        alike = [w for w in everything if fleet.table["kind"][w] == build]
        found = [
            (a, b) for a in alike for b in alike
            if fleet.table["equipment_id"][a] == fleet.table["equipment_id"][b]
            and torch.allclose(everything[a] - everything[b], delta, atol=1e-3, rtol=1e-4)
        ]  # fmt: skip
        assert found
        a, b = (torch.cat([t.flatten() for t in truth[w]]) for w in found[0])
        differ = a != b
        assert torch.equal(before[differ], b[differ])
        assert torch.equal(after, torch.where(differ, a, before))
    assert relabelled > 3


def test_machines_follow_from_their_components_and_nothing_is_said_of_the_rest(
    fleet: HydraulicDataModule, bank: MachineBank
) -> None:
    plain, batch = fleet.dataset.gather(fleet.split.train), drawn(fleet, bank, 1)
    moved = batch.targets["remaining_life"].isnan().squeeze(1)
    assert 0.1 < moved.float().mean() < 0.6
    assert torch.equal(
        batch.targets["remaining_life"][~moved], plain.targets["remaining_life"][~moved]
    )
    for number in range(len(moved)):
        worn, faults = apart(batch, "worn")[number], apart(batch, "faults")[number]
        assert apart(batch, "health")[number] == worn.min()
        assert torch.equal(apart(batch, "any")[number], faults.amax(0))


def test_what_is_drawn_depends_on_seed_epoch_and_window_alone(
    fleet: HydraulicDataModule, bank: MachineBank
) -> None:
    one, again, later = (drawn(fleet, bank, epoch) for epoch in (3, 3, 4))
    assert torch.equal(one.inputs.sensor_features, again.inputs.sensor_features)
    assert not torch.equal(one.inputs.sensor_features, later.inputs.sensor_features)


def test_a_task_without_heads_of_components_has_none(fleet: HydraulicDataModule) -> None:
    machines = fleet.dataset.machines
    heads = [head for head in TASK.heads if head.name == "remaining_life"]
    with pytest.raises(SpecError, match=r"data.transforms.transplants needs component-level heads"):
        MachineBank(machines, fleet.split.train, heads, fleet.dataset.gather)
