"""The public builder: a window of one machine becomes a graph that nothing is wrong with."""

from datetime import timedelta

import pytest
import torch
from lift import EDGES, END, lift
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from graph_parts import real_windows
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.builder import GraphBuilder
from hydrascope.graphs.edges import edge_tensors
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.graph import BATCH_ONLY, HydraulicGraph
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout
from hydrascope.graphs.physics import edge_dynamic_names
from hydrascope.graphs.validate import validate_graph
from hydrascope.schemas import Machine
from hydrascope.telemetry import ZemaSource
from hydrascope.telemetry.zema import EPOCH

STEPS = 4
EVERYTHING = FeatureConfig(hydraulic=True, edge_dynamic=True)


def spec_of(machine: Machine, config: FeatureConfig, steps: int = STEPS) -> InputSpec:
    return InputSpec.of(
        [machine.topology],
        config.sensor_feature_names,
        steps,
        [],
        edge_dynamic_names=edge_dynamic_names(config),
        machine_feature_names=config.hydraulic_names,
    )


def build(config: FeatureConfig = EVERYTHING, seed: int = 0) -> tuple[HydraulicGraph, InputSpec]:
    machine = lift(commissioned="2020-01-01")
    spec = spec_of(machine, config)
    engineer = FeatureEngineer(config)
    generator = torch.Generator().manual_seed(seed)
    samples = torch.rand(len(machine.topology.sensors), STEPS, 50, generator=generator)
    builder = GraphBuilder(machine, config, spec)
    return builder.build(engineer(samples, 10.0), engineer.observed(samples), END), spec


@pytest.mark.parametrize("config", [EVERYTHING, FeatureConfig()], ids=["everything", "default"])
def test_a_built_graph_has_every_field_and_no_fault(config: FeatureConfig) -> None:
    graph, spec = build(config)
    assert validate_graph(graph, spec) == []
    assert set(graph.keys()) == set(GraphInputs._fields) - set(BATCH_ONLY) | {"num_nodes"}
    assert graph.num_nodes == 4
    assert graph.num_edges == len(EDGES)
    width = 6 if config.edge_dynamic else 0
    assert graph.edge_dynamic.shape == (len(EDGES), STEPS, width)
    assert graph.machine_features.shape == (1, STEPS, 4 if config.hydraulic else 0)
    assert graph.sensor_features.shape == (12, STEPS, 17)


def test_bidirectional_lines_are_edges_both_ways_with_the_static_features_of_the_line() -> None:
    graph, _ = build()
    topology = lift().topology
    index, features = edge_tensors(topology)
    assert torch.equal(graph.edge_index, index)
    assert torch.equal(graph.edge_features, features)
    ids = [component.id for component in topology.components]
    ends = [f"{ids[source]}>{ids[target]}" for source, target in graph.edge_index.T.tolist()]
    assert tuple(ends) == EDGES


def test_pygs_own_loader_batches_graphs_as_the_network_needs_them() -> None:
    graphs = [build(seed=seed)[0] for seed in range(3)]
    (batch,) = DataLoader(graphs, batch_size=3)
    assert validate_graph(batch) == []
    assert batch.sensor_component.max() == 3 * 4 - 1
    for number, graph in enumerate(graphs):
        again = Batch.get_example(batch, number)
        for name in set(GraphInputs._fields) - set(BATCH_ONLY):
            assert torch.equal(again[name], graph[name]), name


def test_the_builder_gives_what_the_dataset_is_made_of(zema: ZemaSource) -> None:
    machine = zema.machines()["zema"]
    engineer = FeatureEngineer(EVERYTHING)
    windows = real_windows(zema, machine, WindowSpec(60.0, 60.0, 10), engineer)
    spec = spec_of(machine, EVERYTHING, steps=10)
    row = torch.tensor([1234])
    one = windows.rows(row)
    end = EPOCH + timedelta(seconds=1235 * 60)
    graph = GraphBuilder(machine, EVERYTHING, spec).build(
        one.sensor_features[0], one.sensor_observed[0], end
    )
    batch = GraphLayout.of(machine.topology, spec, []).batch(one)
    for name in set(GraphInputs._fields) - set(BATCH_ONLY):
        torch.testing.assert_close(graph[name], getattr(batch, name), rtol=1e-6, atol=0)


def test_what_does_not_fit_the_machine_is_refused_with_both_shapes() -> None:
    machine = lift()
    builder = GraphBuilder(machine, EVERYTHING, spec_of(machine, EVERYTHING))
    features, observed = torch.zeros(12, STEPS, 17), torch.ones(12, STEPS, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"\[11, 4, 17\]; .* need \[12, steps, 17\]"):
        builder.build(features[:11], observed[:11], END)
    with pytest.raises(ValueError, match=r"observed is \[12, 3\]; it needs \[12, 4\]"):
        builder.build(features, observed[:, :3], END)
    with pytest.raises(ValueError, match="has no time zone"):
        builder.build(features, observed, END.replace(tzinfo=None))
