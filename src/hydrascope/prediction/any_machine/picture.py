"""A picture of a machine over time: its health, and which component is suspected of a fault."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hydrascope.schemas.whole_file import whole_file


def save_picture(answers: pd.DataFrame, title: str, path: Path) -> None:
    """Draw the health, and the probability of the most probable fault of each component.

    Args:
        answers: A file of `hydrascope predict`, of the task `diagnosis`.
        title: The picture's.
        path: A PNG file, which is replaced.
    """
    health = answers[answers["head"] == "health"].set_index("start")["value"]
    faults = answers[answers["head"] == "component_anomalies"]
    worst = faults.pivot_table("probability", "component", "start", aggfunc="max")
    figure = Figure(figsize=(9, 2.6 + 0.28 * len(worst)), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, max(2, len(worst) / 2)])
    above.plot(health.index, health, color="#2c3e50")
    above.set(ylim=(0.0, 1.05), ylabel="health", title=title)
    ends = [*worst.columns, answers["end"].max()]
    edges = np.arange(len(worst) + 1)
    mesh = below.pcolormesh(ends, edges, worst.to_numpy(), cmap="Reds", vmin=0.0, vmax=1.0)
    below.set_yticks(edges[:-1] + 0.5, list(worst.index))
    below.invert_yaxis()
    figure.colorbar(mesh, ax=below, label="probability of a fault")
    with whole_file(path) as part:
        figure.savefig(part, dpi=120, format="png")
