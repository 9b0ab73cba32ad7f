"""Drawings of machines, with components coloured by their health."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.figures import draw_machine_graph
from hydrascope.evaluation.page.svg import inline_svg, page_style
from hydrascope.evaluation.predictions import LocatedPredictions
from hydrascope.schemas.machine import GraphTopology
from hydrascope.schemas.task import HEALTH, HeadKind, HeadLevel, HeadSpec

_GOOD, _MIDDLING, _BAD, _UNKNOWN = "#2e7d32", "#b07a00", "#c62828", "#6b7280"


def component_health(
    heads: Sequence[HeadSpec], predictions: Mapping[str, LocatedPredictions]
) -> pd.Series:
    """Return the lowest health that any head predicts, indexed by window and component.

    A head's health is the probability of its healthy class, or the value of a regression of the
    label `health`.
    """
    parts = []
    for head in (head for head in heads if head.level is HeadLevel.COMPONENT):
        rows = predictions[head.name]
        values = [each.value for each in head.classes]
        if head.kind is HeadKind.REGRESSION and head.columns == (HEALTH,):
            health = rows.prediction[:, head.median].clamp(0.0, 1.0)
        elif head.healthy is None:
            continue
        elif head.kind is HeadKind.BINARY:
            p = rows.prediction[:, 0]
            health = p if head.healthy == 1 else 1.0 - p
        else:
            health = rows.prediction[:, values.index(head.healthy)]
        columns = {"window": rows.window, "component": rows.component, "health": health}
        parts.append(pd.DataFrame({name: each.numpy() for name, each in columns.items()}))
    if not parts:
        return pd.Series(dtype=float)
    return pd.concat(parts).groupby(["window", "component"])["health"].min()


def machine_chart(topology: GraphTopology, health: Mapping[int, float], name: str) -> str:
    """Draw a machine.

    Args:
        topology: The machine's topology.
        health: Component position → its health; components without one are grey.
        name: As in `inline_svg`.
    """
    with page_style():
        figure = Figure(figsize=(7.5, 4.5), layout="constrained")
        fills = {
            component.id: _colour(health.get(number))
            for number, component in enumerate(topology.components)
        }
        draw_machine_graph(figure.subplots(), topology, fills)
        return inline_svg(figure, name)


def least_healthy_windows(health: pd.Series, data: HydraulicDataModule) -> dict[str, int]:
    """Return for each build of machine the window with the lowest mean predicted health."""
    found: dict[str, int] = {}
    if health.empty:
        return found
    for window in health.groupby("window").mean().sort_values(kind="stable").index:
        equipment_id = data.table["equipment_id"].iloc[window]
        found.setdefault(data.machines[equipment_id].topology.id, int(window))
    return found


def _colour(health: float | None) -> str:
    if health is None:
        return _UNKNOWN
    return _GOOD if health >= 0.8 else _MIDDLING if health >= 0.5 else _BAD
