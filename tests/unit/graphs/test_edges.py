"""Static features of lines, against the numbers of the documentation."""

import pytest
import torch

from hydrascope.graphs.edges import EDGE_FEATURE_NAMES, edge_features, edge_tensors
from hydrascope.graphs.fields import NUM_EDGE_FEATURES
from hydrascope.schemas import EdgeSpec, GraphTopology, validate


def line(**fields: object) -> EdgeSpec:
    documented = {
        "source": "pump",
        "target": "valve",
        "kind": "pressure_line",
        "diameter_mm": 16,
        "length_m": 2.5,
        "material": "steel",
        "pressure_rating_bar": 350,
    }
    return validate(EdgeSpec, documented | fields)


def feature(name: str, edge: EdgeSpec) -> float:
    return edge_features(edge)[EDGE_FEATURE_NAMES.index(name)]


def test_the_documented_line_has_the_documented_features() -> None:
    expected = [0.32, 0.25, 0.1005, 0.03815, 0.875, 1, 0, 0]
    assert edge_features(line()) == pytest.approx(expected, abs=1e-4)
    assert len(expected) == len(EDGE_FEATURE_NAMES) == NUM_EDGE_FEATURES


def test_an_unknown_rating_stands_in_the_middle() -> None:
    assert feature("pressure_rating", line(pressure_rating_bar=None)) == 0.5


@pytest.mark.parametrize(
    ("material", "one_hot"),
    [
        ("steel", [1, 0, 0]),
        ("rubber", [0, 1, 0]),
        ("composite", [0, 0, 1]),
        ("thermoplastic", [0, 0, 1]),
    ],
)
def test_a_thermoplastic_line_counts_as_composite(material: str, one_hot: list[float]) -> None:
    assert edge_features(line(material=material))[-3:] == one_hot


def test_the_loss_of_a_very_thin_line_is_clipped_at_one() -> None:
    assert feature("pressure_loss_coefficient", line(diameter_mm=2, length_m=20)) == 1.0
    assert feature("pressure_loss_coefficient", line(diameter_mm=50, length_m=0.1)) < 1e-4


def test_a_line_counts_in_both_directions_unless_it_is_directed(press: GraphTopology) -> None:
    index, features = edge_tensors(press)
    pump, manifold, cylinder, die = range(4)
    assert index.T.tolist() == [
        [pump, manifold],  # directed: a check valve
        [manifold, cylinder],
        [cylinder, manifold],
        [cylinder, die],
        [die, cylinder],
    ]
    assert torch.equal(features[1], features[2])
    assert torch.equal(features[3], features[4])
    assert not torch.equal(features[0], features[1])


def test_a_machine_of_one_component_has_no_edges_but_the_right_shapes() -> None:
    lone = validate(GraphTopology, {"id": "lone", "components": [{"id": "tank", "kind": "tank"}]})
    index, features = edge_tensors(lone)
    assert index.shape == (2, 0)
    assert features.shape == (0, 8)
