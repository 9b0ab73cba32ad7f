"""The packed dataset: what it gathers is what stands there, whichever machines are mixed."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rig_parts import RigParts, cycles, stored
from torch import Tensor
from torch_geometric.data import Batch

from hydrascope.data.batch import TrainingBatch
from hydrascope.data.build import StoreConfig
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.dataset import HydraulicGraphDataset
from hydrascope.data.loaders import DataLoaderConfig
from hydrascope.data.split_spec import SplitSpec
from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.data.stored_machine import StoredMachine
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.graph import BATCH_ONLY
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout
from hydrascope.schemas import GraphTopology, TaskSpec
from hydrascope.telemetry import ZemaSource

RIG_WINDOWS, PRESS_WINDOWS = 7, 5


def same(one: Tensor, other: Tensor) -> bool:
    """Equal, NaN included."""
    return torch.equal(one.nan_to_num(-1), other.nan_to_num(-1))


@pytest.fixture(scope="module")
def dataset(
    rig: HydraulicDataModule,
    press: GraphTopology,
    task: TaskSpec,
    tmp_path_factory: pytest.TempPathFactory,
) -> HydraulicGraphDataset:
    """Seven windows of the rig, then five of the press with random features and targets."""
    topologies = [rig.machines["zema"].topology, press]
    names = rig.input_spec.feature_names
    spec = InputSpec.of(topologies, names, 10, rig.input_spec.component_heads)
    machines = []
    for number, (topology, count) in enumerate(
        zip(topologies, (RIG_WINDOWS, PRESS_WINDOWS), strict=True)
    ):
        generator = torch.Generator().manual_seed(number)
        shape = (count, len(topology.sensors), 10)
        targets = {
            head.name: torch.rand(
                (count, 1 if head.components is None else len(topology.components), 1),
                generator=generator,
            )
            for head in task.heads
        }
        targets["valve"][::2] = float("nan")
        arrays = {
            SENSOR_FEATURES: torch.rand(*shape, len(names), generator=generator).numpy(),
            SENSOR_OBSERVED: (torch.rand(shape, generator=generator) > 0.5).numpy(),
        }
        machines.append(
            StoredMachine(
                topology.id,
                GraphLayout.of(topology, spec, task.heads),
                stored(tmp_path_factory.mktemp("store"), arrays, chunk_windows=2),
                targets,
            )
        )
    return HydraulicGraphDataset(machines)


def alone(dataset: HydraulicGraphDataset, row: int) -> tuple[StoredMachine, int]:
    """The machine of a row, and the row's number within it."""
    if row < RIG_WINDOWS:
        return dataset.machines[0], row
    return dataset.machines[1], row - RIG_WINDOWS


@pytest.mark.parametrize("rows", [[9, 0, 6, 11, 7], [3], [8, 10], [6, 7], list(range(12))])
def test_a_batch_equals_its_windows_taken_one_by_one(
    dataset: HydraulicGraphDataset, rows: list[int]
) -> None:
    batch = dataset.__getitems__(rows)
    assert batch.window.tolist() == sorted(rows)
    inputs = batch.inputs
    components = machine_rows = 0
    for graph, row in enumerate(batch.window.tolist()):
        machine, number = alone(dataset, row)
        mine = inputs.component_graph == graph
        of_mine = mine[inputs.sensor_component]
        assert torch.equal(inputs.sensor_features[of_mine], machine.read(SENSOR_FEATURES)[number])
        assert torch.equal(inputs.sensor_observed[of_mine], machine.read(SENSOR_OBSERVED)[number])
        assert torch.equal(inputs.sensor_slot[of_mine], machine.layout.sensor_slot)
        assert torch.equal(inputs.component_kind[mine], machine.layout.component_kind)
        first = components
        components += machine.layout.num_components
        assert mine.nonzero().flatten().tolist() == list(range(first, components))
        edges = mine[inputs.edge_index[0]]
        assert torch.equal(inputs.edge_index[:, edges] - first, machine.layout.edge_index)
        for name, target in machine.targets.items():
            at_machine = target.shape[1] == 1
            place = slice(graph, graph + 1) if at_machine else slice(first, components)
            assert same(batch.targets[name][place], target[number]), name
        machine_rows += 1
    assert components == len(inputs.component_kind)
    assert len(batch.targets["stable"]) == machine_rows
    assert len(batch.targets["valve"]) == components


def test_pyg_collates_single_windows_into_the_same_batch(dataset: HydraulicGraphDataset) -> None:
    rows = [0, 2, 3]
    expected = dataset.__getitems__(rows)
    graphs = [dataset[row] for row in rows]
    batch = Batch.from_data_list(graphs)
    assert torch.equal(batch.batch, expected.inputs.component_graph)
    for name in ("sensor_features", "component_kind", "edge_index", "edge_features"):
        assert torch.equal(batch[name], getattr(expected.inputs, name)), name
    assert same(batch.target_valve, expected.targets["valve"])
    assert set(graphs[0].keys()) >= set(GraphInputs._fields) - set(BATCH_ONLY)


def test_a_copy_in_another_process_gathers_the_same(dataset: HydraulicGraphDataset) -> None:
    here = dataset.gather([6, 7])
    there = pickle.loads(pickle.dumps(dataset)).gather([6, 7])
    for one, other in zip(here.inputs, there.inputs, strict=True):
        assert torch.equal(one, other)
    assert all(same(target, there.targets[name]) for name, target in here.targets.items())


def test_a_batch_that_is_kept_is_not_overwritten_by_later_ones(
    dataset: HydraulicGraphDataset,
) -> None:
    kept = [dataset.gather([row]).inputs.sensor_features[:3] for row in range(12)]
    for row, features in enumerate(kept):
        machine, number = alone(dataset, row)
        assert torch.equal(features, machine.read(SENSOR_FEATURES)[number][:3])


@pytest.mark.parametrize("rows", [[12], [-1, 3]])
def test_windows_that_are_not_there_are_refused(
    dataset: HydraulicGraphDataset, rows: list[int]
) -> None:
    with pytest.raises(IndexError, match="there are 12"):
        dataset.gather(rows)


def batches(loader: object) -> list[TrainingBatch]:
    return list(loader)  # type: ignore[call-overload]


def test_the_loaders_serve_each_window_of_their_part_once(rig: HydraulicDataModule) -> None:
    loaders = (rig.train_dataloader(), rig.val_dataloader(), rig.test_dataloader())
    for loader, part in zip(loaders, rig.split, strict=True):
        served = batches(loader)
        windows = torch.cat([batch.window for batch in served])
        assert sorted(windows.tolist()) == part.tolist()
        assert all(len(batch.window) == 64 for batch in served[:-1])
    first = batches(rig.train_dataloader())[0].window.tolist()
    assert first != rig.split.train[:64].tolist()  # training windows are shuffled


def test_the_answers_of_a_batch_belong_to_its_windows(rig: HydraulicDataModule) -> None:
    valve = rig.machines["zema"].topology.component_index["valve"]
    batch = batches(rig.train_dataloader())[3]
    rows = rig.table.iloc[batch.window.tolist()]
    assert batch.targets["stable"][:, 0].tolist() == rows["stable"].tolist()
    values = np.array([73, 80, 90, 100])
    answers = batch.targets["valve"].reshape(len(rows), 10)[:, valve].int().numpy()
    assert values[answers].tolist() == rows["valve"].tolist()


def test_two_machines_share_one_table_and_the_training_parts_are_each_ones_own(
    zema: ZemaSource, engineer: FeatureEngineer, task: TaskSpec, tmp_path: Path
) -> None:
    source = RigParts(
        zema,
        {"first": [cycles(100, 8)], "second": [cycles(1500, 5), cycles(1600, 2)]},
        relabel={"second": lambda labels: labels.iloc[:0]},
    )
    data = HydraulicDataModule(
        source,
        WindowSpec(60.0, 60.0, 10),
        engineer,
        task,
        store=StoreConfig(tmp_path),
        split=SplitSpec("chronological", folds=3, fold=0, val_fraction=0.2),
        loader=DataLoaderConfig(batch_size=4),
    )
    data.setup("fit")
    data.setup("test")  # Lightning asks again; nothing is read twice
    assert data.table["equipment_id"].tolist() == ["first"] * 8 + ["second"] * 7
    assert pd.isna(data.table["valve"].iloc[8:]).all()
    assert len(data.dataset) == 15
    # Machines of one build share the places of their sensors.
    slots = [machine.layout.sensor_slot for machine in data.dataset.machines]
    assert torch.equal(*slots)
    parts = list(data.training_parts(FeatureNormalizer(1, 1, 1, per_step=False, clip=20.0)))
    for number, (slot, features, observed) in enumerate(parts):
        offset = 8 * number
        own = [row - offset for row in data.split.train if (row >= 8) == bool(number)]
        assert own
        assert torch.equal(slot, slots[number])
        machine = data.dataset.machines[number]
        assert torch.equal(features, machine.read(SENSOR_FEATURES)[own])
        assert torch.equal(observed, machine.read(SENSOR_OBSERVED)[own])
