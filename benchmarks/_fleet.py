"""A source for scaling runs: any number of machines whose signals are made when they are read.

Plausible in shape only (a duty cycle, its harmonics, drift and noise), so that features cost what
they cost on real telemetry. Nothing is to be learned from it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from hydrascope.features.config import FeatureConfig
from hydrascope.schemas import Machine, TimeWindow, validate
from hydrascope.telemetry.source import Signal

FEATURES = FeatureConfig(frequency=True, temporal=True, patch=False)
"""The features that the benchmarks compute, 34 of each sub-window."""
START = datetime(2026, 1, 1, tzinfo=UTC)
_KINDS = ("pressure", "temperature", "flow")
_UNITS = {"pressure": "bar", "temperature": "degC", "flow": "l/min"}
_PERIOD_S = 37.0
_NOISE = np.random.default_rng(0).standard_normal(65537, dtype=np.float32)


def ring_machine(equipment_id: str, components: int, sensors: int, rate_hz: float) -> Machine:
    """Return a machine of components in a ring, the sensors dealt out over them."""
    described = [
        {
            "id": f"c{number}",
            "kind": "pump" if number == 0 else "servo_valve",
            "sensors": [
                {
                    "id": f"s{sensor}",
                    "kind": _KINDS[sensor % 3],
                    "unit": _UNITS[_KINDS[sensor % 3]],
                    "rate_hz": rate_hz,
                }
                for sensor in range(number, sensors, components)
            ],
        }
        for number in range(components)
    ]
    line = {"kind": "pressure_line", "diameter_mm": 16, "length_m": 2.5, "material": "steel"}
    ring = [
        {**line, "source": f"c{number}", "target": f"c{(number + 1) % components}"}
        for number in range(components)
    ]
    return validate(
        Machine,
        {
            "equipment": {"equipment_id": equipment_id, "name": equipment_id},
            "topology": {"id": "ring", "components": described, "edges": ring},
        },
    )


@dataclass(frozen=True)
class SyntheticFleet:
    """Machines with `windows` windows of `window_s` each, without a gap."""

    fleet: int
    windows: int
    window_s: float = 60.0
    rate_hz: float = 1.0
    components: int = 12
    sensors: int = 30

    @property
    def fingerprint(self) -> str:
        """Hash of the parameters, from which all signals follow."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    def machines(self) -> Mapping[str, Machine]:
        """Return machines of one build."""
        first = ring_machine("m0", self.components, self.sensors, self.rate_hz)
        return {
            f"m{number}": first.model_copy(
                update={
                    "equipment": first.equipment.model_copy(update={"equipment_id": f"m{number}"})
                }
            )
            for number in range(self.fleet)
        }

    def extents(self, _equipment_id: str) -> list[TimeWindow]:
        """Return the one stretch of all windows."""
        end = START + timedelta(seconds=self.windows * self.window_s)
        return [TimeWindow(start=START, end=end)]

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        """Make the samples of the window: a function of machine, sensor and time."""
        first = round((window.start - START).total_seconds() * self.rate_hz)
        stop = round((window.end - START).total_seconds() * self.rate_hz)
        time_s = np.arange(first, stop) / self.rate_hz
        angle = 2 * np.pi * time_s / _PERIOD_S
        shape = np.sin(angle) + 0.3 * np.sin(3 * angle) + 0.02 * np.sin(angle / 997)
        sensor = np.arange(self.sensors)
        phase = 131 * int(equipment_id[1:]) + 17 * sensor
        noise = _NOISE[(np.arange(first, stop) + phase[:, None]) % len(_NOISE)]
        level = (1 + sensor).astype(np.float32)
        values = 10 * level[:, None] + shape.astype(np.float32) + 0.1 * noise
        return {f"s{number}": Signal(row, self.rate_hz) for number, row in enumerate(values)}

    def labels(self, _equipment_id: str) -> pd.DataFrame:
        """Return two states that take turns, a hundredth of the time each."""
        edges = pd.date_range(START, self.extents("")[0].end, periods=101)
        state = np.arange(100.0) % 2
        return pd.DataFrame({"start": edges[:-1], "end": edges[1:], "faulty": state})
