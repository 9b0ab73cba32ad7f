"""The classical models that stand beside a trained one."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from hydrascope.evaluation.baseline_names import BaselineName


class Baseline(NamedTuple):
    """A kind of model; each of its functions makes one from a seed."""

    name: str
    """Its name in tables."""
    classes: Callable[[int], ClassifierMixin] | None = None
    """For classes and flags; None: it does not answer them."""
    values: Callable[[int], RegressorMixin] | None = None
    """For regressions; None: it does not answer them."""
    quantile: Callable[[int, float], RegressorMixin] | None = None
    """For one quantile. None: quantiles follow from the errors of `values`."""
    of_many: bool = True
    """Whether it is quick enough for heads with several labels, each with a model of its own."""
    package: str | None = None
    """The optional package that it needs."""

    @property
    def missing(self) -> str | None:
        """What is not installed, in words; None if nothing is missing."""
        if self.package is None or find_spec(self.package) is not None:
            return None
        return f"{self.name} is not installed; accepted: pip install 'hydrascope[{self.package}]'"


_TREES: Mapping[str, Any] = {"n_estimators": 300, "n_jobs": -1}
_NEIGHBOURS: Mapping[str, Any] = {"n_neighbors": 5, "weights": "distance", "n_jobs": -1}
_BOOSTING: Mapping[str, Any] = {
    "n_estimators": 200,
    # Columns are drawn for each tree: there are thousands of them, and most are alike.
    "colsample_bytree": 0.1,
    "n_jobs": 0,  # as OpenMP is told
    "verbose": -1,
}


def _boosted(kind: str, seed: int, **options: Any) -> Any:
    import lightgbm  # optional

    return getattr(lightgbm, kind)(random_state=seed, **options, **_BOOSTING)


BASELINES: Mapping[BaselineName, Baseline] = {
    # Whitens with the within-class covariance, shrunk as in Ledoit & Wolf (2004).
    "lda": Baseline(
        "shrinkage LDA",
        lambda _: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        of_many=False,  # a fit to thousands of columns takes seconds
    ),
    "extra_trees": Baseline(
        "extra trees",
        lambda seed: ExtraTreesClassifier(random_state=seed, **_TREES),
        lambda seed: ExtraTreesRegressor(random_state=seed, max_features="sqrt", **_TREES),
    ),
    "ridge": Baseline(
        "ridge",
        values=lambda _: RidgeCV(alphas=np.logspace(-2, 5, 8)),
    ),
    "nearest_neighbours": Baseline(
        "nearest neighbours",
        lambda _: KNeighborsClassifier(**_NEIGHBOURS),
        lambda _: KNeighborsRegressor(**_NEIGHBOURS),
    ),
    "random_forest": Baseline(
        "random forest",
        lambda seed: RandomForestClassifier(random_state=seed, **_TREES),
        # A third of the columns, as in Breiman (2001), takes minutes for thousands of them.
        lambda seed: RandomForestRegressor(random_state=seed, max_features="sqrt", **_TREES),
    ),
    "lightgbm": Baseline(
        "LightGBM",
        lambda seed: _boosted("LGBMClassifier", seed),
        lambda seed: _boosted("LGBMRegressor", seed),
        lambda seed, q: _boosted("LGBMRegressor", seed, objective="quantile", alpha=q),
        package="lightgbm",
    ),
}
