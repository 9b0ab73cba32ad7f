"""Techniques that make training faster or smaller, applied in a fixed order."""

import functools
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.utils.checkpoint import checkpoint

from hydrascope.models.summary import named_parts
from hydrascope.schemas.errors import SpecError

Strategy = Literal["single", "ddp", "fsdp"]
# Parameters that a task or a batch does not use get no gradient. Without this search the other
# processes would wait for one.
_STRATEGIES = {"single": "auto", "ddp": "ddp_find_unused_parameters_true"}
FLOAT8_MULTIPLE = 16
"""The number that must divide the sizes of float8 matrix products."""


class Acceleration(NamedTuple):
    """The toggles. Each works alone and with the others, except checkpointing with `compile`.

    Attributes:
        float8: Whether linear maps with sizes divisible by 16 use float8, natively or emulated.
        checkpointing: Whether only the input of each part of the network is stored, and the rest is
            recomputed. A compiler decides this itself, so it does not go with `compile`.
        compile: Whether the network is compiled, to one program for batches of any size.
        precision: The precision, named as in Lightning.
        strategy: The strategy for several processes. `ddp` averages gradients. With `fsdp` each
            process also stores only its share of weights, gradients and optimiser state; a compiler
            cannot handle this.
        processes: The number of processes over all nodes.
    """

    float8: Literal["native", "emulated"] | None = None
    checkpointing: bool = False
    compile: bool = False
    precision: Literal["32-true", "bf16-mixed", "64-true"] = "32-true"
    strategy: Strategy = "single"
    processes: int = 1


def accelerate(
    network: nn.Module, toggles: Acceleration, backend: str | Any = "inductor"
) -> dict[str, Any]:
    """Change a network in place and return the arguments of its Lightning trainer.

    The order is: float8 replaces layers, then the parts are checkpointed or the whole network is
    compiled. Precision (autocast) wraps the result, and DDP wraps everything. With FSDP the module
    shards itself by `shard`. The names of the weights do not change.

    Args:
        network: The network, on the CPU or a GPU.
        toggles: The techniques to use.
        backend: The backend of torch.compile.

    Raises:
        SpecError: No layer has sizes that allow float8, or checkpointing is combined with
            `compile`.
    """
    if toggles.compile and toggles.checkpointing:
        raise SpecError(
            "hardware.checkpointing: torch.compile decides by itself what to recompute; "
            "accepted with hardware.compile=true: false"
        )
    if toggles.float8:
        _to_float8(network, emulate=toggles.float8 == "emulated")
    if toggles.checkpointing:
        for _, part in named_parts(network):
            part.forward = functools.partial(checkpoint, part.forward, use_reentrant=False)
    if toggles.compile:
        # One program for the whole network and all batches, which differ in size.
        network.compile(fullgraph=True, dynamic=True, backend=backend)
    return {"precision": toggles.precision, "strategy": _strategy(toggles)}


def _strategy(toggles: Acceleration) -> str | ModelParallelStrategy:
    if toggles.strategy != "fsdp":
        return _STRATEGIES[toggles.strategy]
    return ModelParallelStrategy(
        data_parallel_size=toggles.processes,
        tensor_parallel_size=1,
        save_distributed_checkpoint=False,  # the same files as with one process
    )


def shard(network: nn.Module, others: Iterable[nn.Module], mesh: DeviceMesh) -> None:
    """Shard the weights between processes (FSDP2); they are gathered when a part needs them.

    Y. Zhao et al., "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel" (2023).

    Args:
        network: The network; each part is sharded separately, the remaining weights together.
        others: Other modules with weights, each sharded as a whole.
        mesh: The processes.
    """
    for module in (*dict(named_parts(network)).values(), network, *others):
        if any(True for _ in module.parameters()):
            fully_shard(module, mesh=mesh)


def _to_float8(network: nn.Module, *, emulate: bool) -> None:
    from torchao.float8 import Float8LinearConfig, convert_to_float8_training

    def fits(module: nn.Module, _name: str) -> bool:
        return isinstance(module, nn.Linear) and not (
            module.in_features % FLOAT8_MULTIPLE or module.out_features % FLOAT8_MULTIPLE
        )

    if not any(fits(module, name) for name, module in network.named_modules()):
        raise SpecError(
            f"hardware.float8: no linear map of the network has sizes divisible by "
            f"{FLOAT8_MULTIPLE}; accepted: null, or model.hidden_channels=64"
        )
    # The rows of a batch need not be divisible by 16: the inner dimension is padded.
    config = Float8LinearConfig(emulate=emulate, pad_inner_dim=True)
    convert_to_float8_training(network, module_filter_fn=fits, config=config)
