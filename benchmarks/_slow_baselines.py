"""Classical models that take longer than a training beside which they stand."""

import numpy as np
from sklearn.linear_model import RidgeClassifierCV

from hydrascope.evaluation.baseline_models import BASELINES, Baseline


class MiniRocketRidge:
    """Ridge classifier on the 10,000 features of MiniRocket, by sktime (extra `bench`).

    A. Dempster, D. Schmidt, G. Webb, "MiniRocket", KDD 2021, in the multivariate form. It decides
    for a class and knows no probabilities: one class has 1, the others 0.

    Args:
        seed: Of the convolutions.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, series: np.ndarray, target: np.ndarray) -> "MiniRocketRidge":
        """Fit on [windows, sensors, samples]; the ridge is chosen by leave-one-out."""
        from sktime.transformations.panel.rocket import MiniRocketMultivariate

        self.rocket_ = MiniRocketMultivariate(random_state=self.seed)
        features = np.asarray(self.rocket_.fit_transform(series.astype(np.float32)))
        self.ridge_ = RidgeClassifierCV(alphas=np.logspace(-3, 3, 10)).fit(features, target)
        self.classes_ = self.ridge_.classes_
        return self

    def predict_proba(self, series: np.ndarray) -> np.ndarray:
        """Return [windows, classes]."""
        features = np.asarray(self.rocket_.transform(series.astype(np.float32)))
        chosen = self.ridge_.predict(features)
        probability: np.ndarray = (chosen[:, None] == self.classes_).astype(float)
        return probability


SLOW_BASELINES = {
    "random forest": BASELINES["random_forest"],
    "LightGBM": BASELINES["lightgbm"],
    "MiniRocket + ridge": Baseline("MiniRocket + ridge", MiniRocketRidge),
}
"""The last two need the extra `bench`."""

ON_SAMPLES = ("MiniRocket + ridge",)
"""Those that read the samples of a series, not its features."""
