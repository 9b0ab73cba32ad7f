"""The fit of normality scores: whitening before the training, thresholds after it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import MACHINE, NormalitySpec
from hydrascope.tasks.alarm_thresholds import conformal_threshold, smoothed


@torch.no_grad()
def fit_features(diagnoser: TensorDiagnoser, data: HydraulicDataModule) -> None:
    """Fit the whitening of a diagnoser's features, after its normaliser and before its training.

    Raises:
        SpecError: No training window is healthy and observed.
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
def calibrate(diagnoser: TensorDiagnoser, data: HydraulicDataModule, spec: NormalitySpec) -> None:
    """Set a trained diagnoser's thresholds on the scores of healthy validation windows.

    Each sensor of a build, each component and each build has its own threshold, fitted on scores
    with the smoothing of the task. Without own scores it is the threshold of all scores of the
    level. Windows that the split keeps together count as one observation.

    Raises:
        SpecError: No validation window is healthy.
    """
    normality = diagnoser.normality
    assert normality is not None
    diagnoser.eval()
    scores: dict[str, list[Tensor]] = {}
    keys: dict[str, list[Tensor]] = {}
    windows: dict[str, list[Tensor]] = {}
    for batch in data.learned_dataloader(data.split.val):
        residual = diagnoser.raw(batch.inputs).residual
        assert residual is not None
        by_level, key = normality.scores(batch.inputs, residual), normality.keys(batch.inputs)
        graphs = normality.graphs(batch.inputs)
        for level, score in by_level.items():
            scores.setdefault(level, []).append(score.squeeze(-1))
            keys.setdefault(level, []).append(key[level])
            windows.setdefault(level, []).append(batch.window[graphs[level]])
    if not scores:
        raise SpecError(
            "task.normality: no validation window is healthy, but they set the threshold; "
            "accepted: a data.split that leaves some"
        )
    scored = torch.cat(windows[MACHINE])[~torch.cat(scores[MACHINE]).isnan()]
    normality.held_out.fill_(len(np.unique(data.units[scored.numpy()])))
    for level, table in normality.thresholds().items():
        key_of = torch.cat(keys[level]).numpy()
        smooth = _smoothed(
            torch.cat(scores[level]).double().numpy(),
            key_of,
            torch.cat(windows[level]).numpy(),
            data,
            spec.smoothing,
        )
        unit_of = data.units[torch.cat(windows[level]).numpy()]
        common = conformal_threshold(smooth, spec.false_alarm_rate, unit_of)
        for row in range(len(table)):
            selected = key_of == row
            own = conformal_threshold(smooth[selected], spec.false_alarm_rate, unit_of[selected])
            table[row] = common if np.isnan(own) else own


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
