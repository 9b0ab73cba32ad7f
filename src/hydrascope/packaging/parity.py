"""The comparison of answers that were computed in two ways."""

import math
from collections.abc import Mapping

from torch import Tensor

from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.fitness import EXPECTED, READ

_IN_UNITS = (READ, EXPECTED)
"""Entries in the sensors' units, to which `LIMIT` does not apply."""
LIMIT = 1e-4
"""The largest accepted absolute difference between a bundle's and its checkpoint's answers."""


def golden_answers(diagnoser: TensorDiagnoser, inputs: GraphInputs) -> dict[str, Tensor]:
    """Return what a diagnoser says of a batch, for `difference`."""
    found = diagnoser.predict(inputs)
    return {name: value for name, value in found.items() if name not in _IN_UNITS}


def difference(answers: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """Return the largest absolute difference between answers of the same names.

    It is infinite if only one of the two is NaN; NaN means that there is nothing to score.
    """
    worst = 0.0
    for name, value in expected.items():
        if not answers[name].isnan().equal(value.isnan()):
            return math.inf
        worst = max(worst, float((answers[name] - value).nan_to_num().abs().max()))
    return worst
