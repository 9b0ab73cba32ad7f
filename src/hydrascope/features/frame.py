"""Features of telemetry in a table, for notebooks and tests."""

import numpy as np
import pandas as pd
import torch

from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer


def extract_all_features(
    frame: pd.DataFrame, sampling_rate_hz: float, config: FeatureConfig | None = None
) -> pd.DataFrame:
    """Extract the features of each sensor of one machine, in float64.

    Args:
        frame: One row per sample, one numeric column per sensor; NaN is a missing sample.
        sampling_rate_hz: Sampling rate of all columns.
        config: Configuration; None for the 17 default features.

    Returns:
        One row per sensor (its column's label), one column per feature.

    Raises:
        ValueError: A column is not numeric, or the sampling rate is not positive.
    """
    for label, dtype in frame.dtypes.items():
        if not pd.api.types.is_numeric_dtype(dtype):
            raise ValueError(f"column {label!r} holds {dtype}; every sensor's column is numeric")
    engineer = FeatureEngineer(config)
    # Copied, because pandas may return a read-only view; transposed to one row per sensor.
    samples = torch.from_numpy(frame.to_numpy(dtype=np.float64, na_value=np.nan, copy=True).T)
    features = engineer(samples.contiguous(), sampling_rate_hz)
    return pd.DataFrame(features.numpy(), index=frame.columns, columns=list(engineer.feature_names))
