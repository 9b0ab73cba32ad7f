"""The graph of a machine, held against NetworkX."""

import copy
import pickle

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hydrascope.schemas import (
    ComponentSpec,
    EdgeSpec,
    EdgeType,
    GraphTopology,
    Material,
    SensorSpec,
    SpecError,
)

Pairs = list[tuple[int, int, bool]]


def line(source: int, target: int, bidirectional: bool = True) -> EdgeSpec:
    return EdgeSpec(
        source=f"c{source}",
        target=f"c{target}",
        kind=EdgeType.PRESSURE_LINE,
        diameter_mm=16,
        length_m=1,
        material=Material.STEEL,
        bidirectional=bidirectional,
    )


def topology(size: int, pairs: Pairs) -> GraphTopology:
    components = tuple(ComponentSpec(id=f"c{i}", kind="manifold") for i in range(size))
    return GraphTopology(id="random", components=components, edges=tuple(line(*p) for p in pairs))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Pairs]:
    size = draw(st.integers(1, 7))
    node = st.integers(0, size - 1)
    pairs = st.lists(st.tuples(node, node, st.booleans()), max_size=12)
    return size, [pair for pair in draw(pairs) if pair[0] != pair[1]]


def oracle(size: int, pairs: Pairs) -> nx.MultiGraph:
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from((source, target) for source, target, _ in pairs)
    return graph


@given(graphs())
def test_exactly_the_connected_graphs_are_accepted(drawn: tuple[int, Pairs]) -> None:
    islands = list(nx.connected_components(oracle(*drawn)))
    if len(islands) == 1:
        topology(*drawn)
        return
    with pytest.raises(SpecError) as error:
        topology(*drawn)
    assert len(error.value.faults) == len(islands) - 1  # one fault for each but the largest part


@given(graphs().filter(lambda drawn: nx.is_connected(oracle(*drawn))))
def test_degree_and_directed_edges_are_those_of_the_graph(drawn: tuple[int, Pairs]) -> None:
    size, pairs = drawn
    graph = topology(size, pairs)
    assert [graph.degree(f"c{i}") for i in range(size)] == [d for _, d in oracle(*drawn).degree()]

    expected = [(s, t) for s, t, _ in pairs] + [(t, s) for s, t, both in pairs if both]
    directed = [(source, target) for source, target, _ in graph.directed_edges()]
    assert sorted(directed) == sorted(expected)


def test_the_two_directions_of_a_line_stand_side_by_side() -> None:
    graph = topology(3, [(0, 1, True), (1, 2, False)])
    assert [edge[:2] for edge in graph.directed_edges()] == [(0, 1), (1, 0), (1, 2)]
    assert graph.directed_edges()[1][2] is graph.edges[0]


@pytest.mark.parametrize(("size", "pairs"), [(1, []), (3, [(0, 1, True), (2, 1, False)])])
def test_the_graph_of_pytorch_geometric_has_the_same_edges(size: int, pairs: Pairs) -> None:
    graph = topology(size, pairs)
    data = graph.to_pyg()
    directed = [[source, target] for source, target, _ in graph.directed_edges()]
    assert data.edge_index.shape == (2, len(directed))
    assert data.edge_index.t().tolist() == directed
    assert data.num_nodes == size
    assert data.component_ids == list(graph.component_index)
    assert data.component_kinds == ["manifold"] * size
    assert data.validate()


def test_sensors_come_in_the_order_of_the_file_with_their_component() -> None:
    specs = [SensorSpec(id=f"s{i}", kind="pressure", unit="bar", rate_hz=1) for i in range(3)]
    components = (
        ComponentSpec(id="c0", kind="pump", sensors=(specs[2], specs[0])),
        ComponentSpec(id="c1", kind="tank"),
        ComponentSpec(id="c2", kind="filter", sensors=(specs[1],)),
    )
    graph = GraphTopology(id="g", components=components, edges=(line(0, 1), line(1, 2)))
    assert graph.sensors == ((0, specs[2]), (0, specs[0]), (2, specs[1]))


def test_the_degree_of_an_unknown_component_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no component 'c9' in topology 'random'; has: c0, c1"):
        topology(2, [(0, 1, True)]).degree("c9")


def test_a_topology_cannot_be_changed() -> None:
    graph = topology(1, [])
    with pytest.raises(ValidationError, match="frozen"):
        graph.id = "other"
    with pytest.raises(TypeError):
        graph.component_index["c1"] = 1  # type: ignore[index]


def test_a_topology_that_was_read_can_be_copied_and_sent_to_another_process() -> None:
    graph = topology(3, [(0, 1, True), (1, 2, False)])
    assert graph.component_index["c2"] == 2
    assert graph.degree("c1") == 2
    assert len(graph.sensors) == 0
    for other in (copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        assert other == graph
        assert other.component_index == graph.component_index
