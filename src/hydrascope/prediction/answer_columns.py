"""From a model's answers to columns of Arrow, without an object for each row.

Shapes: W windows, K rows of a head in each window, R rows in all.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from hydrascope.models import conformal
from hydrascope.notebook.answer_table import (
    BLAMED,
    NORMALITY,
    OPERATING,
    normality_places,
    places_of,
)
from hydrascope.notebook.answerer import AnsweredWindows
from hydrascope.packaging.manifest import Manifest
from hydrascope.prediction.answer_file import SCHEMA
from hydrascope.prediction.judged import Judged
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.normality import BLAME
from hydrascope.schemas.task import HeadKind, HeadSpec
from hydrascope.serving.diagnosis.findings import Limits, outcomes

Columns = dict[str, NDArray[Any]]
"""Some of the columns of `SCHEMA`, of one shape; those that are left out are null.

Numbers are float64, where NaN is null. Other columns are objects, where None is null.
"""
_NUMBERS = tuple(each.name for each in SCHEMA if pa.types.is_floating(each.type))
_MICROSECOND = timedelta(microseconds=1)


class _Classes(NamedTuple):
    """The probabilities of graded rows."""

    names: tuple[str, ...]
    """Of the classes, [C]; empty if the rows are not graded."""
    values: NDArray[np.float64]
    """[W, K, C]"""


def answer_table(manifest: Manifest, version: str, windows: AnsweredWindows) -> pa.Table:
    """Return the rows of some windows: those of the heads, of normality and of the blame.

    Args:
        manifest: What the numbers mean.
        version: Of the model.
        windows: Of one machine.
    """
    machine = windows.prepared.machine
    numbers = {name: values.numpy() for name, values in windows.decoded.items()}
    start_us = pd.DatetimeIndex([*windows.starts]).as_unit("us").asi8
    judged = Judged(machine, numbers, len(start_us), manifest.window.window_s)
    said = [_head_columns(head, manifest, machine, numbers, judged) for head in manifest.task.heads]
    places = sum(classes.values.shape[1] for _, classes in said)
    heads = _joined([columns for columns, _ in said])
    heads["unlike"] = np.repeat(judged.unlike, places)
    heads["unusable"] = np.repeat(judged.unusable, places)
    said_of = [
        _normality(manifest, machine, numbers, len(start_us)),
        _blame(machine, numbers, len(start_us)),
    ]
    length_us = timedelta(seconds=manifest.window.window_s) // _MICROSECOND

    def table(columns: Columns, begin_us: NDArray[np.int64], probabilities: pa.Array) -> pa.Table:
        same = {"equipment_id": machine.equipment.equipment_id, "model": version}
        known: dict[str, pa.Array] = {
            "start": pa.array(begin_us, SCHEMA.field("start").type),
            "end": pa.array(begin_us + length_us, SCHEMA.field("end").type),
            "probabilities": probabilities,
            **{name: pa.repeat(pa.scalar(text), len(begin_us)) for name, text in same.items()},
        }
        return pa.table([_array(each, columns, known, len(begin_us)) for each in SCHEMA], SCHEMA)

    none = SCHEMA.field("probabilities").type
    return pa.concat_tables(
        [
            table(heads, np.repeat(start_us, places), _maps([classes for _, classes in said])),
            *(table(own, start_us[window], pa.nulls(len(window), none)) for window, own in said_of),
        ]
    )


def _array(field: pa.Field, columns: Columns, known: Mapping[str, pa.Array], rows: int) -> pa.Array:
    if field.name in known:
        return known[field.name]
    if field.name not in columns:
        return pa.nulls(rows, field.type)
    return pa.array(columns[field.name], field.type, from_pandas=True)


def _head_columns(
    head: HeadSpec,
    manifest: Manifest,
    machine: Machine,
    numbers: Mapping[str, NDArray[Any]],
    judged: Judged,
) -> tuple[Columns, _Classes]:
    """Return the columns of a head, [W, K] each, and its classes with their probabilities."""
    places = places_of(head, machine)
    rows = [row for row, _ in places]
    windows = judged.windows
    answers = _by_window(numbers[head.name], windows)[:, rows].astype(np.float64)
    limits = Limits.from_manifest(head, manifest)
    right, reliable, reasons = judged.trust(head, rows, limits.least_right)
    given, classes = _given(head, answers, limits, np.equal(reliable, False)[..., None])
    labels = _labels(head)

    def spread(values: NDArray[Any]) -> NDArray[Any]:
        """[W, places] → [W, K]."""
        return np.repeat(values, len(labels), axis=1)

    shape = (windows, len(places) * len(labels))
    components = np.array([name for _, name in places], dtype=object)
    columns = {
        "head": np.full(shape, head.name, dtype=object),
        "component": np.broadcast_to(np.repeat(components, len(labels)), shape),
        "label": np.broadcast_to(np.tile(np.array(labels, dtype=object), len(places)), shape),
        "right": spread(right),
        "reliable": spread(reliable),
        "reasons": spread(reasons),
        **{name: values.reshape(shape) for name, values in given.items()},
    }
    return columns, classes


def _labels(head: HeadSpec) -> tuple[str | None, ...]:
    """Return the labels of the rows of a place."""
    many = head.labels and head.kind in (HeadKind.REGRESSION, HeadKind.MULTI_LABEL)
    return head.labels if many else (None,)


def _given(
    head: HeadSpec, answers: NDArray[np.float64], limits: Limits, withheld: NDArray[np.bool_]
) -> tuple[Columns, _Classes]:
    """Return what a head says, [W, places, labels] each; of unreliable answers less.

    Args:
        head: That answered.
        answers: Decoded, [W, places, size].
        limits: Of the head.
        withheld: Which answers are not reliable, [W, places, 1].
    """
    ungraded = _Classes((), np.empty((len(answers), len(_labels(head)) * answers.shape[1], 0)))
    match head.kind:
        case HeadKind.REGRESSION:
            columns: Columns = {"value": answers if head.labels else answers[..., [head.median]]}
            if limits.margins and head.labels:
                columns |= {"low": answers - limits.margins, "high": answers + limits.margins}
            elif limits.margins:
                flat = answers.reshape(-1, answers.shape[-1]).tolist()
                ends = np.array([conformal.interval(head, x, limits.margins[0]) for x in flat])
                ends = ends.reshape(*answers.shape[:2], 2)
                columns |= {"low": ends[..., :1], "high": ends[..., 1:]}
            return {name: _kept(x, withheld) for name, x in columns.items()}, ungraded
        case HeadKind.BINARY | HeadKind.MULTI_LABEL:
            present = (answers >= np.array(limits.thresholds)).astype(object)
            return {"present": _kept(present, withheld), "probability": answers}, ungraded
        case HeadKind.MULTI_CLASS | HeadKind.ORDINAL:
            best = answers.argmax(-1)[..., None]
            names = np.array(outcomes(head), dtype=object)
            most = np.take_along_axis(answers, best, axis=-1)
            columns = {
                "outcome": _kept(names[best], withheld),
                "probability": _kept(most, withheld),
            }
            return columns, _Classes(outcomes(head), answers)


def _kept(values: NDArray[Any], withheld: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the values, with null for those that are withheld."""
    kept = values.copy()
    kept[np.broadcast_to(withheld, values.shape)] = np.nan if values.dtype.kind == "f" else None
    return kept


def _joined(heads: Sequence[Columns]) -> Columns:
    """Join the columns of heads, [W, K] each, to rows window by window, [R]."""
    names = dict.fromkeys(name for columns in heads for name in columns)
    return {
        name: np.concatenate(
            [columns.get(name, _empty(name, columns["head"].shape)) for columns in heads], axis=1
        ).ravel()
        for name in names
    }


def _empty(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.full(shape, np.nan) if name in _NUMBERS else np.full(shape, None, dtype=object)


def _maps(heads: Sequence[_Classes]) -> pa.Array:
    """Return the probabilities of classes of all rows, window by window; null without classes."""
    if not heads:
        return pa.nulls(0, SCHEMA.field("probabilities").type)
    windows = len(heads[0].values)
    sizes = np.concatenate([np.full(each.values.shape[1], len(each.names)) for each in heads])
    keys = [name for each in heads for _ in range(each.values.shape[1]) for name in each.names]
    values = np.concatenate([each.values.reshape(windows, -1) for each in heads], axis=1)
    offsets = np.concatenate([[0], np.cumsum(np.tile(sizes, windows))]).astype(np.int32)
    null = np.zeros(len(offsets), dtype=np.bool_)  # the last offset is no row's
    null[:-1] = np.tile(sizes == 0, windows)
    return pa.MapArray.from_arrays(
        pa.array(offsets, mask=null),
        pa.array(keys * windows, pa.string()),
        pa.array(values.ravel()),
    )


def _normality(
    manifest: Manifest, machine: Machine, numbers: Mapping[str, NDArray[Any]], windows: int
) -> tuple[NDArray[np.intp], Columns]:
    """Return the window of each row, [R], and the columns of all scores that there are."""
    places = normality_places(machine)
    levels = [name for name in places if name in numbers]
    if not levels:
        return np.empty(0, dtype=np.intp), {"head": np.empty(0, dtype=object)}
    shares = np.concatenate([_by_window(numbers[name], windows)[..., 0] for name in levels], axis=1)
    names = np.array([place for name in levels for place in places[name]], dtype=object)
    window, place = np.nonzero(~np.isnan(shares))  # NaN: there is nothing to score
    value = shares[window, place].astype(np.float64)
    present = (value > 1.0).astype(object)
    if manifest.alarm_width is not None:  # no window alone makes an alarm
        present[names[place, 1] != OPERATING] = None
    return window, {
        "head": np.full(len(value), NORMALITY, dtype=object),
        "component": names[place, 0],
        "label": names[place, 1],
        "value": value,
        "present": present,
    }


def _blame(
    machine: Machine, numbers: Mapping[str, NDArray[Any]], windows: int
) -> tuple[NDArray[np.intp], Columns]:
    """Return the window of each row, [R], and the columns of all probabilities that there are."""
    if BLAME not in numbers:
        return np.empty(0, dtype=np.intp), {"head": np.empty(0, dtype=object)}
    probability = _by_window(numbers[BLAME], windows)[..., 0].astype(np.float64)
    window, place = np.nonzero(~np.isnan(probability))  # NaN: nothing is to blame
    names = np.array([each.id for each in machine.topology.components], dtype=object)
    most = probability == probability.max(axis=1, keepdims=True)
    return window, {
        "head": np.full(len(window), BLAMED, dtype=object),
        "component": names[place],
        "present": most[window, place],
        "probability": probability[window, place],
    }


def _by_window(values: NDArray[Any], windows: int) -> NDArray[Any]:
    """Return the rows of each window of the same machine, [W, rows, size]."""
    return values.reshape(windows, -1, values.shape[-1])
