"""The public builder: a window of one machine becomes a graph that nothing is wrong with."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import torch
from lift import EDGES, END, lift
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from graph_parts import real_windows
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.graphs.builder import GraphBuilder, input_spec
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.graph import BATCH_ONLY, HydraulicGraph
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout, edge_tensors
from hydrascope.graphs.validate import validate_graph
from hydrascope.schemas import SpecError, TimeWindow
from hydrascope.telemetry import ZemaSource
from hydrascope.telemetry.zema import EPOCH

STEPS, SAMPLES, RATE_HZ = 4, 50, 10.0
WINDOW = WindowSpec(STEPS * SAMPLES / RATE_HZ, STEPS * SAMPLES / RATE_HZ, STEPS)
EVERYTHING = FeatureConfig(use_hydraulic=True, edge_dynamic=True)


def telemetry(seed: int = 0) -> pd.DataFrame:
    """One window of the lift, a column a sensor."""
    sensors = [sensor.id for _, sensor in lift().topology.sensors]
    times = pd.date_range(end=END, periods=STEPS * SAMPLES + 1, freq="100ms")[:-1]
    values = np.random.default_rng(seed).random((len(times), len(sensors)), dtype=np.float32)
    return pd.DataFrame(values, columns=sensors).assign(timestamp=times)


def build(config: FeatureConfig = EVERYTHING, seed: int = 0) -> tuple[HydraulicGraph, InputSpec]:
    machine = lift(commissioned="2020-01-01")
    builder = GraphBuilder(FeatureEngineer(config), WINDOW)
    graph = builder.build_graph(telemetry(seed), machine.topology, machine.equipment)
    return graph, input_spec([machine.topology], config, WINDOW, [])


@pytest.mark.parametrize("config", [EVERYTHING, FeatureConfig()], ids=["everything", "default"])
def test_a_built_graph_has_every_field_and_no_fault(config: FeatureConfig) -> None:
    graph, spec = build(config)
    assert validate_graph(graph, spec) == []
    assert set(graph.keys()) == set(GraphInputs._fields) - set(BATCH_ONLY) | {"num_nodes"}
    assert graph.num_nodes == 4
    assert graph.num_edges == len(EDGES)
    width = 6 if config.edge_dynamic else 0
    assert graph.edge_dynamic.shape == (len(EDGES), STEPS, width)
    assert graph.machine_features.shape == (1, STEPS, 4 if config.use_hydraulic else 0)
    assert graph.sensor_features.shape == (12, STEPS, 17)


def test_bidirectional_lines_are_edges_both_ways_with_the_static_features_of_the_line() -> None:
    graph, _ = build()
    topology = lift().topology
    index, features, known = edge_tensors(topology)
    assert torch.equal(graph.edge_index, index)
    assert torch.equal(graph.edge_features, features)
    assert torch.equal(graph.edge_features_mask, known)
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


def test_features_are_those_of_the_engineer_sub_window_by_sub_window() -> None:
    graph, _ = build()
    sensors = [sensor.id for _, sensor in lift().topology.sensors]
    samples = torch.from_numpy(telemetry()[sensors].to_numpy().T.copy())
    expected = FeatureEngineer(EVERYTHING)(samples.reshape(-1, STEPS, SAMPLES), RATE_HZ)
    torch.testing.assert_close(graph.sensor_features, expected)
    assert graph.sensor_observed.all()


def test_a_row_a_sample_as_a_database_gives_them_makes_the_same_graph() -> None:
    machine = lift(commissioned="2020-01-01")
    narrow = (
        telemetry().melt("timestamp", var_name="sensor_id").rename(columns={"timestamp": "time"})
    )
    shuffled = narrow.astype({"sensor_id": "category"}).sample(frac=1.0, random_state=0)
    builder = GraphBuilder(FeatureEngineer(EVERYTHING), WINDOW)
    graph = builder.build_graph(shuffled, machine.topology, machine.equipment)
    for name, value in build()[0].to_dict().items():
        assert name == "num_nodes" or torch.equal(graph[name], value), name


def test_a_sensor_that_is_silent_at_first_is_masked_there() -> None:
    machine, frame = lift(), telemetry()
    frame.loc[: 2 * SAMPLES - 1] = frame.loc[: 2 * SAMPLES - 1].assign(p_pump=np.nan)
    builder = GraphBuilder(FeatureEngineer(), WINDOW)
    graph = builder.build_graph(frame, machine.topology, machine.equipment)
    row = [sensor.id for _, sensor in machine.topology.sensors].index("p_pump")
    assert graph.sensor_observed[row].tolist() == [False, False, True, True]
    more = frame.assign(timestamp=frame["timestamp"] + pd.Timedelta(seconds=WINDOW.window_s))
    longer, later = pd.concat([frame, more]), frame["timestamp"].iloc[2 * SAMPLES]
    graph = builder.build_graph(longer, machine.topology, machine.equipment, start=later)
    assert graph.sensor_observed[row].tolist() == [True, True, False, False]


def test_the_builder_gives_what_the_dataset_is_made_of(zema: ZemaSource) -> None:
    machine = zema.machines()["zema"]
    engineer, window = FeatureEngineer(EVERYTHING), WindowSpec(60.0, 60.0, 10)
    windows = real_windows(zema, machine, window, engineer)
    start = EPOCH + timedelta(seconds=1234 * 60)
    signals = zema.read("zema", TimeWindow(start=start, end=start + timedelta(seconds=60)))
    frame = pd.DataFrame({name: signal.values for name, signal in signals.items()})
    frame["timestamp"] = pd.date_range(start, periods=60, freq="1s")
    builder = GraphBuilder(engineer, window, reading={"resample": {"rate_hz": 1}})
    graph = builder.build_graph(frame, machine.topology, machine.equipment)
    spec = input_spec([machine.topology], EVERYTHING, window, [])
    one = windows.rows(torch.tensor([1234]))
    batch = GraphLayout.of(machine.topology, spec, []).batch(one)
    for name in set(GraphInputs._fields) - set(BATCH_ONLY):
        torch.testing.assert_close(graph[name], getattr(batch, name), rtol=1e-6, atol=0)


def test_what_makes_no_window_is_refused_in_one_line() -> None:
    machine, frame = lift(), telemetry()
    builder = GraphBuilder(FeatureEngineer(), WINDOW)
    for wrong, fault in (
        (
            frame.iloc[:-1],
            r"sensor_data: no stretch .* a window of 20 s; there is: \[2026-06-30",
        ),
        (
            frame.rename(columns={"p_pump": "p"}),
            "frame: column: 'p' is no sensor of lift; accepted",
        ),
        (frame.drop(columns="timestamp"), "frame: no column timestamp"),
    ):
        with pytest.raises(SpecError, match=fault):
            builder.build_graph(wrong, machine.topology, machine.equipment)
