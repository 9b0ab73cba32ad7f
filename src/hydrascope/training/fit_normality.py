"""The fit of normality scores: whitening before the training, thresholds after it."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.held_out import independent_units
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import MACHINE, NormalitySpec
from hydrascope.tasks.alarm_thresholds import THRESHOLDS, smoothed


class HeldOutScores(NamedTuple):
    """The scores of one level on the validation windows to learn from, [R] each."""

    score: NDArray[np.float64]
    """Smoothed, not divided by its threshold; NaN if there was nothing to score."""
    key: NDArray[np.int64]
    """Index of its threshold, `Normality.keys`."""
    build: NDArray[np.int64]
    """Index of the threshold of its build, `Normality.build_keys`."""
    window: NDArray[np.int64]
    """Row of its window in the window table."""


@torch.no_grad()
def fit_features(diagnoser: TensorDiagnoser, data: HydraulicDataModule) -> None:
    """Fit the whitening of a diagnoser's features, after its normaliser and before its training.

    Raises:
        SpecError: No training window is to learn from and observed.
    """
    normality = diagnoser.normality
    assert normality is not None
    moments = normality.moments()
    for batch in data.learned_dataloader(data.split.train):
        inputs = diagnoser.normalise(batch.inputs)
        normality.gather(moments, inputs)
    if not bool((moments.count > 0).any()):
        raise SpecError("task.normality: no training window is healthy and observed")
    normality.adopt(moments)


@torch.no_grad()
def held_out_scores(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, smoothing: float
) -> dict[str, HeldOutScores]:
    """Return the scores of each level on the validation windows that normality learns from.

    Raises:
        SpecError: There is no such window.
    """
    normality = diagnoser.normality
    assert normality is not None
    diagnoser.eval()
    found: dict[str, list[tuple[Tensor, ...]]] = {}
    for batch in data.learned_dataloader(data.split.val):
        residual = diagnoser.raw(batch.inputs).residual
        assert residual is not None
        by_level, key = normality.scores(batch.inputs, residual), normality.keys(batch.inputs)
        graphs, build = normality.graphs(batch.inputs), normality.build_keys(batch.inputs)
        for level, score in by_level.items():
            window = batch.window[graphs[level]]
            part = (score.squeeze(-1).double(), key[level], build[level], window)
            found.setdefault(level, []).append(part)
    if not found:
        raise SpecError(
            "task.normality: no validation window is healthy, but they set the threshold; "
            "accepted: a data.split that leaves some"
        )
    scores = {}
    for level, parts in found.items():
        raw, own, of_build, at = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
        smooth = _smoothed(raw, own, at, data, smoothing)
        scores[level] = HeldOutScores(smooth, own, of_build, at)
    return scores


@torch.no_grad()
def calibrate(diagnoser: TensorDiagnoser, data: HydraulicDataModule, spec: NormalitySpec) -> None:
    """Set a trained diagnoser's thresholds on the scores of held-out windows to learn from.

    Each sensor of a build, each component and each build has its own threshold, set by the rule of
    the task on scores with its smoothing. Without own scores it is the threshold of all scores of
    the level. For `conformal`, windows that the split keeps together count as one observation.

    Raises:
        SpecError: No validation window is to learn from.
    """
    normality = diagnoser.normality
    assert normality is not None
    scores = held_out_scores(diagnoser, data, spec.smoothing)
    rate, rule = spec.false_alarm_rate, THRESHOLDS[spec.threshold]
    normality.held_out.fill_(_fewest_units(scores[MACHINE], data, spec))
    for level, table in normality.thresholds().items():
        score, own, build, window = scores[level]
        unit_of, builds = data.units[window], len(normality.build_rows(level))
        table[:builds] = rule(score, rate, unit_of)
        table[builds:] = torch.nan  # a machine without own scores has the threshold of its build
        for key_of in (build, own) if spec.threshold_by == "machine" else (build,):
            for row in np.unique(key_of):
                selected = key_of == row
                threshold = rule(score[selected], rate, unit_of[selected])
                if not np.isnan(threshold):
                    table[row] = threshold


def _fewest_units(machines: HeldOutScores, data: HydraulicDataModule, spec: NormalitySpec) -> int:
    """Return the number of independent held-out observations of a machine threshold.

    With thresholds by machine, it is that of the machine which has the fewest.
    """
    known = ~np.isnan(machines.score)
    if spec.threshold_by == "build":
        return independent_units(data, machines.window[known])
    keys = machines.key[known]
    each = [independent_units(data, machines.window[known][keys == key]) for key in np.unique(keys)]
    return min(each, default=0)


def _smoothed(
    score: NDArray[np.float64],
    key: NDArray[np.int64],
    window: NDArray[np.int64],
    data: HydraulicDataModule,
    smoothing: float,
) -> NDArray[np.float64]:
    """Smooth the scores of each key over its consecutive windows."""
    result = score.copy()
    for each in np.unique(key):
        selected = np.flatnonzero(key == each)
        selected = selected[np.argsort(window[selected], kind="stable")]
        rows = data.table.iloc[window[selected]]
        result[selected] = smoothed(score[selected], rows, data.window.stride_s, smoothing)
    return result
