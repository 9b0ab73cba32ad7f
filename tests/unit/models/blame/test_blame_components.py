"""The blame of batches: it is that of each machine alone, and says when it cannot tell."""

from typing import NamedTuple

import pytest
import torch
from blame_loops import blame, loop
from torch import Tensor

from hydrascope.graphs.fields import GraphInputs, WindowFields
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout, concatenate
from hydrascope.models.blame.components import Blame, can_blame
from hydrascope.models.blame.evidence import HealthyEvidence, raw_evidence
from hydrascope.models.blame.network import packaged_weights
from hydrascope.schemas import GraphTopology

LOOP = loop()
SMALL = GraphTopology(
    id="small",
    components=tuple(each for each in LOOP.components if each.id != "accumulator"),
    edges=tuple(each for each in LOOP.edges if "accumulator" not in (each.source, each.target)),
)
SPEC = InputSpec.of([SMALL, LOOP], ["std", "mean"], 3, [])
ONE_STEP = InputSpec.of([SMALL, LOOP], ["std", "mean"], 1, [])


class Windows(NamedTuple):
    """Windows of one machine, and the parts of its sensors' scores."""

    inputs: GraphInputs
    parts: Tensor


def windows(topology: GraphTopology, count: int, seed: int, spec: InputSpec = SPEC) -> Windows:
    random = torch.Generator().manual_seed(seed)
    sensors = len(topology.sensors)
    fields = WindowFields(
        torch.randn(count, sensors, spec.steps, 2, generator=random),
        torch.rand(count, sensors, spec.steps, generator=random) < 0.9,
        *(torch.zeros(count, 2 * len(topology.edges), spec.steps, 0) for _ in range(2)),
        *(torch.zeros(count, spec.steps, 0) for _ in range(2)),
    )
    inputs = GraphLayout.of(topology, spec, []).batch(fields)
    steps = inputs.sensor_observed.sum(1, keepdim=True).float()
    shares = torch.rand(count * sensors, 2, generator=random)
    return Windows(inputs, torch.cat([shares * steps, steps], dim=1))


def fitted(spec: InputSpec = SPEC) -> Blame:
    found = Blame(spec)
    found.adopt({"loop": LOOP, "small": SMALL})
    found.networks.load_state_dict(packaged_weights())
    for number, topology in enumerate((LOOP, SMALL)):
        inputs, parts = windows(topology, 40, number, spec)
        found.measure(found.raw(inputs, parts), inputs.sensor_slot)
    return found.eval()


def asked(found: Blame, inputs: GraphInputs, parts: Tensor) -> Tensor:
    raw = found.raw(inputs, parts)
    return found(inputs, raw, inputs.sensor_slot, inputs.sensor_slot)[:, 0]


def test_each_machine_of_a_batch_gets_the_answer_that_it_gets_alone() -> None:
    found = fitted()
    both = [windows(SMALL, 2, seed=5), windows(LOOP, 3, seed=6)]
    answer = asked(
        found, concatenate([each.inputs for each in both]), torch.cat([each.parts for each in both])
    )
    alone = []
    for topology, number, (inputs, parts) in zip((SMALL, LOOP), (1, 0), both, strict=True):
        columns = inputs.sensor_features[..., 1], inputs.sensor_features[..., 0]
        raw = raw_evidence(parts, *columns, inputs.sensor_observed)
        healthy_inputs, healthy_parts = windows(topology, 40, seed=number)
        columns = healthy_inputs.sensor_features[..., 1], healthy_inputs.sensor_features[..., 0]
        healthy = raw_evidence(healthy_parts, *columns, healthy_inputs.sensor_observed)
        by_window = (len(topology.sensors), 4)
        scale = HealthyEvidence.of(healthy.reshape(-1, *by_window))
        evidence = scale.compare(raw.reshape(-1, *by_window))
        alone.append(blame(list(found.networks), topology, *evidence).flatten())  # type: ignore[arg-type]
    torch.testing.assert_close(answer, torch.cat(alone), atol=1e-5, rtol=1e-4)
    assert float(answer.sum()) == pytest.approx(5.0, abs=1e-5)


def test_a_machine_is_not_blamed_in_windows_without_an_observation() -> None:
    inputs, parts = windows(LOOP, 2, seed=3)
    observed = inputs.sensor_observed.clone()
    observed[: len(LOOP.sensors)] = False
    answer = asked(fitted(), inputs._replace(sensor_observed=observed), parts)
    assert bool(answer[: len(LOOP.components)].isnan().all())
    assert bool(answer[len(LOOP.components) :].isfinite().all())


def test_a_machine_with_other_components_than_its_build_has_no_answer() -> None:
    more = loop(declared="turbine")
    other = GraphTopology(id="loop", component_kinds=("turbine",), components=more.components,
                          edges=more.edges)  # fmt: skip
    spec = InputSpec.of([other], ["std", "mean"], 3, [])
    found = Blame(spec)
    found.adopt({"loop": other})
    found.networks.load_state_dict(packaged_weights())
    inputs, parts = windows(LOOP, 30, 2, spec)
    found.measure(found.raw(inputs, parts), inputs.sensor_slot)
    assert bool(asked(found, inputs, parts).isnan().all())


def test_of_a_single_step_the_level_stands_for_the_change_which_is_none() -> None:
    for spec, differs in ((ONE_STEP, False), (SPEC, True)):
        inputs, parts = windows(LOOP, 3, 4, spec)
        found, still = fitted(spec), parts * torch.tensor([0.0, 1.0, 1.0])
        same = torch.allclose(asked(found, inputs, still), asked(found, inputs, parts))
        assert same is not differs


def test_features_without_mean_or_deviation_cannot_blame() -> None:
    assert can_blame(SPEC)
    assert not can_blame(SPEC.model_copy(update={"feature_names": ("mean", "max")}))
