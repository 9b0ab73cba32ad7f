"""Metrics of regressions: the names of ours, and import paths of a user's own."""

import re
from typing import Annotated

from pydantic import AfterValidator

VALUE_METRICS = ("mae", "rmse", "r2", "pinball", "interval_score")
"""The names of our metrics of regressions."""


def metric_name(path: str) -> str:
    """Return the name of the metric at an import path: that of the function."""
    return path.rpartition(".")[2]


def _distinct(paths: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_PATH.fullmatch(path) for path in paths):
        raise ValueError("expected import paths of functions, such as my_metrics.phm08")
    names, taken = [metric_name(path) for path in paths], (*VALUE_METRICS, "rows")
    if len(set(names)) < len(names) or set(names).intersection(taken):
        raise ValueError(f"expected functions of distinct names, other than {', '.join(taken)}")
    return paths


_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
MetricPaths = Annotated[tuple[str, ...], AfterValidator(_distinct)]
