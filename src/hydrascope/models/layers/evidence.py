"""A machine's answer, made of the answers of its components, and a component's of its severities.

Shapes: N components, G graphs, L labels of a head, 1 of one without.
"""

from torch import Tensor

from hydrascope.models.layers.segment import segment_logsumexp, segment_min
from hydrascope.schemas.task import HeadKind

_ABSENT = -30.0
"""Logit of a label that no component can have: of a probability of 1e-13."""
_SOUND = 1.0
"""Health of what has no fault, such as a machine none of whose components is asked."""


def of_components(
    kind: HeadKind, answers: Tensor, component_graph: Tensor, graphs: int, applies: Tensor
) -> Tensor:
    """Join raw answers over the components of each graph, [N, L] -> [G, L].

    Labels: the log-sum-exp of the logits, that is, odds add up: a machine has a fault as far as any
    of its components has it. Regression: the least value, that of the worst component.

    Args:
        kind: Binary, multi-label or regression.
        answers: [N, L], not decoded.
        component_graph: [N] int64.
        graphs: G.
        applies: [N, 1] bool; components that the head does not apply to add nothing.
    """
    if kind is HeadKind.REGRESSION:
        return segment_min(answers, component_graph, graphs, applies, empty=_SOUND)
    return segment_logsumexp(answers, component_graph, graphs, applies, empty=_ABSENT)


def of_severities(severities: Tensor) -> Tensor:
    """Return the health of components, 1 less their largest severity, [N, L] -> [N, 1]."""
    return _SOUND - severities.amax(dim=1, keepdim=True)
