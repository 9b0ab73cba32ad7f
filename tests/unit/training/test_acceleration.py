"""Float8, checkpointing and compilation: the same network, its weights' names and its answers."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.config import NetworkConfig
from hydrascope.models.network import UniversalTemporalGNN
from hydrascope.schemas.errors import SpecError
from hydrascope.training.acceleration import Acceleration, accelerate

STEPS = 3  # each is traced by the compiler


def network(rig: HydraulicDataModule, **config: object) -> UniversalTemporalGNN:
    torch.manual_seed(0)
    keys = {"hidden_channels": 16, "dropout": 0.0, "input_noise": 0.0} | config
    spec = rig.input_spec.model_copy(update={"steps": STEPS})
    return UniversalTemporalGNN(NetworkConfig(**keys), spec, rig.task.heads)


def batch(rig: HydraulicDataModule, windows: int, first: int = 0) -> GraphInputs:
    inputs = rig.dataset.gather(range(first, first + windows)).inputs
    features = inputs.sensor_features[:, :STEPS]
    return inputs._replace(
        sensor_features=(features - features.mean()) / features.std(),
        sensor_observed=inputs.sensor_observed[:, :STEPS],
    )


def gradients(module: nn.Module, inputs: GraphInputs) -> dict[str, Tensor]:
    module.zero_grad()
    sum(output.square().sum() for output in module(inputs).heads.values()).backward()
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


class Programs:
    """A backend that counts what torch.compile hands it."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, graph: torch.fx.GraphModule, _: list[Tensor]) -> Any:
        self.count += 1
        return graph.forward


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_shapes_of_batches_take_at_most_four_programs_more_than_the_first(
    rig: HydraulicDataModule,
) -> None:
    # A second spatial layer is traced as the first is.
    plain, compiled = network(rig, spatial_layers=1), network(rig, spatial_layers=1)
    programs = Programs()
    accelerate(compiled, Acceleration(compile=True), programs)
    torch._dynamo.reset()
    for windows in [*range(3, 52), 1]:
        inputs = batch(rig, windows)
        # Other machines in the batch: components, sensors and lines vary apart from each other.
        inputs = inputs._replace(
            edge_index=inputs.edge_index[:, windows % 3 :],
            edge_features=inputs.edge_features[windows % 3 :],
            edge_features_mask=inputs.edge_features_mask[windows % 3 :],
            edge_dynamic=inputs.edge_dynamic[windows % 3 :],
            edge_dynamic_mask=inputs.edge_dynamic_mask[windows % 3 :],
        )
        found = gradients(compiled, inputs)
    assert 1 <= programs.count <= 5
    torch.testing.assert_close(found, gradients(plain, inputs), rtol=1e-4, atol=1e-5)
    assert compiled.state_dict().keys() == plain.state_dict().keys()


def test_checkpointing_changes_neither_answers_nor_gradients_with_dropout(
    rig: HydraulicDataModule,
) -> None:
    plain, lean = network(rig, dropout=0.3), network(rig, dropout=0.3)
    accelerate(lean, Acceleration(checkpointing=True))
    inputs = batch(rig, 4)
    torch.manual_seed(1)
    expected = gradients(plain, inputs)
    torch.manual_seed(1)
    torch.testing.assert_close(gradients(lean, inputs), expected)
    assert lean.state_dict().keys() == plain.state_dict().keys()


def test_checkpointing_keeps_less_for_the_backward_pass(rig: HydraulicDataModule) -> None:
    def kept_mb(module: nn.Module) -> float:
        sizes: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            module(batch(rig, 8))
        return sum(sizes.values()) / 1e6

    plain, lean = network(rig), network(rig)
    accelerate(lean, Acceleration(checkpointing=True))
    assert kept_mb(lean) < 0.5 * kept_mb(plain)


def test_emulated_float8_rounds_what_divides_by_16_and_still_learns(
    rig: HydraulicDataModule,
) -> None:
    pytest.importorskip("torchao")
    plain, rounded = network(rig), network(rig)
    accelerate(rounded, Acceleration(float8="emulated", checkpointing=True))
    kinds = {name: type(module).__name__ for name, module in rounded.named_modules()}
    assert kinds["spatial.0.attention.source"] == "Float8Linear"
    assert kinds["encoder.features"] == "Linear"  # 17 features
    assert rounded.state_dict().keys() == plain.state_dict().keys()
    inputs = batch(rig, 4)
    exact, near = plain(inputs).heads, rounded(inputs).heads
    for name in exact:
        difference = (exact[name] - near[name]).abs().max() / exact[name].abs().max()
        assert 1e-6 < difference < 0.3
    assert gradients(rounded, inputs).keys() == gradients(plain, inputs).keys()


def test_float8_is_refused_for_a_network_without_a_layer_for_it(rig: HydraulicDataModule) -> None:
    narrow = network(rig, hidden_channels=8)
    for module in narrow.modules():
        if isinstance(module, nn.Linear):
            module.in_features |= 1  # as if no size divided by 16
    with pytest.raises(SpecError, match=r"hardware\.float8: no linear map .* divisible by 16"):
        accelerate(narrow, Acceleration(float8="emulated"))


def test_checkpointing_what_is_compiled_is_refused() -> None:
    with pytest.raises(SpecError, match=r"hardware\.checkpointing: torch\.compile decides"):
        accelerate(nn.Linear(16, 16), Acceleration(checkpointing=True, compile=True))


def test_the_trainer_is_told_the_precision_and_whether_gradients_are_averaged() -> None:
    toggles = Acceleration(precision="bf16-mixed", strategy="ddp")
    found = accelerate(nn.Linear(2, 2), toggles)
    assert found == {"precision": "bf16-mixed", "strategy": "ddp_find_unused_parameters_true"}
    assert accelerate(nn.Linear(2, 2), Acceleration())["strategy"] == "auto"
