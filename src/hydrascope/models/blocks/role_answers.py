"""Answers for machines of any build and their components, from rows of roles.

Shapes: G graphs, N components, E lines, K families, C channels; widths of rows as in `RoleRows`.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.blocks.role_rows import RoleRow, RoleRows
from hydrascope.models.blocks.row_answers import RowBlock, by_head
from hydrascope.models.layers.build_linear import BuildLinear
from hydrascope.models.layers.segment import segment_sum
from hydrascope.schemas.task import HeadLevel, HeadSpec


class LineBlock(nn.Module):
    """Residual exchange along lines, x ← x + W₂ SiLU(W₁ [x̃, mean of the neighbours' x̃]).

    x̃ is RMSNorm(x). A component without lines hears zeros.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(channels)
        self.hidden = nn.Linear(2 * channels, channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Apply the block: [N, C], [2, E] int64 -> [N, C]."""
        source, target = edge_index
        y = self.norm(x)
        total = segment_sum(y.index_select(0, source), target, x.shape[0])
        count = segment_sum(y.new_ones(target.shape[0], 1), target, x.shape[0])
        heard = torch.cat([y, total / count.clamp(min=1.0)], dim=-1)
        update: Tensor = self.out(F.silu(self.hidden(heard)))
        return x + update


class RoleAnswers(nn.Module):
    """Answers every head from rows of roles, with separate weights for each family of components.

        e_n = (1 + γ_family) ⊙ W own_n + β_family,   e ← `LineBlock`s
        h_machine = V row,                           h_n = h_machine + e_n
        h ← `RowBlock`s,                             answer = SiLU(RMSNorm(h)) U_family

    Args:
        heads: The heads to answer; none with `evidence`.
        rows: The module that arranges the rows.
        channels: C.
        layers: The number of blocks.
        lines: The number of lines away from which a component hears of others' own sensors.
    """

    def __init__(
        self, heads: Sequence[HeadSpec], rows: RoleRows, channels: int, layers: int, lines: int
    ) -> None:
        super().__init__()
        self.families = rows.families
        self.component_heads = [head for head in heads if head.level is HeadLevel.COMPONENT]
        self.machine_heads = [head for head in heads if head.level is HeadLevel.MACHINE]
        self.machine = nn.Linear(rows.width, channels)
        self.own = nn.Linear(rows.own_width, channels)
        self.film = nn.Embedding(rows.families, 2 * channels)
        nn.init.normal_(self.film.weight, std=0.1)
        self.lines = nn.ModuleList(LineBlock(channels) for _ in range(lines))
        self.blocks = nn.ModuleList(RowBlock(channels) for _ in range(layers))
        self.norm = nn.RMSNorm(channels)
        size = sum(head.size for head in self.component_heads)
        self.out = BuildLinear(rows.families, channels, size)
        nn.init.zeros_(self.out.weight)  # so that it initially adds nothing to the other answers
        self.out_machine = nn.Linear(channels, sum(head.size for head in self.machine_heads))

    def forward(self, inputs: GraphInputs, row: RoleRow) -> dict[str, Tensor]:
        """Return the raw output of each head, [N, size] or [G, size]."""
        machine: Tensor = self.machine(row.machine)
        scale, shift = self.film(row.family).chunk(2, dim=-1)
        own = torch.addcmul(shift, self.own(row.component), 1 + scale)
        for line in self.lines:
            own = line(own, inputs.edge_index)
        hidden = own + machine.index_select(0, inputs.component_graph)
        for block in self.blocks:
            hidden, machine = block(hidden), block(machine)
        family = F.one_hot(row.family, self.families).to(hidden.dtype)
        components = self.out(F.silu(self.norm(hidden)), family)
        machines = self.out_machine(F.silu(self.norm(machine)))
        return {
            **by_head(self.component_heads, components),
            **by_head(self.machine_heads, machines),
        }
