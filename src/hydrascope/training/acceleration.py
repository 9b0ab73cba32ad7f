"""What makes a training faster or smaller, in the one order in which it works."""

import functools
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.utils.checkpoint import checkpoint

from hydrascope.schemas.errors import SpecError

Strategy = Literal["single", "ddp", "fsdp"]
# What a task or a batch does not ask for gets no gradient: each process says so of its own, or the
# others would wait for it.
_LIGHTNINGS = {"single": "auto", "ddp": "ddp_find_unused_parameters_true"}
FLOAT8_MULTIPLE = 16
"""Sizes that float8 matrix products take."""


class Acceleration(NamedTuple):
    """Toggles; each works alone and with the others, but for checkpointing what is compiled.

    Attributes:
        float8: Linear maps whose sizes divide by 16 in float8: on the hardware, or emulated.
        checkpointing: Keep only what enters each part of the network, and compute the rest again.
            A compiler decides that by itself, so not with `compile`.
        compile: One program for batches of any size.
        precision: As Lightning names it.
        strategy: Of several processes: `ddp` averages gradients; `fsdp` does so too, and each keeps
            its share alone of weights, gradients and the optimiser's state, which a compiler does
            not see through.
        processes: How many, of all nodes.
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

    In this order: float8 replaces layers; the parts that hold them are checkpointed, or the whole
    is compiled; precision (autocast) acts around that, and DDP, which averages gradients, around
    it all. With FSDP the module shards itself by `shard`. Names of the weights stay the same.

    Args:
        network: On the CPU or a GPU.
        toggles: What is wanted.
        backend: Of torch.compile.

    Raises:
        SpecError: float8 is wanted and no layer has sizes for it, or checkpointing what is
            compiled.
    """
    if toggles.compile and toggles.checkpointing:
        raise SpecError(
            "hardware.checkpointing: torch.compile decides by itself what is computed again; "
            "accepted with hardware.compile=true: false"
        )
    if toggles.float8:
        _to_float8(network, emulate=toggles.float8 == "emulated")
    if toggles.checkpointing:
        for part in _parts(network):
            part.forward = functools.partial(checkpoint, part.forward, use_reentrant=False)
    if toggles.compile:
        # Batches differ in all their sizes but those of the layers: one program for any of them,
        # and no part of the network outside of it.
        network.compile(fullgraph=True, dynamic=True, backend=backend)
    return {"precision": toggles.precision, "strategy": _strategy(toggles)}


def _strategy(toggles: Acceleration) -> str | ModelParallelStrategy:
    if toggles.strategy != "fsdp":
        return _LIGHTNINGS[toggles.strategy]
    return ModelParallelStrategy(
        data_parallel_size=toggles.processes,
        tensor_parallel_size=1,
        save_distributed_checkpoint=False,  # files as those of one process
    )


def shard(network: nn.Module, others: Iterable[nn.Module], mesh: DeviceMesh) -> None:
    """Give each process its share of the weights (FSDP2), gathered where a part needs them.

    Y. Zhao et al., "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel" (2023).

    Args:
        network: Sharded part by part, and as a whole what is in none.
        others: What else learns, each as a whole.
        mesh: The processes.
    """
    for module in (*_parts(network), network, *others):
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
            f"hardware.float8: no linear map of the network has sizes that divide by "
            f"{FLOAT8_MULTIPLE}; accepted: null, or model.hidden_channels=64"
        )
    # Rows of a batch need not divide by 16: the inner dimension of their product is padded.
    config = Float8LinearConfig(emulate=emulate, pad_inner_dim=True)
    convert_to_float8_training(network, module_filter_fn=fits, config=config)


def _parts(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the network's children, and those of its lists."""
    for child in network.children():
        if isinstance(child, nn.ModuleList):
            yield from child
        else:
            yield child
