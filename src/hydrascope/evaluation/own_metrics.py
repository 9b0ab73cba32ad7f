"""Metrics of a user's own, named by their import paths in the task (`HeadSpec.metrics`)."""

from collections.abc import Callable, Sequence
from importlib import import_module

import numpy as np

from hydrascope.evaluation.predictions import HeadPredictions
from hydrascope.evaluation.sums import Array, values
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.metric_paths import metric_name
from hydrascope.schemas.task import HeadSpec

OwnMetric = Callable[[Array, Array], float]
"""A function of the true and the predicted values, as those of `sklearn.metrics`."""


def own_metrics(head: HeadSpec) -> dict[str, OwnMetric]:
    """Import a head's own metrics, by name.

    Raises:
        SpecError: There is no such function.
    """
    return {metric_name(path): _imported(head, path) for path in head.metrics}


def check_own_metrics(heads: Sequence[HeadSpec]) -> None:
    """Import the own metrics of all heads, so that a misspelt one is refused early.

    Raises:
        SpecError: As `own_metrics`.
    """
    for head in heads:
        own_metrics(head)


def own_values(head: HeadSpec, rows: HeadPredictions) -> dict[str, float]:
    """Return a head's own metrics of its rows with all their labels, by name.

    Raises:
        SpecError: As `own_metrics`. Also if a function returns no number.
    """
    once = (~rows.target.isnan().any(dim=1)).numpy()[None].astype(np.float64)
    return {name: float(of(once)[0]) for name, of in weighted_metrics(head, rows).items()}


def weighted_metrics(head: HeadSpec, rows: HeadPredictions) -> dict[str, Callable[[Array], Array]]:
    """Return each own metric as a function of how often each row counts: [B, R] -> [B].

    A metric is NaN if no row counts. The functions raise the errors of `own_values`.
    """
    true, guess = (each.double().numpy() for each in (rows.target, values(head, rows.prediction)))
    if not head.labels:
        true, guess = true[:, 0], guess[:, 0]

    def weighted(name: str, metric: OwnMetric) -> Callable[[Array], Array]:
        def of_draws(weights: Array) -> Array:
            counts = weights.astype(np.int64)
            drawn = [(true.repeat(n, axis=0), guess.repeat(n, axis=0)) for n in counts]
            return np.array([_value(head, name, metric, *each) for each in drawn])

        return of_draws

    return {name: weighted(name, metric) for name, metric in own_metrics(head).items()}


def _imported(head: HeadSpec, path: str) -> OwnMetric:
    module, _, name = path.rpartition(".")
    try:
        found: object = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise SpecError(f"metrics of head {head.name!r}: {path!r}: {reason}") from None
    if not callable(found):
        raise SpecError(
            f"metrics of head {head.name!r}: {path!r} is not a function; accepted: a function of "
            "the true and the predicted values"
        )
    return found


def _value(head: HeadSpec, name: str, metric: OwnMetric, true: Array, guess: Array) -> float:
    if not len(true):
        return np.nan
    value = metric(true, guess)
    if np.ndim(value) or not np.issubdtype(np.asarray(value).dtype, np.number):
        raise SpecError(
            f"metrics of head {head.name!r}: {name} returned {type(value).__name__}; accepted: one "
            "number for all rows"
        )
    return float(value)
