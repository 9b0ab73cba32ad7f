"""Every fault of a graph is told in words, and a good graph has none."""

from collections.abc import Callable

import pytest
import torch
from test_builder import build
from torch import Tensor
from torch_geometric.data import Batch, Data

from hydrascope.graphs.validate import validate_graph

Spoil = Callable[[Data], None]


def put(name: str, *place: int, value: float) -> Spoil:
    """Replace one number of a field."""

    def spoil(graph: Data) -> None:
        graph[name] = graph[name].clone()
        graph[name][place] = value

    return spoil


def replace(name: str, change: Callable[[Tensor], Tensor]) -> Spoil:
    def spoil(graph: Data) -> None:
        graph[name] = change(graph[name])

    return spoil


def known_and_infinite(graph: Data) -> None:
    graph.edge_dynamic = graph.edge_dynamic.clone()
    place = tuple(graph.edge_dynamic_mask.nonzero()[0].tolist())
    graph.edge_dynamic[place] = float("inf")


def without_lines_of_the_motor(graph: Data) -> None:
    kept = (graph.edge_index != 2).all(0)
    graph.edge_index = graph.edge_index[:, kept]
    for name in ("edge_features", "edge_features_mask", "edge_dynamic", "edge_dynamic_mask"):
        graph[name] = graph[name][kept]


def drop(name: str) -> Spoil:
    def spoil(graph: Data) -> None:
        del graph[name]

    return spoil


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (put("edge_index", 0, 0, value=4), "edge_index holds 4; accepted: 0 … 3"),
        (put("edge_index", 1, 2, value=-1), "edge_index holds -1; accepted: 0 … 3"),
        (put("sensor_component", 3, value=9), "sensor_component holds 9; accepted: 0 … 3"),
        (put("sensor_slot", 0, value=13), "sensor_slot holds 13; accepted: 0 … 12"),
        (put("component_kind", 0, value=-2), "component_kind holds -2; accepted: 0 … 18"),
        (
            put("sensor_features", 2, 1, 5, value=float("nan")),
            "sensor_features is nan at [2, 1, 5] where the mask says that it is known",
        ),
        (
            put("edge_features", 1, 0, value=float("inf")),
            "edge_features is inf at [1, 0] where the mask says that it is known",
        ),
        (
            known_and_infinite,
            "edge_dynamic is inf at [0, 0, 3] where the mask says that it is known",
        ),
        (
            replace("edge_features", lambda x: x[:, :7]),
            "edge_features has 7 edge features; expected 8 (static edge features)",
        ),
        (
            replace("sensor_observed", lambda x: x[:, :3]),
            "sensor_observed has 3 steps; expected 4 (steps of the network's input spec)",
        ),
        (
            replace("sensor_slot", lambda x: x[:-1]),
            "sensor_slot has 11 sensors; expected 12 (sensor_features)",
        ),
        (
            replace("edge_dynamic_mask", lambda x: x[:-1]),
            "edge_dynamic_mask has 6 edges; expected 7 (edge_index)",
        ),
        (
            replace("sensor_observed", lambda x: x.float()),
            "sensor_observed holds torch.float32; expected torch.bool",
        ),
        (
            replace("edge_index", lambda x: x.int()),
            "edge_index holds torch.int32; expected torch.int64",
        ),
        (
            replace("edge_dynamic", lambda x: x.long()),
            "edge_dynamic holds torch.int64; expected floating point numbers",
        ),
        (
            replace("sensor_features", lambda x: x[:, 0]),
            "sensor_features is [12, 17]; expected [sensors, steps, features]",
        ),
        (drop("machine_features"), "machine_features is missing"),
        (put("edge_index", 0, 0, value=1), "an edge joins a component to itself"),
        (
            without_lines_of_the_motor,
            "isolated component(s), no edge joins them to the rest: 2",
        ),
    ],
)
def test_a_fault_is_named(spoil: Spoil, expected: str) -> None:
    graph, spec = build()
    assert validate_graph(graph, spec) == []
    spoil(graph)
    assert expected in validate_graph(graph, spec)


def test_several_faults_are_all_named() -> None:
    graph, spec = build()
    put("edge_index", 0, 0, value=99)(graph)
    put("edge_features", 0, 0, value=float("nan"))(graph)
    assert len(validate_graph(graph, spec)) == 2


def test_what_stands_where_the_mask_says_unknown_may_be_anything() -> None:
    graph, spec = build()
    graph.sensor_observed = torch.zeros_like(graph.sensor_observed)
    graph.sensor_features = torch.full_like(graph.sensor_features, float("nan"))
    assert validate_graph(graph, spec) == []


def test_faults_of_a_batch_are_named_too() -> None:
    batch = Batch.from_data_list([build(seed=seed)[0] for seed in range(2)])
    assert validate_graph(batch) == []
    crossing = batch.clone()
    crossing.edge_index[1, 0] = 5
    assert validate_graph(crossing) == ["an edge joins components of two graphs"]
    unsorted = batch.clone()
    unsorted.batch = unsorted.batch.flip(0)
    assert "batch is not ascending; the components of a graph stand together" in validate_graph(
        unsorted
    )


def test_another_networks_graph_is_refused() -> None:
    graph, spec = build()
    fewer = spec.model_copy(update={"edge_dynamic_names": (), "feature_names": ("mean",)})
    faults = validate_graph(graph, fewer)
    assert any("sensor_features has 17 features; expected 1" in fault for fault in faults)
    assert any("edge_dynamic has 6 dynamic features; expected 0" in fault for fault in faults)
