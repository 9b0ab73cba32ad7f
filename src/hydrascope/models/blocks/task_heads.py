"""From component and machine embeddings to the output of every head."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.models.layers.cross_task import CrossTaskAttention
from hydrascope.models.layers.segment import segment_sum
from hydrascope.schemas.task import HeadLevel, HeadSpec


class TaskHeads(nn.Module):
    """One embedding a head, exchanged between the heads of a graph, then one linear map each.

    A machine-level head embeds the machine, a component-level head every component. In the
    exchange each head is one token of its graph; that of a component-level head is the mean over
    the components it applies to, and what the exchange adds to the token is added to each of them.

    Shapes: G graphs, N components, C channels, H component-level heads.

    Args:
        heads: The task's heads; component-level ones in the order of `component_heads`.
        channels: C of embeddings and tokens.
        attention_heads: Heads of the exchange.
        dropout: Share of an embedding's channels dropped in training.
    """

    def __init__(
        self, heads: Sequence[HeadSpec], channels: int, attention_heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.heads = tuple(heads)
        self.embed = nn.ModuleList(nn.Linear(channels, channels) for _ in heads)
        self.exchange = CrossTaskAttention(channels, attention_heads)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.ModuleList(nn.Linear(channels, head.size) for head in heads)

    def forward(
        self,
        components: Tensor,
        machines: Tensor,
        component_graph: Tensor,
        component_heads: Tensor,
    ) -> dict[str, Tensor]:
        """[N, C], [G, C], [N] int64, [N, H] bool -> each head's [N, size] or [G, size]."""
        graphs = machines.shape[0]
        embeddings, tokens, column = [], [], 0
        for head, embed in zip(self.heads, self.embed, strict=True):
            at_component = head.level is HeadLevel.COMPONENT
            embedding = F.silu(embed(components if at_component else machines))
            embeddings.append(embedding)
            if at_component:
                applies = component_heads[:, column : column + 1].to(embedding.dtype)
                total = segment_sum(embedding * applies, component_graph, graphs)
                embedding = total / segment_sum(applies, component_graph, graphs).clamp(min=1.0)
                column += 1
            tokens.append(embedding)
        before = torch.stack(tokens, dim=1)
        added: Tensor = self.exchange(before) - before
        outputs = {}
        for position, (head, out) in enumerate(zip(self.heads, self.out, strict=True)):
            heard = added[:, position]
            if head.level is HeadLevel.COMPONENT:
                heard = heard.index_select(0, component_graph)
            outputs[head.name] = out(self.dropout(embeddings[position] + heard))
        return outputs
