"""Answers derived from evidence: of a machine from its components, of a component from severities.

Shapes: N components, G graphs, L labels of a head (1 without labels).
"""

from torch import Tensor

from hydrascope.models.layers.segment import segment_logsumexp, segment_min
from hydrascope.schemas.task import HeadKind

_ABSENT = -30.0
"""The logit of a label that no component can have: a probability of 1e-13."""
_SOUND = 1.0
"""The health without faults, for example of a machine without rated components."""


def of_components(
    kind: HeadKind, answers: Tensor, component_graph: Tensor, graphs: int, applies: Tensor
) -> Tensor:
    """Combine raw answers over the components of each graph, [N, L] -> [G, L].

    For labels this is the log-sum-exp of the logits, that is, the sum of the odds: a machine has a
    fault if any of its components has it. For a regression it is the minimum, the value of the
    worst component.

    Args:
        kind: Binary, multi-label or regression.
        answers: The raw answers, [N, L].
        component_graph: [N] int64.
        graphs: G.
        applies: Whether the head applies to each component, [N, 1] bool; others do not count.
    """
    if kind is HeadKind.REGRESSION:
        return segment_min(answers, component_graph, graphs, applies, empty=_SOUND)
    return segment_logsumexp(answers, component_graph, graphs, applies, empty=_ABSENT)


def of_severities(severities: Tensor) -> Tensor:
    """Return the health of components, 1 minus their largest severity: [N, L] -> [N, 1]."""
    return _SOUND - severities.amax(dim=1, keepdim=True)
