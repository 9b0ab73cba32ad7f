"""How often the component with the most evidence is the faulty one.

Shapes: R rows, W windows with a fault, N components of the largest machine.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.bootstrap import Array, Bootstrap
from hydrascope.evaluation.breakdown import Judged, machine_kinds, with_intervals
from hydrascope.evaluation.predictions import LocatedPredictions
from hydrascope.schemas.task import HEALTH, HeadKind, HeadLevel, HeadSpec

FREQUENT = "most frequent component"
"""The baseline: always name the component that is faulty most often in training windows of the same
kind of machine."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Places:
    """Windows with a faulty component, and the evidence for each of their components.

    Attributes:
        window: [W] rows of the window table.
        evidence: [W, N] the highest probability of any fault; −inf if no head has a label.
        faulty: [W, N] whether the component is faulty.
    """

    window: NDArray[np.int64]
    evidence: Array
    faulty: Flags


def localisation(
    heads: Sequence[HeadSpec],
    predictions: Mapping[str, LocatedPredictions],
    data: HydraulicDataModule,
    bootstrap: Bootstrap,
    model: str,
) -> dict[str, Any] | None:
    """Return how often a faulty component is named first; None if no head can locate faults.

    `windows` counts the windows with a fault and at least two labelled components. `judged` holds
    the metrics of the model and of `FREQUENT`, each with its interval:

    - `top1`: the share of windows in which the named component is faulty.
    - `top1_strict`: the share in which it has the lowest label `health`, over windows in which the
      data have this label for all components.

    Args:
        heads: The heads that are answered.
        predictions: Each head's answers on the test windows.
        data: The data that hold the windows.
        bootstrap: The draws for the intervals.
        model: The model's name.
    """
    flags = (HeadKind.BINARY, HeadKind.MULTI_LABEL)
    used = [head for head in heads if head.kind in flags and head.level is HeadLevel.COMPONENT]
    places = find_places(used, predictions)
    if not len(places.window):
        return None
    worst = _worst(places, data)
    guesses = {
        model: np.eye(places.evidence.shape[1])[places.evidence.argmax(1)],
        FREQUENT: _guesses(used, places, data),
    }
    return {
        "windows": len(places.window),
        "heads": [head.name for head in used],
        "judged": {
            name: _judge(guess, places, worst, bootstrap) for name, guess in guesses.items()
        },
    }


def find_places(heads: Sequence[HeadSpec], predictions: Mapping[str, LocatedPredictions]) -> Places:
    """Join the evidence of several heads on the components of each window."""
    rows = [_of_head(head, predictions[head.name]) for head in heads]
    rows = [each for each in rows if len(each[0])]
    if not rows:
        return Places(np.empty(0, np.int64), np.empty((0, 0)), np.empty((0, 0), np.bool_))
    window, component, p, fault = (np.concatenate(each) for each in zip(*rows, strict=True))
    windows, place = np.unique(window, return_inverse=True)
    evidence = np.full((len(windows), component.max() + 1), -np.inf)
    np.maximum.at(evidence, (place, component), p)
    faulty = np.zeros(evidence.shape, np.bool_)
    np.logical_or.at(faulty, (place, component), fault)
    kept = faulty.any(axis=1) & (np.isfinite(evidence).sum(axis=1) >= 2)
    return Places(windows[kept], evidence[kept], faulty[kept])


def localisation_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the results as lines of text."""
    yield f"Faulty component named first, {found['windows']} windows with a fault:"
    for name, metrics in found["judged"].items():
        shares = (f"{metric} {_percent(each)}" for metric, each in metrics.items())
        yield f"  {name}: {', '.join(shares)}"


def _percent(judged: Mapping[str, Any]) -> str:
    if judged["value"] is None:
        return "–"
    between = ""
    if judged["interval"] is not None:
        low, high = judged["interval"]
        between = f" ({100 * low:.1f} to {100 * high:.1f})"
    return f"{100 * judged['value']:.1f} %{between}"


def _faults(head: HeadSpec, target: Tensor) -> Tensor:
    """Return whether there is a fault, [...] bool; a missing label is no fault."""
    return (target == (0 if head.healthy == 1 else 1)).any(dim=-1)


def _of_head(
    head: HeadSpec, rows: LocatedPredictions
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Flags]:
    """Return window, component, evidence and whether there is a fault, [R] each."""
    p = 1.0 - rows.prediction if head.healthy == 1 else rows.prediction
    evidence = p.double().masked_fill(rows.target.isnan(), -np.inf).amax(dim=1)
    faulty = _faults(head, rows.target)
    return rows.window.numpy(), rows.component.numpy(), evidence.numpy(), faulty.numpy()


def _worst(places: Places, data: HydraulicDataModule) -> Array:
    """Return 1 for the components of the lowest health, [W, N]; NaN in windows without it."""
    health: Array = np.full_like(places.evidence, np.nan)
    kinds = machine_kinds(data)[places.window]
    topologies = {machine.topology.id: machine.topology for machine in data.machines.values()}
    for kind, topology in topologies.items():
        of_kind = kinds == kind
        for number, component in enumerate(topology.components[: health.shape[1]]):
            column = f"{component.id}.{HEALTH}"
            if column in data.table:
                values = data.table[column].to_numpy(dtype=np.float64)
                health[of_kind, number] = values[places.window[of_kind]]
    judged = np.isfinite(places.evidence)
    known = ~(judged & np.isnan(health)).any(axis=1, keepdims=True)
    health = np.where(judged, health, np.inf)
    lowest: Array = np.where(known, health == health.min(axis=1, keepdims=True), np.nan)
    return lowest


def _guesses(heads: Sequence[HeadSpec], places: Places, data: HydraulicDataModule) -> Array:
    """Return the weight of each component in the guess of `FREQUENT`, [W, N].

    All components of a kind of machine without a fault in training have the same weight.
    """
    judged = np.isfinite(places.evidence)
    guess: Array = judged / judged.sum(axis=1, keepdims=True)
    counts: dict[str, NDArray[np.int64]] = {}
    for machine, rows in data.dataset.locate(data.split.train):
        faults = sum(_faults(head, machine.targets[head.name][rows]).long() for head in heads)
        assert isinstance(faults, Tensor)
        kind = data.machines[machine.equipment_id].topology.id
        counts[kind] = counts.get(kind, 0) + (faults > 0).sum(0).numpy()
    kinds = machine_kinds(data)[places.window]
    for kind, count in counts.items():
        if count.any():
            guess[kinds == kind] = np.eye(guess.shape[1])[count[: guess.shape[1]].argmax()]
    return guess


def _judge(guess: Array, places: Places, worst: Array, bootstrap: Bootstrap) -> Judged:
    known = ~np.isnan(worst[:, 0])
    right = (guess * places.faulty).sum(axis=1)
    strict = (guess * np.nan_to_num(worst)).sum(axis=1)
    sums = np.stack([np.ones_like(right), right, known, known * strict], axis=1)
    point = _shares(sums.sum(axis=0))
    drawn = bootstrap.of_sums(sums, places.window, _shares)
    return with_intervals(point, drawn, bootstrap)


def _shares(sums: Array) -> dict[str, Array]:
    """Return `top1` and `top1_strict` from sums [..., 4]."""
    windows, right, known, strict = np.moveaxis(sums, -1, 0)
    return {
        "top1": right / np.where(windows > 0, windows, np.nan),
        "top1_strict": strict / np.where(known > 0, known, np.nan),
    }
