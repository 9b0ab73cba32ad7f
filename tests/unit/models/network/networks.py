"""What the tests of the whole network share: settings, small networks, other inputs."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.data.dataset import TrainingBatch
from hydrascope.features.normalizer import FeatureNormalizer
from hydrascope.graphs.fields import GraphInputs
from hydrascope.graphs.input_spec import InputSpec
from hydrascope.models.base import ModelOutput
from hydrascope.models.config import NetworkConfig
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.network import UniversalTemporalGNN
from hydrascope.schemas import HeadSpec, validate
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.tasks.losses import forecast_loss, means, task_losses

ROOT = Path(__file__).parents[4]


class Physics(NamedTuple):
    spec: InputSpec
    inputs: GraphInputs
    machine_normalizer: FeatureNormalizer


NETWORKS = ("arma", "gatv2_arma", "gatv2_arma_cycle", "gatv2_lstm", "gatv2_spectral", "mlp")


def shipped(name: str) -> dict[str, object]:
    """The keys of a file of conf/model over those of the default it builds on."""
    keys = load_yaml(ROOT / "conf" / "model" / f"{name}.yaml")
    assert isinstance(keys, dict)
    base = shipped("gatv2_arma") if "defaults" in keys else {}
    own = {key: value for key, value in keys.items() if key not in ("defaults", "_target_", "name")}
    return base | own | {"hidden_channels": 16, "dropout": 0.0}


CONFIGS: dict[str, dict[str, object]] = {
    **{name: shipped(name) for name in NETWORKS},
    "arma linear": {"arma": "linear"},
    "arma softmax": {"arma": "softmax"},
    "no identity": {"sensor_identity": False},
    "no graph": {"spatial_layers": 0},
    "no edge features": {"edge_features": False},
    "no MA": {"use_ma": False},
    "no AR": {"use_ar": False},
    "no LSTM": {"states": "linear"},
    "space then time": {"order": "space_then_time"},
    "interleaved": {"order": "interleaved"},
    "attention pooling": {"machine_pooling": "attention"},
    "task MLP": {"cross_task": "mlp"},
    "no cross-task": {"cross_task": "none"},
    "no token attention": {"token_layers": 0},
    "weights of each step": {"step_identity": True},
    "row": {"row_channels": 24},
    "row of each step": {
        "row_channels": 24,
        "step_identity": True,
        "row_features": ("mean", "std"),
    },
    "references": {"references": "beside"},
    "references alone": {"references": "alone"},
}
"""Every shipped model, small, and every switch of the ablations."""

WINDOWS = 6
COMPONENTS, SENSORS, STEPS = 10, 17, 10

CAUSAL = {
    name: config | {"step_identity": False}
    for name, config in CONFIGS.items()
    if config.get("states", "lstm") in ("lstm", "linear")
}
"""States of the whole window are not causal, and have no number of steps but their own; nor has
what gives each step weights of its own."""


def double(inputs: GraphInputs) -> GraphInputs:
    return GraphInputs(*(f.double() if f.is_floating_point() else f for f in inputs))


def build(
    spec: InputSpec,
    heads: list[HeadSpec],
    normalizer: FeatureNormalizer,
    machine_normalizer: FeatureNormalizer | None = None,
    **config: object,
) -> TensorDiagnoser:
    """Fresh weights; double precision, so that small effects and no effect can be told apart."""
    torch.manual_seed(0)
    settings = {"hidden_channels": 16, "attention_heads": 4, "dropout": 0.0} | config
    network = UniversalTemporalGNN(validate(NetworkConfig, settings), spec, heads)
    if network.rows is not None:  # it begins as nothing, and would hide what does nothing at all
        torch.nn.init.normal_(network.rows.answers.out.weight, std=0.1)
    return TensorDiagnoser(normalizer, network.double(), machine_normalizer)


Make = Callable[..., TensorDiagnoser]
"""`build` for the rig; takes the settings of the network."""


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max(float((one[name] - other[name]).detach().abs().max()) for name in one)


def answers(diagnoser: TensorDiagnoser, inputs: GraphInputs) -> dict[str, Tensor]:
    with torch.no_grad():
        return diagnoser.raw(inputs).heads


def training_loss(diagnoser: TensorDiagnoser, output: ModelOutput, batch: TrainingBatch) -> Tensor:
    losses = task_losses(diagnoser.heads, output.heads, batch.targets, 0.0, {})
    if output.arma is not None:
        losses["forecast"] = forecast_loss(output.arma)
    return means(list(losses.values()))[0].sum()


def with_lines(inputs: GraphInputs, chosen: slice | Tensor) -> GraphInputs:
    return inputs._replace(
        edge_index=inputs.edge_index[:, chosen],
        edge_features=inputs.edge_features[chosen],
        edge_features_mask=inputs.edge_features_mask[chosen],
        edge_dynamic=inputs.edge_dynamic[chosen],
        edge_dynamic_mask=inputs.edge_dynamic_mask[chosen],
    )


def permuted(inputs: GraphInputs, order: Tensor, sensors: Tensor) -> GraphInputs:
    """Renumber components so that new row k is old row order[k]; sensors likewise; lines anyhow."""
    rank = order.argsort()
    inputs = with_lines(inputs, torch.randperm(inputs.edge_index.shape[1]))
    return inputs._replace(
        sensor_features=inputs.sensor_features[sensors],
        sensor_observed=inputs.sensor_observed[sensors],
        sensor_reference=inputs.sensor_reference[sensors],
        sensor_reference_mask=inputs.sensor_reference_mask[sensors],
        sensor_slot=inputs.sensor_slot[sensors],
        sensor_kind=inputs.sensor_kind[sensors],
        sensor_component=rank[inputs.sensor_component[sensors]],
        sensor_place=inputs.sensor_place[sensors],
        component_place=inputs.component_place[order],
        component_kind=inputs.component_kind[order],
        component_graph=inputs.component_graph[order],
        component_heads=inputs.component_heads[order],
        component_nominal=inputs.component_nominal[order],
        component_nominal_mask=inputs.component_nominal_mask[order],
        edge_index=rank[inputs.edge_index],
    )


def any_order() -> Tensor:
    """Components of all windows in another order, each window's among themselves."""
    return torch.cat([graph * COMPONENTS + torch.randperm(COMPONENTS) for graph in range(WINDOWS)])


def with_a_masked_sensor_more(inputs: GraphInputs, component: int, slot: int) -> GraphInputs:
    """One that is like the last, but reads something else, which nobody may see."""
    return inputs._replace(
        sensor_features=torch.cat((inputs.sensor_features, inputs.sensor_features[-1:] + 9)),
        sensor_observed=torch.cat((inputs.sensor_observed, torch.zeros(1, STEPS).bool())),
        sensor_reference=torch.cat((inputs.sensor_reference, inputs.sensor_reference[-1:] + 9)),
        sensor_reference_mask=torch.cat(
            (inputs.sensor_reference_mask, inputs.sensor_reference_mask[-1:])
        ),
        sensor_slot=torch.cat((inputs.sensor_slot, torch.tensor([slot]))),
        sensor_place=torch.cat((inputs.sensor_place, inputs.sensor_place.max().view(1) + 1)),
        place_id=torch.arange(len(inputs.place_id) + 1),
        sensor_kind=torch.cat((inputs.sensor_kind, inputs.sensor_kind[-1:])),
        sensor_component=torch.cat((inputs.sensor_component, torch.tensor([component]))),
    )
