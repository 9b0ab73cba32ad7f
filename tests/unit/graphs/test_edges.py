"""Static features of lines, against the numbers of the documentation."""

import pytest
import torch

from hydrascope.graphs.edges import EDGE_FEATURE_NAMES, edge_features, edge_known
from hydrascope.graphs.fields import NUM_EDGE_FEATURES
from hydrascope.graphs.layout import edge_tensors
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


@pytest.mark.parametrize(("diameter_mm", "length_m"), [(1600, 40), (9000, 5e5), (101, 21)])
def test_a_duct_or_a_pipeline_does_not_outweigh_other_lines(
    diameter_mm: float, length_m: float
) -> None:
    features = edge_features(
        line(diameter_mm=diameter_mm, length_m=length_m, pressure_rating_bar=5000)
    )
    assert all(0 <= each <= 4 for each in features)
    larger = edge_features(line(diameter_mm=1.1 * diameter_mm, length_m=1.1 * length_m))
    assert all(more > less for less, more in zip(features[:3], larger[:3], strict=True))


def test_the_bound_continues_the_proportional_part_smoothly() -> None:
    below, at, above = (feature("length", line(length_m=each)) for each in (19.99, 20.0, 20.01))
    assert at == 2.0
    assert above - at == pytest.approx(at - below, rel=1e-2)


def link(**fields: object) -> EdgeSpec:
    return validate(EdgeSpec, {"source": "a", "target": "b", "kind": "link", **fields})


def test_a_link_masks_what_it_omits_and_nothing_is_invented() -> None:
    assert edge_features(link()) == [0.0] * 8
    assert edge_known(link()) == [False] * 8
    wide = link(diameter_mm=50)
    assert edge_features(wide) == pytest.approx([1.0, 0, 0.98175, 0, 0, 0, 0, 0], abs=1e-5)
    assert edge_known(wide) == [True, False, True, False, False, False, False, False]
    assert all(edge_known(line(pressure_rating_bar=None)))


def test_a_line_of_unknown_size_masks_it_and_keeps_its_usual_rating() -> None:
    drain = validate(EdgeSpec, {"source": "a", "target": "b", "kind": "drain_line", "length_m": 5})
    assert edge_features(drain) == [0, 0.5, 0, 0, 0.5, 0, 0, 0]
    assert edge_known(drain) == [False, True, False, False, True, False, False, False]


def test_a_line_counts_in_both_directions_unless_it_is_directed(press: GraphTopology) -> None:
    index, features, known = edge_tensors(press)
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
    assert known.all()


def test_a_machine_of_one_component_has_no_edges_but_the_right_shapes() -> None:
    lone = validate(GraphTopology, {"id": "lone", "components": [{"id": "tank", "kind": "tank"}]})
    index, features, known = edge_tensors(lone)
    assert index.shape == (2, 0)
    assert features.shape == known.shape == (0, 8)
