"""Computes the stored fields of a machine's windows from its telemetry."""

from datetime import timedelta
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hydrascope.data.store.window_fields import as_stored
from hydrascope.data.windows import WindowPlan
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.graphs.fields import WindowFields
from hydrascope.graphs.window_computer import WindowComputer
from hydrascope.schemas.time import TimeWindow
from hydrascope.telemetry.source import Signal, TelemetrySource


def extract_windows(
    source: TelemetrySource, plan: WindowPlan, engineer: FeatureEngineer, rows: range
) -> dict[str, NDArray[Any]]:
    """Return the fields of `window_fields` for windows `rows`, [len(rows), *shape] each."""
    fields = compute_windows(source, plan, engineer, rows)
    return {name: values.numpy() for name, values in as_stored(fields).items()}


@torch.no_grad()
def compute_windows(
    source: TelemetrySource, plan: WindowPlan, engineer: FeatureEngineer, rows: range
) -> WindowFields:
    """Compute the fields of windows `rows` of a machine.

    Telemetry is read from the sample before the first window's start to the last window's end. The
    result for a window is bit for bit independent of the other windows in `rows`.
    """
    topology, steps = plan.machine.topology, plan.spec.steps
    computer = WindowComputer(plan.machine, engineer, plan.spec)
    shape = (len(rows), len(topology.sensors), steps)
    features = torch.zeros(*shape, engineer.num_features)
    observed = torch.zeros(shape, dtype=torch.bool)
    end_s = torch.empty(len(rows), dtype=torch.float64)
    done = 0
    for extent, starts_s in plan.stretches(rows):
        part = slice(done, done + len(starts_s))
        signals, from_s = _read(source, plan, extent, starts_s)
        features[part], observed[part] = computer.features(signals, starts_s, from_s)
        # float64 resolves current Unix time to a fraction of a microsecond.
        ends_s = extent.start.timestamp() + starts_s + plan.spec.window_s
        end_s[part] = torch.from_numpy(ends_s)
        done = part.stop
    return computer.window_fields(features, observed, end_s)


def _read(
    source: TelemetrySource,
    plan: WindowPlan,
    extent: TimeWindow,
    starts_s: NDArray[np.float64],
) -> tuple[dict[str, Signal], float]:
    """Return the signals and their start in seconds after the start of the extent.

    They start early enough to include the slowest sensor's sample before the first window. As a
    signal may be slower than its sensor, which only shows after reading, reading may be repeated.
    """
    rates_hz = [sensor.rate_hz for _, sensor in plan.machine.topology.sensors]
    period_s = 1.0 / min(rates_hz, default=1.0)
    end_s = float(starts_s[-1]) + plan.spec.window_s
    end = min(extent.end, extent.start + timedelta(seconds=end_s))
    while True:
        # At a multiple of the longest period, all sensors with rates that are multiples of the
        # slowest rate have a sample. One more period covers the others.
        periods = np.floor(float(starts_s[0]) / period_s + 1e-9) - 1
        begin = extent.start + timedelta(seconds=max(0.0, float(periods) * period_s))
        signals = source.read(plan.equipment_id, TimeWindow(start=begin, end=end))
        slowest_s = max((1.0 / signal.rate_hz for signal in signals.values()), default=period_s)
        if begin == extent.start or slowest_s <= period_s:
            return signals, (begin - extent.start).total_seconds()
        period_s = slowest_s
