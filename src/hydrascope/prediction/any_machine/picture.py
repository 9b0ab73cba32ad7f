"""A picture of a machine over time: its health, and which component is suspected of a fault."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hydrascope.schemas.whole_file import whole_file

_TICKS = 6


def save_picture(answers: pd.DataFrame, title: str, path: Path) -> None:
    """Draw the health, and the probability of the most probable fault of each component.

    All windows are equally wide, since between recordings there may be minutes or weeks.

    Args:
        answers: A file of `hydrascope predict`, of the task `diagnosis`.
        title: The picture's.
        path: A PNG file, which is replaced.
    """
    health = answers[answers["head"] == "health"].sort_values("start")
    faults = answers[answers["head"] == "component_anomalies"]
    worst = faults.pivot_table("probability", "component", "start", aggfunc="max")
    figure = Figure(figsize=(9, 2.6 + 0.28 * len(worst)), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, max(2, len(worst) / 2)])
    windows, rows = np.arange(len(health) + 1), np.arange(len(worst) + 1)
    above.stairs(health["value"], windows, baseline=None, color="#2c3e50")
    above.set(ylim=(0.0, 1.05), ylabel="health", title=title)
    mesh = below.pcolormesh(windows, rows, worst.to_numpy(), cmap="Reds", vmin=0.0, vmax=1.0)
    below.set_yticks(rows[:-1] + 0.5, list(worst.index))
    below.invert_yaxis()
    marked = np.unique(np.linspace(0, len(health) - 1, _TICKS).astype(np.int64))
    times = [f"{time:%Y-%m-%d\n%H:%M}" for time in health["start"].iloc[marked]]
    below.set_xticks(marked, times)
    below.set_xlabel("windows, by their start")
    figure.colorbar(mesh, ax=below, label="probability of a fault")
    with whole_file(path) as part:
        figure.savefig(part, dpi=120, format="png")
