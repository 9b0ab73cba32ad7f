"""What a machine's whole row of features says of it and of each of its components.

Shapes: G graphs, B builds, D numbers of a row, N components, C channels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.layers.build_linear import BuildLinear
from hydrascope.schemas.task import HeadLevel, HeadSpec


class RowBlock(nn.Module):
    """x ← x + W₂ SiLU(W₁ RMSNorm(x)), on [G, C].

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(channels)
        self.hidden = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[G, C] -> [G, C]."""
        update: Tensor = self.out(F.silu(self.hidden(self.norm(x))))
        return x + update


class RowAnswers(nn.Module):
    """Answer every head from the row, each component of a known build by weights of its own.

        h = x V_build;   h ← `RowBlock`s;   answer = SiLU(RMSNorm(h)) U_build

    Builds share the blocks, as faults of the same name in machines of different builds come
    together in the same channels; how a build's sensors lead there, and what it means for each of
    its components, is the build's own.

    Args:
        heads: Those that are answered; what is made of evidence is none.
        builds: B.
        width: D.
        channels: C.
        layers: Blocks.
        components: Of the machine that has most.
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
        self.components = components
        self.of_component = [head for head in heads if head.level is HeadLevel.COMPONENT]
        self.of_machine = [head for head in heads if head.level is HeadLevel.MACHINE]
        self.sizes = [
            sum(head.size for head in part) for part in (self.of_component, self.of_machine)
        ]
        self.first = BuildLinear(builds, width, channels)
        self.blocks = nn.ModuleList(RowBlock(channels) for _ in range(layers))
        self.norm = nn.RMSNorm(channels)
        self.out = BuildLinear(builds, channels, components * self.sizes[0] + self.sizes[1])
        nn.init.zeros_(self.out.weight)  # so that it begins as nothing beside what else is said

    def forward(self, inputs: GraphInputs, row: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return each head's [N, size] or [G, size] from rows [G, D] and their builds [G, B]."""
        rows, build = row
        hidden: Tensor = self.first(rows, build)
        for block in self.blocks:
            hidden = block(hidden)
        said: Tensor = self.out(F.silu(self.norm(hidden)), build)
        apart, machines = torch.split(said, [self.components * self.sizes[0], self.sizes[1]], dim=1)
        place = inputs.component_graph * self.components + inputs.component_place
        rows_of = apart.reshape(-1, self.sizes[0])
        components = rows_of.index_select(0, place)
        return {
            **by_head(self.of_component, components),
            **by_head(self.of_machine, machines),
        }


def by_head(heads: Sequence[HeadSpec], said: Tensor) -> dict[str, Tensor]:
    """Return what is said of each head, one after the other, [rows, sizes] -> [rows, size]."""
    parts = torch.split(said, [head.size for head in heads], dim=1) if heads else ()
    return {head.name: part for head, part in zip(heads, parts, strict=True)}
