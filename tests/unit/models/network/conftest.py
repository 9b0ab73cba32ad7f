"""The rig's inputs and a network on them."""

from functools import partial

import pytest
import torch
from networks import COMPONENTS, SENSORS, STEPS, WINDOWS, Make, Physics, build, double

from graph_parts import stored_windows
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.dataset import TrainingBatch
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs, SensorReference
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.graphs.layout import GraphLayout
from hydrascope.graphs.physics import MachinePhysics, edge_dynamic_names
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas import GraphTopology, HeadLevel, HeadSpec, TaskSpec, validate


@pytest.fixture(scope="module")
def heads(task: TaskSpec) -> list[HeadSpec]:
    """The task of the rig and one head more that applies to every component."""
    wear = {"name": "wear", "level": "component", "kind": "regression"}
    return [*task.heads, validate(HeadSpec, wear)]


@pytest.fixture(scope="module")
def spec(rig: HydraulicDataModule, press: GraphTopology, heads: list[HeadSpec]) -> InputSpec:
    names = [head.name for head in heads if head.level is HeadLevel.COMPONENT]
    topologies = [rig.machines["zema"].topology, press]
    return InputSpec.of(topologies, rig.input_spec.feature_names, STEPS, names)


@pytest.fixture(scope="module")
def normalizer(rig: HydraulicDataModule, spec: InputSpec) -> FeatureNormalizer:
    fitted = FeatureNormalizer(len(spec.sensor_slots), STEPS, len(spec.feature_names), True, 20.0)
    fitted.fit(rig.training_parts(fitted))
    return fitted.double()


@pytest.fixture(scope="module")
def batch(rig: HydraulicDataModule, spec: InputSpec, heads: list[HeadSpec]) -> TrainingBatch:
    """Six cycles of different conditions, some steps of some sensors unobserved; double."""
    rows = torch.tensor([5, 400, 800, 1200, 1700, 2100])
    (machine,) = rig.dataset.machines
    fields = stored_windows(machine, rows, rig.machines["zema"].topology)
    observed = fields.sensor_observed.clone()
    observed[1, 3, 4:7] = False
    observed[2, 0] = False
    layout = GraphLayout.of(rig.machines["zema"].topology, spec, heads)
    known = torch.ones(SENSORS, STEPS, dtype=torch.bool)
    reference = SensorReference(fields.sensor_features[0] * 0.9, known)
    targets = {name: target[rows].flatten(0, 1) for name, target in machine.targets.items()}
    targets["wear"] = torch.randn(
        WINDOWS * COMPONENTS, 1, generator=torch.Generator().manual_seed(0)
    )
    return TrainingBatch(
        double(layout.batch(fields._replace(sensor_observed=observed), reference)),
        {name: target.double() for name, target in targets.items()},
        rows,
    )


@pytest.fixture(scope="module")
def inputs(batch: TrainingBatch) -> GraphInputs:
    return batch.inputs


@pytest.fixture(scope="module")
def with_physics(rig: HydraulicDataModule, spec: InputSpec, batch: TrainingBatch) -> Physics:
    """The same cycles with line dynamics and features of the machine, as the rig can feed them."""
    machine, config = rig.machines["zema"], rig.engineer.config
    config = config.model_copy(update={"edge_dynamic": True, "use_hydraulic": True})
    (packed,) = rig.dataset.machines
    features, observed, *_ = stored_windows(packed, batch.window, machine.topology)
    end_s = torch.zeros(WINDOWS, dtype=torch.float64)
    fields = MachinePhysics(machine, config).window_fields(features, observed, end_s)
    names = {
        "edge_dynamic_names": edge_dynamic_names(config),
        "machine_feature_names": config.hydraulic_names,
    }
    inputs = double(
        batch.inputs._replace(
            edge_dynamic=fields.edge_dynamic.flatten(0, 1),
            edge_dynamic_mask=fields.edge_dynamic_mask.flatten(0, 1),
            machine_features=fields.machine_features,
            machine_features_mask=fields.machine_features_mask,
        )
    )
    normalizer = FeatureNormalizer(1, STEPS, 4, True, 20.0)
    own, known = fields.machine_features, fields.machine_features_mask
    normalizer.fit([(torch.zeros(1, dtype=torch.int64), own.unsqueeze(1), known.unsqueeze(1))])
    return Physics(spec.model_copy(update=names), inputs, normalizer.double())


@pytest.fixture(scope="module")
def make(spec: InputSpec, heads: list[HeadSpec], normalizer: FeatureNormalizer) -> Make:
    return partial(build, spec, heads, normalizer)


@pytest.fixture(scope="module")
def diagnoser(
    spec: InputSpec, heads: list[HeadSpec], normalizer: FeatureNormalizer
) -> TensorDiagnoser:
    return build(spec, heads, normalizer).eval()
