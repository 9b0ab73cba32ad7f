"""What a network reads of lines without sizes."""

import pytest
from networks import answers, build, difference

from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import NUM_EDGE_FEATURES, GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.schemas import GraphTopology, HeadSpec, validate

COMPONENTS = [{"id": name, "kind": "pump"} for name in ("fan", "core")]


def build_of(line: dict[str, object]) -> InputSpec:
    edge = {"source": "fan", "target": "core", **line}
    content = {"id": "engine", "components": COMPONENTS, "edges": [edge]}
    return InputSpec.of([validate(GraphTopology, content)], ["mean"], 3, [])


def test_only_a_vocabulary_with_unsized_lines_masks_them() -> None:
    sized = {"kind": "link", "diameter_mm": 9, "length_m": 1, "material": "steel"}
    assert build_of({"kind": "link"}).masks_lines
    assert build_of({**sized}).masks_lines  # its rating is not known
    assert not build_of({**sized, "pressure_rating_bar": 9}).masks_lines
    assert not build_of({**sized, "kind": "return_line"}).masks_lines


@pytest.mark.parametrize("masks_lines", [False, True])
def test_the_mask_reaches_the_answers_of_a_network_that_was_made_for_it(
    spec: InputSpec,
    heads: list[HeadSpec],
    normalizer: FeatureNormalizer,
    inputs: GraphInputs,
    masks_lines: bool,
) -> None:
    vocabulary = spec.model_copy(update={"masks_lines": masks_lines})
    diagnoser = build(vocabulary, heads, normalizer).eval()
    masked = inputs.edge_features_mask.clone()
    masked[0] = False
    sized = answers(diagnoser, inputs)
    unsized = answers(diagnoser, inputs._replace(edge_features_mask=masked))
    zeros = answers(diagnoser, inputs._replace(edge_features=inputs.edge_features * masked))
    assert difference(sized, unsized) > 1e-9
    assert (difference(zeros, unsized) > 1e-9) == masks_lines
    anything = inputs.edge_features.masked_fill(~masked, float("nan"))
    spoilt = inputs._replace(edge_features=anything, edge_features_mask=masked)
    assert difference(unsized, answers(diagnoser, spoilt)) == 0


def test_a_network_for_sized_lines_has_no_weight_more(
    spec: InputSpec, heads: list[HeadSpec], normalizer: FeatureNormalizer
) -> None:
    def edge_channels(masks_lines: bool) -> set[int]:
        vocabulary = spec.model_copy(update={"masks_lines": masks_lines})
        named = build(vocabulary, heads, normalizer).model.named_parameters()
        return {weights.shape[1] for name, weights in named if "edge_message.weight" in name}

    assert edge_channels(masks_lines=False) == {NUM_EDGE_FEATURES}
    assert edge_channels(masks_lines=True) == {2 * NUM_EDGE_FEATURES}
