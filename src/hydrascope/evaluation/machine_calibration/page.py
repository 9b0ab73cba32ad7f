"""report.html of a calibration: values with intervals, and each sensor before and after."""

from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from hydrascope.evaluation.page.svg import inline_svg, page_style
from hydrascope.evaluation.page.template import rendered
from hydrascope.schemas.whole_file import write_whole
from hydrascope.simulation.build import Build
from hydrascope.simulation.calibration.calibrate import Calibration
from hydrascope.simulation.calibration.posterior import (
    INTERVAL,
    conditions,
    residual,
    rests,
    told,
)
from hydrascope.telemetry.calibration.windows import SoundWindows

_SIZE = (4.7, 2.6)
"""In inches, before `inline_svg` crops a chart to what it shows."""


def write_page(path: Path, build: Build, windows: SoundWindows, found: Calibration) -> None:
    """Write the page, replacing the file atomically.

    Args:
        path: The file to write.
        build: The machine as its file has it.
        windows: What it was calibrated to.
        found: What was found.
    """
    every = told(found)
    page = rendered(
        "calibration.html.j2",
        name=build.machine.equipment.name,
        windows=windows,
        in_step=found.model.layout.cycle_s is not None,
        interval=100 * INTERVAL,
        determined=[each for each in every if each.determined],
        others=[each for each in every if not each.determined],
        conditions=conditions(found),
        residual=residual(found),
        sensors=rests(found),
        charts=[Markup(svg) for svg in sensor_charts(found)],
    )
    write_whole(path, page)


def sensor_charts(found: Calibration) -> list[str]:
    """Draw each sensor: recorded, expected before, expected after; means of all windows."""
    layout, drawn = found.model.layout, []
    along, label = _along(found)
    for number, rest in enumerate(rests(found)):
        at = layout.of(number)
        levels = slice(at.start, at.start + layout.parts)
        with page_style():
            figure = Figure(figsize=_SIZE)
            axes = figure.subplots()
            recorded = np.nanmean(found.recorded[:, levels], axis=0)
            axes.plot(along, found.before[:, levels].mean(axis=0), "--", label="before")
            axes.plot(along, found.fit.expected[:, levels].mean(axis=0), "-", label="calibrated")
            axes.plot(along, recorded, "o", markersize=3, label="recorded")
            axes.set(xlabel=label, ylabel=rest.unit, title=rest.sensor)
            axes.legend(fontsize=7)
            drawn.append(inline_svg(figure, f"sensor_{rest.sensor}"))
    return drawn


def _along(found: Calibration) -> tuple[np.ndarray, str]:
    layout = found.model.layout
    middle = (np.arange(layout.parts) + 0.5) / layout.parts
    if layout.cycle_s is None:
        return 100.0 * middle, "% of the time below"
    return layout.cycle_s * middle, "s of the cycle"
