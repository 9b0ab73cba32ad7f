"""Computation of the fields of windows from signals, for both stores and the service.

Shapes: W windows, S sensors, T steps, F features.
"""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec, sub_windows
from hydrascope.graphs.fields import WindowFields
from hydrascope.graphs.physics import MachinePhysics
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal

SAMPLES_AT_ONCE = 2**17
"""The number of samples of similar sensors that are computed together: few calls for the windows
of a service, flat memory for those of a store."""


class WindowComputer:
    """Computes windows of one machine; each result is bit for bit independent of the others.

    Args:
        machine: The machine, with sensors, lines and dates.
        engineer: Extracts the features of a sub-window.
        spec: Division into windows and sub-windows.
    """

    def __init__(self, machine: Machine, engineer: FeatureEngineer, spec: WindowSpec) -> None:
        self.engineer, self.spec = engineer, spec
        self._rows = {sensor.id: row for row, (_, sensor) in enumerate(machine.topology.sensors)}
        self._physics = MachinePhysics(machine, engineer.config)

    def features(
        self, signals: Mapping[str, Signal], starts_s: NDArray[np.float64], from_s: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Return the features [W, S, T, F] and which sub-windows are observed [W, S, T].

        Args:
            signals: Signals by sensor id; unknown sensors are ignored, missing ones not observed.
            starts_s: Starts [W] of the windows, as in `sub_windows`.
            from_s: Start of the signals, as in `sub_windows`.
        """
        shape = (len(starts_s), len(self._rows), self.spec.steps)
        features = torch.zeros(*shape, self.engineer.num_features)
        observed = torch.zeros(shape, dtype=torch.bool)
        alike: defaultdict[tuple[float, int], list[str]] = defaultdict(list)
        for name in self._rows:
            signal = signals.get(name)
            if signal is not None and len(signal.values):
                alike[signal.rate_hz, len(signal.values)].append(name)
        for (rate_hz, _), names in alike.items():
            samples = max(1.0, rate_hz * self.spec.window_s) * len(starts_s)
            some = max(1, int(SAMPLES_AT_ONCE / samples))
            for first in range(0, len(names), some):
                part = names[first : first + some]
                stacked = Signal(np.stack([signals[name].values for name in part]), rate_hz)
                cleaning = self.engineer.config.cleaning
                cut = sub_windows(stacked, starts_s, self.spec, cleaning, from_s)
                rows = [self._rows[name] for name in part]
                features[:, rows] = self.engineer(cut, rate_hz).transpose(0, 1)
                observed[:, rows] = self.engineer.observed(cut).transpose(0, 1)
        return features, observed

    def window_fields(self, features: Tensor, observed: Tensor, end_s: Tensor) -> WindowFields:
        """Add physical features; `end_s` [W] float64 has the Unix times of the windows' ends."""
        return self._physics.window_fields(features, observed, end_s)
