"""The heads: component and machine embeddings to the output of every head."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hydrascope.models.layers.evidence import of_components, of_severities
from hydrascope.models.layers.segment import segment_sum
from hydrascope.models.layers.self_attention import SelfAttention
from hydrascope.schemas.task import HeadKind, HeadLevel, HeadSpec

_RARE = -4.6
"""The initial logit of labels used as evidence: a probability of 0.01 (T.-Y. Lin et al., "Focal
Loss for Dense Object Detection", ICCV 2017). So a machine of many components starts as healthy
too."""
Exchange = Literal["attention", "mlp", "none"]


class TaskMLP(nn.Module):
    """An MLP with as many parameters as `SelfAttention` (4 C²), but no exchange between tasks.

    It is the control experiment for attention between tasks.

    Shapes: G graphs, K tasks, C channels.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(channels)
        self.hidden = nn.Linear(channels, 2 * channels, bias=False)
        self.out = nn.Linear(2 * channels, channels, bias=False)

    def forward(self, tasks: Tensor) -> Tensor:
        """Apply the layer: [G, K, C] -> [G, K, C]."""
        out: Tensor = self.out(F.silu(self.hidden(self.norm(tasks))))
        return tasks + out


class TaskHeads(nn.Module):
    """One embedding and one linear map per head, with an exchange between the heads of a graph.

    A machine-level head embeds the machine, a component-level head every component. In the exchange
    each head is one token of its graph. The token of a component-level head is the mean over the
    components it applies to; the update of the token is added to every component. A head with
    `evidence` has no weights, embedding or token: its output is computed from that of the
    component-level head it names.

    Shapes: G graphs, N components, C channels, H component-level heads.

    Args:
        heads: The heads of the task; component-level heads in the order of `component_heads`.
        channels: C of embeddings and tokens.
        attention_heads: The heads of the exchange.
        dropout: The share of an embedding's channels dropped in training.
        exchange: "attention" between the tokens; "mlp" on each token alone, as a control; "none".
    """

    def __init__(
        self,
        heads: Sequence[HeadSpec],
        channels: int,
        attention_heads: int,
        dropout: float,
        exchange: Exchange = "attention",
    ) -> None:
        super().__init__()
        self.heads = tuple(heads)
        self.own = tuple(head for head in heads if head.evidence is None)
        component_names = [head.name for head in heads if head.level is HeadLevel.COMPONENT]
        self._column = {name: number for number, name in enumerate(component_names)}
        self.embed = nn.ModuleList(nn.Linear(channels, channels) for _ in self.own)
        self.exchange: nn.Module | None = None
        if exchange == "attention":
            self.exchange = SelfAttention(channels, attention_heads)
        elif exchange == "mlp":
            self.exchange = TaskMLP(channels)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.ModuleList(nn.Linear(channels, head.size) for head in self.own)
        evidence = {head.evidence for head in heads}
        for head, out in zip(self.own, self.out, strict=True):
            if head.name in evidence and head.kind is not HeadKind.REGRESSION:
                assert isinstance(out, nn.Linear)
                nn.init.constant_(out.bias, _RARE)

    def forward(
        self,
        components: Tensor,
        machines: Tensor,
        component_graph: Tensor,
        component_heads: Tensor,
        row_answers: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Return the raw output of each head, [N, size] or [G, size].

        Args:
            components: [N, C].
            machines: [G, C].
            component_graph: [N] int64.
            component_heads: [N, H] bool.
            row_answers: Head name → output of the row reader, which is added.
        """
        levels = {HeadLevel.COMPONENT: components, HeadLevel.MACHINE: machines}
        embeddings: list[Tensor] = [
            F.silu(embed(levels[head.level]))
            for head, embed in zip(self.own, self.embed, strict=True)
        ]
        if self.exchange is not None:
            tokens = self._tokens(embeddings, machines.shape[0], component_graph, component_heads)
            added: Tensor = self.exchange(tokens) - tokens
            for position, head in enumerate(self.own):
                update = added[:, position]
                if head.level is HeadLevel.COMPONENT:
                    update = update.index_select(0, component_graph)
                embeddings[position] = embeddings[position] + update
        raw = {
            head.name: out(self.dropout(embedding))
            for head, out, embedding in zip(self.own, self.out, embeddings, strict=True)
        }
        for name, answer in (row_answers or {}).items():
            raw[name] = raw[name] + answer
        self._from_evidence(raw, component_graph, machines.shape[0], component_heads)
        return {head.name: raw[head.name] for head in self.heads}

    def _from_evidence(
        self, raw: dict[str, Tensor], component_graph: Tensor, graphs: int, component_heads: Tensor
    ) -> None:
        """Add the outputs of heads with evidence, at component level first."""
        derived = [head for head in self.heads if head.evidence is not None]
        for head in sorted(derived, key=lambda head: head.level is HeadLevel.MACHINE):
            assert head.evidence is not None
            evidence = raw[head.evidence]
            if head.level is HeadLevel.COMPONENT:
                raw[head.name] = of_severities(evidence)
                continue
            applies = self._applies(head.evidence, component_heads)
            raw[head.name] = of_components(head.kind, evidence, component_graph, graphs, applies)

    def _applies(self, head: str, component_heads: Tensor) -> Tensor:
        column = self._column[head]
        return component_heads[:, column : column + 1]

    def _tokens(
        self,
        embeddings: Sequence[Tensor],
        graphs: int,
        component_graph: Tensor,
        component_heads: Tensor,
    ) -> Tensor:
        """Return one token per head and graph, [G, heads, C]."""
        tokens = []
        for head, embedding in zip(self.own, embeddings, strict=True):
            if head.level is HeadLevel.MACHINE:
                tokens.append(embedding)
                continue
            applies = self._applies(head.name, component_heads).to(embedding.dtype)
            total = segment_sum(embedding * applies, component_graph, graphs)
            tokens.append(total / segment_sum(applies, component_graph, graphs).clamp(min=1.0))
        return torch.stack(tokens, dim=1)
