"""The answers about the real rig of a network trained on simulated ones, and their metrics."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from hydrascope.evaluation.bootstrap import Array, Bootstrap, auroc
from hydrascope.evaluation.predictions import predict
from hydrascope.experiment.assemble import build_datamodule, load_checkpoint, parts_of
from hydrascope.experiment.base import Target
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.telemetry.rig.severities import GRADES, label_of
from hydrascope.training.checkpoint import read_checkpoint

_RECORDED = "hydrascope.telemetry.rig.recorded.RecordedRig"
_DRAWS = 500


class Answers(NamedTuple):
    """The answers to W cycles that are no references."""

    severity: Mapping[str, Array]
    """By component, [W]."""
    truth: Mapping[str, Array]
    """The severities of the grades, likewise."""
    condition: NDArray[np.int64]
    """The number of each cycle's condition, [W]."""


class Figure(NamedTuple):
    """A figure with its 95 % interval over conditions."""

    value: float
    low: float
    high: float


class Figures(NamedTuple):
    """The metrics of a component."""

    others_any: Figure
    """AUROC of its worst grade against cycles in which it is as new, whatever the others are."""
    all_new: Figure
    """AUROC of the same against cycles in which all four are as new."""
    rank: Figure
    """Spearman's rank correlation of severity and grade."""
    by_grade: tuple[float, ...]
    """The mean severity that is answered, from as new to the worst grade."""


def answer(ckpt: Path, machine_file: Path, store: Path) -> Answers:
    """Return the answers of a checkpoint to all cycles of the real rig but the references."""
    checkpoint = read_checkpoint(ckpt)
    recipe = parts_of(checkpoint).recipe
    diagnoser = load_checkpoint(recipe, checkpoint)
    settings = TrainSettings.model_validate(checkpoint.record["settings"])
    source = Target.model_validate({"_target_": _RECORDED, "machine_file": str(machine_file)})
    kept = settings.data.store.model_copy(update={"folder": str(store)})
    changed = settings.data.model_copy(update={"source": source, "store": kept})
    data = build_datamodule(changed, settings.features, settings.task, settings.seed)
    data.read_as(recipe.input_spec)
    data.judge_all()
    data.setup()
    with torch.no_grad():
        found = predict(diagnoser, data.test_dataloader())
    table = data.table.iloc[data.split.test]
    severity = {name: _of_component(found[name].prediction, len(table)) for name in GRADES}
    return Answers(severity, *_truth(table))


def _of_component(prediction: torch.Tensor, windows: int) -> Array:
    assert len(prediction) == windows, "one component of the rig has each label"
    values: Array = prediction[:, 0].double().numpy()
    return values


def _truth(table: pd.DataFrame) -> tuple[dict[str, Array], NDArray[np.int64]]:
    truth = {name: table[label_of(name)].to_numpy(dtype=np.float64) for name in GRADES}
    return truth, pd.factorize(table["condition"], sort=True)[0].astype(np.int64)


def figures(answers: Answers, component: str) -> Figures:
    """Return the figures of a component, with intervals over conditions."""
    score, truth = answers.severity[component], answers.truth[component]
    worst, new = truth == truth.max(), truth == 0.0
    every = np.all([each == 0.0 for each in answers.truth.values()], axis=0)
    grades = np.unique(truth)
    return Figures(
        _auroc(answers, score, worst, new),
        _auroc(answers, score, worst, every),
        _rank(answers, score, truth),
        tuple(float(score[truth == grade].mean()) for grade in grades),
    )


def _auroc(answers: Answers, score: Array, worst: Array, sound: Array) -> Figure:
    rows = np.flatnonzero(worst | sound)
    bootstrap = Bootstrap("conditions", answers.condition, _units(answers, rows), _DRAWS)
    drawn = bootstrap.of_rows(rows, lambda weights: auroc(score[rows], worst[rows], weights))
    value = auroc(score[rows], worst[rows], np.ones((1, len(rows))))[0]
    return _figure(float(value), bootstrap, drawn)


def _rank(answers: Answers, score: Array, truth: Array) -> Figure:
    rows = np.arange(len(score))
    bootstrap = Bootstrap("conditions", answers.condition, _units(answers, rows), _DRAWS)
    drawn = bootstrap.of_rows(rows, lambda weights: rank_correlation(score, truth, weights))
    value = rank_correlation(score, truth, np.ones((1, len(rows))))[0]
    return _figure(float(value), bootstrap, drawn)


def _units(answers: Answers, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(answers.condition[rows])


def _figure(value: float, bootstrap: Bootstrap, drawn: Array) -> Figure:
    low, high = bootstrap.interval(drawn) or (np.nan, np.nan)
    return Figure(value, low, high)


def rank_correlation(one: Array, other: Array, weights: Array) -> Array:
    """Return Spearman's rank correlation of two series [R] for each weighting [B, R], as [B].

    Equal values share their mean rank.
    """
    a, b = (_ranks(each, weights) for each in (one, other))
    total = weights.sum(1, keepdims=True)
    a, b = (each - (weights * each).sum(1, keepdims=True) / total for each in (a, b))
    product, squares = (weights * a * b).sum(1), [(weights * each**2).sum(1) for each in (a, b)]
    correlation: Array = product / np.sqrt(np.maximum(squares[0] * squares[1], 1e-300))
    return correlation


def _ranks(values: Array, weights: Array) -> Array:
    """Return the ranks [B, R] of values [R] of which each counts as often as its weight says."""
    order = np.argsort(values, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(values[order]) != 0])
    weight = np.add.reduceat(weights[:, order], first, axis=1)
    middle = np.cumsum(weight, axis=1) - 0.5 * weight
    place = np.empty(len(values), dtype=np.int64)
    place[order] = np.repeat(np.arange(len(first)), np.diff(np.r_[first, len(values)]))
    return middle[:, place]
