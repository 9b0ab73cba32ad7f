"""The fit of the thresholds of normality, after the training."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hydrascope.data.cross_parts import held_out_parts
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.held_out import independent_units
from hydrascope.data.interval_units import run_units
from hydrascope.models.base import ModelOutput
from hydrascope.models.blame.components import Blame
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.normality.scored_windows import (
    EVIDENCE,
    ScoredWindows,
    ScoresByLevel,
    joined,
)
from hydrascope.models.normality.scores import Normality
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.normality import LEVELS, MACHINE, SENSOR, NormalitySpec
from hydrascope.tasks.alarm_thresholds import THRESHOLDS
from hydrascope.tasks.score_runs import over_runs
from hydrascope.training.fit_blame import fit_blame, why_no_blame
from hydrascope.training.fit_operating import fit_operating
from hydrascope.training.hourly_alarms import HourlyAlarms


class HeldOutScores(NamedTuple):
    """The scores of one level on held-out windows, [R] each, ordered by their windows."""

    score: NDArray[np.float64]
    """What is judged, over runs, not divided by its threshold; NaN if there is nothing to judge.
    With a budget in hours the scores of single windows, which the alarm test joins."""
    key: NDArray[np.int64]
    """Index of its threshold, `Normality.keys`."""
    build: NDArray[np.int64]
    """Index of the threshold of its build, `Normality.build_keys`."""
    window: NDArray[np.int64]
    """Row of its window in the window table."""


@torch.no_grad()
def scored(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, rows: NDArray[np.int64]
) -> dict[str, ScoredWindows]:
    """Return the scores of each level, and `EVIDENCE`, on the windows to learn from among `rows`.

    Raises:
        SpecError: There is no such window.
    """
    normality = diagnoser.normality
    assert normality is not None
    diagnoser.eval()
    found = []
    blame = None if why_no_blame(diagnoser, data) else Blame(data.input_spec)
    for batch in data.learned_dataloader(rows):
        inputs = diagnoser.normalise(batch.inputs)
        key, build = normality.keys(inputs), normality.build_keys(inputs)
        graphs = normality.graphs(inputs)
        # Where a detector scores beside the model, the model need not answer.
        output = ModelOutput({}) if normality.beside else diagnoser.output_of(inputs)
        parts, shares = normality.detected(inputs, output)
        if blame is not None and shares is not None:
            parts = parts | {EVIDENCE: blame.raw(inputs, shares)}
            for each in (key, build, graphs):
                each[EVIDENCE] = each[SENSOR]
        found.append(
            {
                level: ScoredWindows(
                    own.double(), key[level], build[level], batch.window[graphs[level]]
                )
                for level, own in parts.items()
            }
        )
    if not found:
        raise SpecError(f"task.normality: none of {len(rows)} held-out windows is to learn from")
    return joined(found)


def held_out_scores(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, spec: NormalitySpec
) -> dict[str, HeldOutScores]:
    """Return what is judged on the held-out windows to learn from, by level.

    These are the validation windows, and the training windows that were held out in turn.
    """
    assert diagnoser.normality is not None
    return _over_all_runs(diagnoser.normality, _held_out(diagnoser, data), data, spec)


def _held_out(diagnoser: TensorDiagnoser, data: HydraulicDataModule) -> dict[str, ScoredWindows]:
    assert diagnoser.normality is not None
    found: list[ScoresByLevel] = [scored(diagnoser, data, data.split.val)]
    if diagnoser.normality.in_turn is not None:
        found.append(diagnoser.normality.in_turn)
    return joined(found)


def _over_all_runs(
    normality: Normality,
    found: ScoresByLevel,
    data: HydraulicDataModule,
    spec: NormalitySpec,
) -> dict[str, HeldOutScores]:
    scores = {}
    for level in found.keys() & set(LEVELS):
        each = found[level]
        order = torch.argsort(each.window, stable=True)
        parts, key, build, window = (column[order] for column in each)
        score = normality.score(parts).numpy()
        own, at = key.numpy(), window.numpy()
        if spec.false_alarms_per_1000_h is None:
            score = _over_runs(score, own, at, data, spec)
        scores[level] = HeldOutScores(score, own, build.numpy(), at)
    return scores


@torch.no_grad()
def calibrate(diagnoser: TensorDiagnoser, data: HydraulicDataModule, spec: NormalitySpec) -> None:
    """Set a trained diagnoser's thresholds on the scores of held-out windows to learn from.

    Each sensor of a build, each component and each build has its own threshold, set by the rule of
    the task on the scores over its runs. Without own scores it is the threshold of all scores of
    the level. For `conformal`, windows that the split keeps together count as one observation. With
    a budget in hours the thresholds are those of the alarm test (`tasks.alarm_budget`). What counts
    as a new operating point is fitted too. Where scores have shares of sensors, the diagnoser gets
    its blame.
    """
    normality = diagnoser.normality
    assert normality is not None
    if normality.operating is not None:
        fit_operating(normality.operating, data)
    held_out = _held_out(diagnoser, data)
    scores = _over_all_runs(normality, held_out, data, spec)
    normality.held_out.fill_(_fewest_units(scores[MACHINE], data, spec))
    normality.width.fill_(torch.nan)
    for number, level in enumerate(LEVELS):
        table = normality.thresholds()[level]
        score, own, build, window = scores[level]
        if spec.false_alarms_per_1000_h is None:
            threshold_of = _of_windows(scores[level], data, spec)
        else:
            key = own if spec.threshold_by == "machine" else build
            alarms = HourlyAlarms(score, key, window, data, spec)
            normality.width[number] = alarms.width
            if level == MACHINE:
                normality.held_out_h.fill_(alarms.hours)
            threshold_of = alarms.threshold
        builds = normality.topologies if level == MACHINE else normality.slots
        table[:builds] = threshold_of(np.ones(len(score), dtype=bool))
        table[builds:] = torch.nan  # a machine without own scores has the threshold of its build
        for key_of in (build, own) if spec.threshold_by == "machine" else (build,):
            for row in np.unique(key_of):
                threshold = threshold_of(key_of == row)
                if not np.isnan(threshold):
                    table[row] = threshold
    if EVIDENCE in held_out:
        by_machine = spec.threshold_by == "machine"
        fit_blame(diagnoser, data, held_out[EVIDENCE], by_machine=by_machine)


def _of_windows(
    held_out: HeldOutScores, data: HydraulicDataModule, spec: NormalitySpec
) -> Callable[[NDArray[np.bool_]], float]:
    """Return what sets the threshold of chosen scores by the rule of the task."""
    rate, rule = spec.false_alarm_rate, THRESHOLDS[spec.threshold]
    unit = data.units[held_out.window]
    assert rate is not None

    def threshold(chosen: NDArray[np.bool_]) -> float:
        return rule(held_out.score[chosen], rate, unit[chosen])

    return threshold


def _fewest_units(machines: HeldOutScores, data: HydraulicDataModule, spec: NormalitySpec) -> int:
    """Return the number of independent held-out observations of a machine threshold.

    With thresholds by machine, it is that of the machine which has the fewest.
    """
    known = ~np.isnan(machines.score)
    window, key, parts = machines.window[known], machines.key[known], held_out_parts(data, spec)

    def units(judged: NDArray[np.int64]) -> int:
        own = [part._replace(rows=np.intersect1d(part.rows, judged)) for part in parts]
        return independent_units(data, own)

    if spec.threshold_by == "build":
        return units(window)
    return min((units(window[key == each]) for each in np.unique(key)), default=0)


def _over_runs(
    score: NDArray[np.float64],
    key: NDArray[np.int64],
    window: NDArray[np.int64],
    data: HydraulicDataModule,
    spec: NormalitySpec,
) -> NDArray[np.float64]:
    """Return what is judged of the scores of each key, by `over_runs`."""
    result = score.copy()
    units = run_units(data.unit, data.units)
    for each in np.unique(key):
        own = np.flatnonzero(key == each)
        at = window[own]
        result[own] = over_runs(
            score[own], data.table.iloc[at], units[at], data.window.stride_s, spec
        )
    return result
