"""A summary of a network: its parts, their parameters and the shapes of their outputs."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.base import Model


class Part(NamedTuple):
    """One part of a network.

    Attributes:
        name: The path within the network.
        kind: The name of the class.
        parameters: The number of trainable parameters.
        output: The shapes of the output tensors; empty if the part is not called itself.
    """

    name: str
    kind: str
    parameters: int
    output: tuple[tuple[int, ...], ...]


def parts(network: Model, inputs: GraphInputs) -> list[Part]:
    """Return the network's parts, with the shapes of their outputs for `inputs`.

    The items of a list count as parts.

    Args:
        network: Any model; its mode does not change.
        inputs: The normalised features, on the network's device.
    """
    named = dict(named_parts(network))
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def keep(name: str) -> object:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            shapes[name] = tuple(tuple(tensor.shape) for tensor in _tensors(output))

        return hook

    hooks = [each.register_forward_hook(keep(name)) for name, each in named.items()]  # type: ignore[arg-type]
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(inputs)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return [
        Part(name, type(each).__name__, _count(each), shapes.get(name, ()))
        for name, each in named.items()
    ]


def forward_flops(network: Model, inputs: GraphInputs) -> int:
    """Return the floating-point operations of one forward pass, counting only matrix products."""
    training = network.training
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            network.eval()(inputs)
    finally:
        network.train(training)
    return int(counter.get_total_flops())


def named_parts(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the parts of a network with their names; the items of a list count as parts."""
    for name, child in module.named_children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from named_parts(child, f"{prefix}{name}.")
        else:
            yield prefix + name, child


def _tensors(output: object) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, tuple | list):
        for each in output:
            yield from _tensors(each)
    elif isinstance(output, dict):
        yield from _tensors(list(output.values()))


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
