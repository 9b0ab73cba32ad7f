"""Statistics of a dataset, computed in one pass over its windows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hydrascope.data.store.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.data.stored_machine import StoredMachine
from hydrascope.features.statistics import Extremes, Moments


@dataclass(frozen=True)
class DatasetStatistics:
    """Statistics of sizes, features and labels.

    Sizes per graph are means over the windows. The feature tensors are [slots, F] float64 over the
    observed sub-windows of each sensor slot (`InputSpec.sensor_slots`), in the sensor's unit. A
    slot that was never observed is NaN.
    """

    windows: int
    machines: int
    components_per_graph: float
    sensors_per_graph: float
    edges_per_graph: float
    observed_share: float
    """The share of observed sub-windows of all sensors."""
    feature_mean: Tensor
    feature_std: Tensor
    feature_min: Tensor
    feature_max: Tensor
    labels: Mapping[str, Mapping[float, int]]
    """The number of occurrences of each target value, by head."""


def dataset_statistics(machines: Sequence[StoredMachine]) -> DatasetStatistics:
    """Compute statistics of the windows of machines."""
    slots = 1 + max(slot for machine in machines for slot in machine.layout.sensor_slot.tolist())
    shape = (slots, 1, machines[0].store.manifest.fields[SENSOR_FEATURES].shape[-1])
    moments, extremes = Moments(shape), Extremes(shape)
    sub_windows = 0
    for machine in machines:
        rows = np.arange(len(machine))
        for part in machine.parts((SENSOR_FEATURES, SENSOR_OBSERVED), rows):
            moments.update(machine.layout.sensor_slot, *part)
            extremes.update(machine.layout.sensor_slot, *part)
            sub_windows += part[1].numel()

    def known(values: Tensor) -> Tensor:
        return values.masked_fill(moments.count == 0, torch.nan).squeeze(1)

    mean, std = moments.center_and_scale()
    return DatasetStatistics(
        windows=sum(len(machine) for machine in machines),
        machines=len(machines),
        components_per_graph=_mean(machines, (m.layout.num_components for m in machines)),
        sensors_per_graph=_mean(machines, (m.layout.num_sensors for m in machines)),
        edges_per_graph=_mean(machines, (m.layout.edge_index.shape[1] for m in machines)),
        observed_share=float(moments.count[..., 0].sum()) / max(sub_windows, 1),
        feature_mean=known(mean),
        feature_std=known(std),
        feature_min=known(extremes.low),
        feature_max=known(extremes.high),
        labels={name: _occurrences(machines, name) for name in machines[0].targets},
    )


def _mean(machines: Sequence[StoredMachine], sizes: Iterable[int]) -> float:
    """Return the mean of the machines' sizes over all windows."""
    weights = [len(machine) for machine in machines]
    return float(np.average(list(sizes), weights=weights))


def _occurrences(machines: Sequence[StoredMachine], head: str) -> dict[float, int]:
    counts: Counter[float] = Counter()
    for machine in machines:
        values = machine.targets[head].numpy()
        found, times = np.unique(values[~np.isnan(values)], return_counts=True)
        counts.update(dict(zip(found.tolist(), times.tolist(), strict=True)))
    return dict(sorted(counts.items()))
