"""Figures: confusion matrices and a machine's graph."""

from pathlib import Path
from textwrap import fill

import networkx as nx
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from hydrascope.evaluation.page.numbers import shown_name
from hydrascope.evaluation.page.svg import shown_part
from hydrascope.evaluation.predictions import HeadPredictions
from hydrascope.evaluation.sums import class_names
from hydrascope.schemas import EdgeType, GraphTopology
from hydrascope.schemas.task import HeadSpec
from hydrascope.schemas.whole_file import whole_file
from hydrascope.tasks.metrics import predicted_class

_LINE_COLOURS = {
    EdgeType.PRESSURE_LINE: "#c0392b",
    EdgeType.RETURN_LINE: "#2471a3",
    EdgeType.SUCTION_LINE: "#5dade2",
}
_OTHER_LINE = "#7f8c8d"
_LONGEST = 9
"""Letters in a line of a class's name."""


def confusion_counts(head: HeadSpec, rows: HeadPredictions) -> Tensor:
    """Return the confusion matrix, counts [true class, predicted class]."""
    classes = len(head.classes) or 2
    cells = rows.target[:, 0].long() * classes + predicted_class(head, rows.prediction)
    return torch.bincount(cells, minlength=classes**2).reshape(classes, classes)


def save_confusion_matrix(head: HeadSpec, rows: HeadPredictions, path: Path) -> None:
    """Draw the shares of each true class as a heat map that shows the counts."""
    size = 1.8 + 0.95 * (len(head.classes) or 2)
    figure = Figure(figsize=(size + 0.8, size))
    axes, shares = draw_confusion(figure, head, confusion_counts(head, rows).numpy())
    figure.colorbar(shares, ax=axes, label="share of the true class", shrink=0.8)
    with whole_file(path) as part:
        figure.savefig(part, dpi=120, bbox_inches=shown_part(figure))


def draw_confusion(
    figure: Figure, head: HeadSpec, counts: NDArray[np.int64]
) -> tuple[Axes, QuadMesh]:
    """Draw the heat map of counts [true class, predicted class] into a figure, without legend."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [
        fill(name.replace("_", " "), _LONGEST, break_long_words=False) for name in class_names(head)
    ]
    axes = figure.subplots()
    mesh = axes.pcolormesh(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    centres = np.arange(len(names)) + 0.5
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column + 0.5, row + 0.5, f"{count}", ha="center", va="center", color=colour)
    axes.set(
        xticks=centres,
        yticks=centres,
        xticklabels=names,
        yticklabels=names,
        xlabel="predicted",
        ylabel="true",
        title=f"{shown_name(head.name)}: {np.trace(counts)} of {counts.sum()} right",
        aspect="equal",
    )
    axes.invert_yaxis()
    return axes, mesh


def save_machine_graph(topology: GraphTopology, title: str, path: Path) -> None:
    """Draw the components, their sensors, and the lines between them, coloured by type."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots()
    graph = nx.Graph()
    graph.add_nodes_from(component.id for component in topology.components)
    graph.add_edges_from((edge.source, edge.target) for edge in topology.edges)
    place = nx.kamada_kawai_layout(graph)
    for kind in dict.fromkeys(edge.kind for edge in topology.edges):
        lines = [(edge.source, edge.target) for edge in topology.edges if edge.kind is kind]
        colour = _LINE_COLOURS.get(kind, _OTHER_LINE)
        label = kind.value.replace("_", " ")
        drawn = nx.draw_networkx_edges(graph, place, lines, 2.5, colour, ax=axes, label=label)
        drawn.set_zorder(1)
    for component in topology.components:
        x, y = place[component.id]
        box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "#2c3e50"}
        name = component.id.replace("_", " ")
        axes.text(x, y, name, ha="center", va="center", weight="bold", bbox=box, zorder=2)
        if component.sensors:
            sensors = ", ".join(sensor.id for sensor in component.sensors)
            axes.annotate(
                sensors, (x, y), (0, -17), textcoords="offset points",
                ha="center", va="top", fontsize=8, color="#1e8449", zorder=3,
                bbox={"pad": 0.5, "facecolor": "white", "edgecolor": "none"},
            )  # fmt: skip
    axes.margins(0.12)
    axes.legend(loc="best", frameon=False)
    axes.set_axis_off()
    axes.set_title(title)
    with whole_file(path) as part:
        figure.savefig(part, dpi=130)
