"""Augmentation of training windows.

It prevents a network from relying on one sensor, one line or one alignment in time. The draws for a
window are a function of (seed, epoch, window, transform). They do not depend on the batch, the
loader process or the rank, and are the same after a training is resumed. A batch's tensors are
replaced, never written to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from hydrascope.data.batch import TrainingBatch

Generators = Sequence[np.random.Generator]
"""One generator for each graph of a batch."""


@runtime_checkable
class Transform(Protocol):
    """A transform of batches that draws for graph g from `random[g]` only."""

    def __call__(self, batch: TrainingBatch, random: Generators) -> TrainingBatch:
        """Return the changed batch."""
        ...


def generators(draw: tuple[int, ...], windows: Tensor) -> list[np.random.Generator]:
    """Return a generator for each window [G], seeded by `draw` and the window."""
    return [np.random.default_rng((*draw, window)) for window in windows.tolist()]


@dataclass(frozen=True)
class FeatureNoise:
    """Adds normal noise of `std` times each feature's standard deviation over the window's steps.

    It needs no unit, and constant features stay constant.
    """

    std: float

    def __call__(self, batch: TrainingBatch, random: Generators) -> TrainingBatch:
        """Return the batch with noisy features; unobserved steps do not affect the deviation."""
        x, weight = batch.inputs.sensor_features, batch.inputs.sensor_observed.unsqueeze(-1)
        count = weight.sum(1, keepdim=True).clamp(min=1)
        mean = (x * weight).sum(1, keepdim=True) / count
        deviation = (((x - mean) * weight).square().sum(1, keepdim=True) / count).sqrt()
        noise = [
            rng.standard_normal((sensors, *x.shape[1:]), dtype=np.float32)
            for rng, sensors in zip(random, sensors_of(batch), strict=True)
        ]
        noisy = x + self.std * deviation * _joined(noise)
        return batch._replace(inputs=batch.inputs._replace(sensor_features=noisy))


@dataclass(frozen=True)
class SensorDropout:
    """Makes some sensors of a window unobserved, but never all of them.

    Each window draws the expected share evenly between 0 and `largest`, so that a network sees
    windows with few and with many missing sensors.
    """

    largest: float

    def __call__(self, batch: TrainingBatch, random: Generators) -> TrainingBatch:
        """Return the batch with a new mask; masked features keep their values."""
        kept = []
        for rng, sensors in zip(random, sensors_of(batch), strict=True):
            share = self.largest * rng.random()
            draws = rng.random(sensors)
            # The sensor with the largest draw always stays.
            kept.append(draws >= min(share, draws.max(initial=0.0)))
        observed = batch.inputs.sensor_observed & _joined(kept).unsqueeze(-1)
        return batch._replace(inputs=batch.inputs._replace(sensor_observed=observed))


@dataclass(frozen=True)
class EdgeDropout:
    """Removes each directed edge of a window with probability `share`."""

    share: float

    def __call__(self, batch: TrainingBatch, random: Generators) -> TrainingBatch:
        """Return the batch with fewer edges."""
        inputs = batch.inputs
        counts = _per_graph(batch, inputs.component_graph[inputs.edge_index[0]])
        kept = _joined(
            [rng.random(edges) >= self.share for rng, edges in zip(random, counts, strict=True)]
        )
        return batch._replace(
            inputs=inputs._replace(
                edge_index=inputs.edge_index[:, kept],
                edge_features=inputs.edge_features[kept],
                edge_features_mask=inputs.edge_features_mask[kept],
                edge_dynamic=inputs.edge_dynamic[kept],
                edge_dynamic_mask=inputs.edge_dynamic_mask[kept],
            )
        )


@dataclass(frozen=True)
class TimeJitter:
    """Shifts each window by up to `max_steps` steps; steps shifted in are masked.

    Do not use it for windows aligned with a load cycle if each step has its own statistics.
    """

    max_steps: int

    def __call__(self, batch: TrainingBatch, random: Generators) -> TrainingBatch:
        """Return the batch with all measured fields of a window shifted by the same steps."""
        inputs = batch.inputs
        shift = torch.tensor(
            [rng.integers(-self.max_steps, self.max_steps, endpoint=True) for rng in random]
        )
        by_component = shift[inputs.component_graph]
        by_sensor = by_component[inputs.sensor_component]
        by_edge = by_component[inputs.edge_index[0]]
        features, observed = _shifted(inputs.sensor_features, inputs.sensor_observed, by_sensor)
        dynamic, dynamic_mask = _shifted(inputs.edge_dynamic, inputs.edge_dynamic_mask, by_edge)
        machine, machine_mask = _shifted(
            inputs.machine_features, inputs.machine_features_mask, shift
        )
        return batch._replace(
            inputs=inputs._replace(
                sensor_features=features,
                sensor_observed=observed,
                edge_dynamic=dynamic,
                edge_dynamic_mask=dynamic_mask,
                machine_features=machine,
                machine_features_mask=machine_mask,
            )
        )


def _shifted(values: Tensor, mask: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Move each row's steps [R, T, …] by `shift` [R]; steps moved in are masked."""
    steps = values.shape[1]
    source = torch.arange(steps) + shift.unsqueeze(-1)  # [R, T]
    inside = (source >= 0) & (source < steps)
    row, source = torch.arange(len(values)).unsqueeze(-1), source.clamp(0, steps - 1)
    return values[row, source], mask[row, source] & inside.view(
        *inside.shape, *[1] * (mask.ndim - 2)
    )


def sensors_of(batch: TrainingBatch) -> list[int]:
    """Return the number of sensors of each graph."""
    return _per_graph(batch, batch.inputs.component_graph[batch.inputs.sensor_component])


def components_of(batch: TrainingBatch) -> list[int]:
    """Return the number of components of each graph."""
    return _per_graph(batch, batch.inputs.component_graph)


def _per_graph(batch: TrainingBatch, graph: Tensor) -> list[int]:
    counts: list[int] = torch.bincount(graph, minlength=len(batch.inputs.graph_id)).tolist()
    return counts


def _joined(draws: Iterable[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(list(draws)))
