"""Which diagnosers read machines of builds that training has not shown, and that they do."""

from typing import Any

import pytest
import torch
from networks import shipped

from graph_parts import stored_windows
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs, SensorReference
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout
from hydrascope.models.any_build import for_any_build
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.fitness.screening import Fitness
from hydrascope.models.recipe import (
    DiagnoserRecipe,
    ModelRecipe,
    NormaliserRecipe,
    Parts,
    build_diagnoser,
    load_diagnoser,
    tensors_of,
)
from hydrascope.schemas import HeadSpec, SpecError, TaskSpec

NETWORK = "hydrascope.models.network.UniversalTemporalGNN"


def recipe_of(
    spec: InputSpec, heads: list[HeadSpec], *, by: str = "kind", method: str = "none", **keys: Any
) -> DiagnoserRecipe:
    """The recipe of a network for unknown builds, but for `keys`."""
    normaliser = {"method": method, "per_step": False, "clip": 5.0, "by": by}
    return DiagnoserRecipe(
        model=ModelRecipe(target=NETWORK, config={**shipped("role_rows"), **keys}),
        normaliser=NormaliserRecipe.model_validate(normaliser),
        input_spec=spec,
        task=TaskSpec(name="any", heads=tuple(heads)),
    )


def diagnoser_of(spec: InputSpec, heads: list[HeadSpec], **keys: Any) -> TensorDiagnoser:
    """A network for unknown builds, but for `keys`."""
    diagnoser = build_diagnoser(recipe_of(spec, heads, **keys)).eval()
    for parameter in diagnoser.parameters():
        torch.nn.init.normal_(parameter, std=0.1)  # some begin at 0, and would say nothing
    return diagnoser


def windows(rig: HydraulicDataModule, layout: GraphLayout) -> GraphInputs:
    (machine,) = rig.dataset.machines
    topology = rig.machines["zema"].topology
    sound, window = (stored_windows(machine, torch.tensor([row]), topology) for row in (2000, 5))
    reference = SensorReference(sound.sensor_features[0], sound.sensor_observed[0])
    return layout.batch(window, reference)


@pytest.mark.parametrize(
    "keys",
    [
        {"by": "sensor"},
        {"method": "standardize"},
        {"row_channels": 0},
        {"references": "none"},
        {"token_layers": 1, "spatial_layers": 1, "states": "lstm", "use_ar": True},
    ],
)
def test_without_weights_and_statistics_of_single_sensors_a_build_without_slots_is_answered_alike(
    keys: dict[str, Any], rig: HydraulicDataModule, spec: InputSpec, heads: list[HeadSpec]
) -> None:
    diagnoser = diagnoser_of(spec, heads, **keys)
    assert diagnoser.of_any_build
    if diagnoser.normalizer.method != "none":
        diagnoser.normalizer.fit(rig.training_parts(diagnoser.normalizer))
        assert (diagnoser.normalizer.scale != 1).any()
    known = rig.machines["zema"].topology
    new = known.model_copy(update={"id": "new"})
    expected = diagnoser.predict(windows(rig, GraphLayout.of(known, spec, heads)))
    layout = GraphLayout.of(new, spec, heads, any_build=diagnoser.of_any_build)
    found = diagnoser.predict(windows(rig, layout))
    assert {name: value.shape for name, value in found.items()} == {
        name: value.shape for name, value in expected.items()
    }
    for name, value in found.items():
        assert torch.equal(value, expected[name])


@pytest.mark.parametrize(
    "keys",
    [
        {"method": "standardize", "by": "sensor"},
        {"sensor_identity": True},
        {"row_by": "build"},
        {"row_own": True},
    ],
)
def test_with_weights_or_statistics_of_single_sensors_an_unknown_build_is_refused(
    keys: dict[str, Any], rig: HydraulicDataModule, spec: InputSpec, heads: list[HeadSpec]
) -> None:
    diagnoser = diagnoser_of(spec, heads, **keys)
    assert not diagnoser.of_any_build
    new = rig.machines["zema"].topology.model_copy(update={"id": "new"})
    with pytest.raises(SpecError, match="of build 'new' is unknown to this model"):
        GraphLayout.of(new, spec, heads, any_build=diagnoser.of_any_build)


@pytest.mark.parametrize("method", ["none", "standardize"])
def test_a_diagnoser_without_its_builds_answers_other_builds_as_the_whole_one(
    method: str, rig: HydraulicDataModule, spec: InputSpec, heads: list[HeadSpec]
) -> None:
    diagnoser = diagnoser_of(spec, heads, method=method)
    if method != "none":
        diagnoser.normalizer.fit(rig.training_parts(diagnoser.normalizer))
    diagnoser.fitness = Fitness(spec, heads)
    reliability = diagnoser.fitness.reliability
    for number, values in enumerate((reliability.reliance, reliability.weights)):
        values.copy_(torch.rand(values.shape, generator=torch.Generator().manual_seed(number)))
    whole = Parts(recipe_of(spec, heads, method=method), tensors_of(diagnoser))
    parts = for_any_build(whole)
    assert not parts.recipe.input_spec.builds
    sizes = [sum(each.numel() for each in found.tensors.values()) for found in (parts, whole)]
    assert sizes[0] < sizes[1]
    new = rig.machines["zema"].topology.model_copy(update={"id": "new"})
    layouts = [
        GraphLayout.of(new, each, heads, any_build=True) for each in (spec, parts.recipe.input_spec)
    ]
    expected = diagnoser.predict(windows(rig, layouts[0]))
    found = load_diagnoser(*parts).predict(windows(rig, layouts[1]))
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert torch.equal(value.nan_to_num(-1.0), expected[name].nan_to_num(-1.0)), name


def test_a_diagnoser_that_needs_its_builds_keeps_them(
    spec: InputSpec, heads: list[HeadSpec]
) -> None:
    keys = {"row_by": "build"}
    whole = Parts(recipe_of(spec, heads, **keys), tensors_of(diagnoser_of(spec, heads, **keys)))
    with pytest.raises(SpecError, match=r"any_build: true is not accepted: .*experiment=pretrain"):
        for_any_build(whole)


def test_sensors_of_a_kind_share_statistics(
    rig: HydraulicDataModule, spec: InputSpec, heads: list[HeadSpec]
) -> None:
    normalizer = diagnoser_of(spec, heads, method="standardize").normalizer
    assert normalizer.center.shape == (len(spec.sensor_kinds), 1, len(spec.feature_names))
    normalizer.fit(rig.training_parts(normalizer))
    (machine,) = rig.dataset.machines
    kind = machine.layout.sensor_kind
    alike = torch.nonzero(kind == kind[0]).flatten()
    total = count = 0.0
    by_sensor = FeatureNormalizer(1, 1, 1, per_step=False, clip=20.0)
    for row, features, observed in rig.training_parts(by_sensor):
        assert torch.equal(row, machine.layout.sensor_slot)
        own = features[:, alike, :, 0].double()[observed[:, alike]]
        total, count = total + float(own.sum()), count + len(own)
    torch.testing.assert_close(
        float(normalizer.center[kind[0], 0, 0]), total / count, rtol=1e-6, atol=0
    )
