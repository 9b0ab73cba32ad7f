"""Answers for a machine and its components from the machine's whole row of features.

Shapes: G graphs, B builds, D values of a row, N components, C channels.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.layers.build_linear import BuildLinear
from hydrascope.schemas.task import HeadLevel, HeadSpec


class RowBlock(nn.Module):
    """Residual feed-forward block, x ← x + W₂ SiLU(W₁ RMSNorm(x)).

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(channels)
        self.hidden = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block: [G, C] -> [G, C]."""
        update: Tensor = self.out(F.silu(self.hidden(self.norm(x))))
        return x + update


class PlaceAnswers(nn.Module):
    """Splits one row of answers of each machine into those of its components and its own.

    Args:
        heads: The heads to answer.
        components: The number of components of the largest machine, P.

    Attributes:
        size: The length of a row, P · (size of all component heads) + size of all machine heads.
    """

    def __init__(self, heads: Sequence[HeadSpec], components: int) -> None:
        super().__init__()
        self.components = components
        self.component_heads = [head for head in heads if head.level is HeadLevel.COMPONENT]
        self.machine_heads = [head for head in heads if head.level is HeadLevel.MACHINE]
        self.own = sum(head.size for head in self.component_heads)
        self.machine = sum(head.size for head in self.machine_heads)
        self.size = components * self.own + self.machine

    def forward(self, inputs: GraphInputs, output: Tensor) -> dict[str, Tensor]:
        """Return each head's output, [N, size] or [G, size], from rows of answers [G, size]."""
        by_place, machines = torch.split(output, [self.components * self.own, self.machine], dim=1)
        place = inputs.component_graph * self.components + inputs.component_place
        places = output.shape[0] * self.components
        components = by_place.reshape(places, self.own).index_select(0, place)  # of size 0 too
        return {
            **by_head(self.component_heads, components),
            **by_head(self.machine_heads, machines),
        }

    def join(self, inputs: GraphInputs, answers: Mapping[str, Tensor]) -> Tensor:
        """Return rows [G, size] from heads' values, the reverse of `forward`.

        A place without a component has NaN.
        """
        graphs, split = inputs.graph_id.shape[0], self.components * self.own
        row = next(iter(answers.values())).new_full((graphs, self.size), torch.nan)
        if self.component_heads:
            values = torch.cat([answers[head.name] for head in self.component_heads], dim=1)
            places = row[:, :split].view(graphs, self.components, self.own)
            places[inputs.component_graph, inputs.component_place] = values
        if self.machine_heads:
            row[:, split:] = torch.cat([answers[head.name] for head in self.machine_heads], dim=1)
        return row


class RowAnswers(nn.Module):
    """Answers every head from the row, with separate weights for each component of a known build.

        h = x V_build;   h ← `RowBlock`s;   answer = SiLU(RMSNorm(h)) U_build

    Builds share the blocks, so that the same fault in machines of different builds uses the same
    channels. Each build has its own map from its sensors to the channels, and from there to its
    components.

    Args:
        heads: The heads to answer; none with `evidence`.
        builds: B.
        width: D.
        channels: C.
        layers: The number of blocks.
        components: The number of components of the largest machine.
    """

    def __init__(
        self,
        heads: Sequence[HeadSpec],
        builds: int,
        width: int,
        channels: int,
        layers: int,
        components: int,
    ) -> None:
        super().__init__()
        self.places = PlaceAnswers(heads, components)
        self.first = BuildLinear(builds, width, channels)
        self.blocks = nn.ModuleList(RowBlock(channels) for _ in range(layers))
        self.norm = nn.RMSNorm(channels)
        self.out = BuildLinear(builds, channels, self.places.size)
        nn.init.zeros_(self.out.weight)  # so that it initially adds nothing to the other answers

    def forward(self, inputs: GraphInputs, row: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return each head's output, [N, size] or [G, size], from rows [G, D] and builds [G, B]."""
        rows, build = row
        hidden: Tensor = self.first(rows, build)
        for block in self.blocks:
            hidden = block(hidden)
        output: Tensor = self.out(F.silu(self.norm(hidden)), build)
        answers: dict[str, Tensor] = self.places(inputs, output)
        return answers


def by_head(heads: Sequence[HeadSpec], output: Tensor) -> dict[str, Tensor]:
    """Split the joint output [rows, sum of sizes] into that of each head, [rows, size]."""
    parts = torch.split(output, [head.size for head in heads], dim=1) if heads else ()
    return {head.name: part for head, part in zip(heads, parts, strict=True)}
