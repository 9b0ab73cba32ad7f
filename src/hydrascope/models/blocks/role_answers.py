"""What a machine and its components say by roles, whatever their build.

Shapes: G graphs, N components, K families, C channels, R·F and W·F as in `RoleRows`.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.blocks.role_rows import RoleRow, RoleRows
from hydrascope.models.blocks.row_answers import RowBlock, by_head
from hydrascope.models.layers.build_linear import BuildLinear
from hydrascope.schemas.task import HeadLevel, HeadSpec


class RoleAnswers(nn.Module):
    """Answer every head from rows of roles, each family of components by weights of its own.

        h_machine = V row,   h_n = h_machine + (1 + γ_family) ⊙ W own_n + β_family
        h ← `RowBlock`s,     answer = SiLU(RMSNorm(h)) U_family

    Args:
        heads: Those that are answered; what is made of evidence is none.
        rows: What lays out the rows.
        channels: C.
        layers: Blocks.
    """

    def __init__(
        self, heads: Sequence[HeadSpec], rows: RoleRows, channels: int, layers: int
    ) -> None:
        super().__init__()
        self.families = rows.families
        self.of_component = [head for head in heads if head.level is HeadLevel.COMPONENT]
        self.of_machine = [head for head in heads if head.level is HeadLevel.MACHINE]
        self.machine = nn.Linear(rows.width, channels)
        self.own = nn.Linear(rows.own_width, channels)
        self.film = nn.Embedding(rows.families, 2 * channels)
        nn.init.normal_(self.film.weight, std=0.1)
        self.blocks = nn.ModuleList(RowBlock(channels) for _ in range(layers))
        self.norm = nn.RMSNorm(channels)
        size = sum(head.size for head in self.of_component)
        self.out = BuildLinear(rows.families, channels, size)
        nn.init.zeros_(self.out.weight)  # so that it begins as nothing beside what else is said
        self.out_machine = nn.Linear(channels, sum(head.size for head in self.of_machine))

    def forward(self, inputs: GraphInputs, row: RoleRow) -> dict[str, Tensor]:
        """Return each head's [N, size] or [G, size]."""
        machine: Tensor = self.machine(row.machine)
        scale, shift = self.film(row.family).chunk(2, dim=-1)
        own = torch.addcmul(shift, self.own(row.component), 1 + scale)
        hidden = own + machine.index_select(0, inputs.component_graph)
        for block in self.blocks:
            hidden, machine = block(hidden), block(machine)
        family = F.one_hot(row.family, self.families).to(hidden.dtype)
        components = self.out(F.silu(self.norm(hidden)), family)
        machines = self.out_machine(F.silu(self.norm(machine)))
        return {
            **by_head(self.of_component, components),
            **by_head(self.of_machine, machines),
        }
