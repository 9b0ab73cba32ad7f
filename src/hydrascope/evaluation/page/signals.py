"""The signals of a window as lines, with what they added to an answer as shades."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.recorded_window import recorded_window
from hydrascope.evaluation.explain import Explanation

WIDTH, HEIGHT = 240, 56
"""The size of the drawing of a signal, in pixels."""
_POINTS = 240
"""The most points of a signal's line; more cannot be seen in its width."""


def shades(explanation: Explanation, sensor: int) -> Iterator[dict[str, Any]]:
    """Yield how strongly each step of a sensor supported or opposed the answer."""
    added = explanation.attribution
    strongest = float(added.abs().max()) or 1.0
    width = WIDTH / added.shape[1]
    for step, value in enumerate(added[sensor].tolist()):
        yield {
            "x": f"{step * width:.1f}",
            "width": f"{width:.1f}",
            "opacity": f"{0.6 * abs(value) / strongest:.2f}",
            "sort": "for" if value > 0 else "against",
        }


def signals(equipment_id: str, start: Any, data: HydraulicDataModule) -> Iterator[dict[str, Any]]:
    """Yield the signal of each sensor in the window that starts at `start`, as polylines."""
    read = recorded_window(data.source, equipment_id, start, data.window.window_s)
    for _, sensor in data.machines[equipment_id].topology.sensors:
        signal = read.get(sensor.id)
        values = np.empty(0) if signal is None else _thinned(signal.values.astype(np.float64))
        known = values[np.isfinite(values)]
        yield {
            "id": sensor.id,
            "unit": sensor.unit,
            "low": f"{known.min():.4g}" if len(known) else None,
            "high": f"{known.max():.4g}" if len(known) else None,
            "lines": list(_lines(values)) if len(known) else [],
            "shades": [],
        }


def _thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average neighbours so that at most `_POINTS` values are left; NaN stays NaN."""
    every = -(-len(values) // _POINTS)
    if every <= 1:
        return values
    whole = values[: len(values) // every * every].reshape(-1, every)
    return np.asarray(whole.mean(axis=1), dtype=np.float64)


def _lines(values: NDArray[np.float64]) -> Iterator[str]:
    """Yield the points of a signal's polylines, one polyline for each stretch without a gap."""
    known = np.isfinite(values)
    low, high = values[known].min(), values[known].max()
    x = np.arange(len(values)) / max(1, len(values) - 1) * WIDTH
    y = HEIGHT - 4 - (values - low) / ((high - low) or 1.0) * (HEIGHT - 8)
    ends = np.flatnonzero(np.diff(known.astype(int))) + 1
    for stretch in np.split(np.arange(len(values)), ends):
        if known[stretch[0]]:
            yield " ".join(f"{x[at]:.1f},{y[at]:.1f}" for at in stretch)
