"""Cut telemetry into windows, windows into sub-windows, and sub-windows into features."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.features.cleaning import clean
from hydrascope.features.config import CleaningConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.graphs.fields import WindowFields
from hydrascope.graphs.physics import MachinePhysics
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import GraphTopology, Machine
from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.source import Signal, TelemetrySource


@dataclass(frozen=True)
class WindowSpec:
    """`window_s` seconds every `stride_s` seconds, each cut into `steps` equal sub-windows."""

    window_s: float
    stride_s: float
    steps: int

    def starts_s(self, extent: TimeWindow) -> np.ndarray:
        """Start of each whole window that fits into `extent`, in seconds after its start."""
        room = (extent.end - extent.start).total_seconds() - self.window_s
        count = int(np.floor(room / self.stride_s + 1e-9)) + 1 if room >= -1e-9 else 0
        return np.arange(count) * self.stride_s


@dataclass(frozen=True)
class MachineWindows:
    """All windows of one machine.

    Attributes:
        fields: Of the graph; sensors' features float32, in their own units.
        table: W rows: `equipment_id`, `start`, and the labels in force at the window's end.
    """

    topology: GraphTopology
    fields: WindowFields
    table: pd.DataFrame


def extract_windows(
    source: TelemetrySource, machine: Machine, spec: WindowSpec, engineer: FeatureEngineer
) -> MachineWindows:
    """Read one machine's telemetry and compute the features of all its windows.

    Raises:
        SpecError: No stretch of the telemetry is as long as a window.
    """
    equipment_id = machine.equipment.equipment_id
    parts = []
    for extent in source.extents(equipment_id):
        starts_s = spec.starts_s(extent)
        if len(starts_s):
            signals = source.read(equipment_id, extent)
            features, observed = _extract(signals, machine.topology, starts_s, spec, engineer)
            starts = pd.Timestamp(extent.start) + pd.to_timedelta(starts_s, unit="s")
            parts.append((features, observed, starts))
    if not parts:
        raise SpecError(
            f"data.window.window_s: no telemetry of {equipment_id} lasts {spec.window_s} s on end"
        )
    start = parts[0][2].append([starts for _, _, starts in parts[1:]])
    table = pd.DataFrame({"equipment_id": equipment_id, "start": start})
    # float64 holds today's Unix time to a fraction of a microsecond.
    end_s = torch.from_numpy(_microseconds(table["start"]) / 1e6 + spec.window_s)
    features = torch.cat([features for features, _, _ in parts])
    observed = torch.cat([observed for _, observed, _ in parts])
    return MachineWindows(
        topology=machine.topology,
        fields=MachinePhysics(machine, engineer.config).complete(features, observed, end_s),
        table=_with_labels(table, source.labels(equipment_id), spec.window_s),
    )


def _extract(
    signals: dict[str, Signal],
    topology: GraphTopology,
    starts_s: np.ndarray,
    spec: WindowSpec,
    engineer: FeatureEngineer,
) -> tuple[Tensor, Tensor]:
    sensors = topology.sensors
    shape = (len(starts_s), len(sensors), spec.steps)
    features = torch.zeros(*shape, engineer.num_features)
    observed = torch.zeros(shape, dtype=torch.bool)
    for row, (_, sensor) in enumerate(sensors):
        signal = signals.get(sensor.id)
        if signal is not None and len(signal.values):
            samples = sub_windows(signal, starts_s, spec, engineer.config.cleaning)
            features[:, row] = engineer(samples, signal.rate_hz)
            observed[:, row] = engineer.observed(samples)
    return features, observed


def sub_windows(
    signal: Signal,
    starts_s: np.ndarray,
    spec: WindowSpec,
    cleaning: CleaningConfig | None = None,
) -> Tensor:
    """Cut a signal into [W, T, samples]; samples past its end are missing (NaN).

    Each window is cleaned by itself, as a whole: what it holds does not depend on what was
    recorded beside it, so that a service that sees this window alone reads the same.

    A sensor slower than one sample in a sub-window gives its last sample before each (hold).
    """
    step_s = spec.window_s / spec.steps
    samples = max(1, int(step_s * signal.rate_hz + 1e-6))
    first_s = starts_s[:, None] + np.arange(spec.steps) * step_s
    first = np.floor(first_s * signal.rate_hz + 1e-6).astype(np.int64)
    index = torch.from_numpy(first).unsqueeze(-1) + torch.arange(samples)
    values = torch.from_numpy(np.append(signal.values, np.float32(np.nan)).astype(np.float32))
    if cleaning is None or not cleaning.active:
        return values[index.clamp(max=len(signal.values))]
    begin = index[:, :1, 0]
    within = index - begin.unsqueeze(-1)
    width = within[:, -1, -1:] + 1  # [W, 1]; rounding may give one sample more or less
    offset = torch.arange(int(width.max()))
    whole = values[(begin + offset).clamp(max=len(signal.values))]
    whole = clean(torch.where(offset < width, whole, torch.nan), cleaning, signal.rate_hz)
    return whole.gather(-1, within.flatten(1)).reshape(within.shape)


def _with_labels(table: pd.DataFrame, labels: pd.DataFrame, window_s: float) -> pd.DataFrame:
    """Give each window the label row whose interval holds the window's last microsecond."""
    labels = labels.sort_values("start", ignore_index=True)
    last = _microseconds(table["start"]) + round(window_s * 1e6) - 1
    row = np.searchsorted(_microseconds(labels["start"]), last, side="right") - 1
    inside = row >= 0
    inside[inside] = last[inside] < _microseconds(labels["end"])[row[inside]]
    # Row −1 is in no label table: those windows get NaN.
    held = labels.drop(columns=["start", "end"]).reindex(np.where(inside, row, -1))
    return table.join(held.reset_index(drop=True))


def _microseconds(times: pd.Series) -> NDArray[np.int64]:
    utc = pd.to_datetime(times, utc=True)  # the columns of an empty table may have no type yet
    return np.asarray(utc.dt.as_unit("us"), dtype="datetime64[us]").astype(np.int64)
