"""False alarms in machine-hours, of a task whose budget is in hours."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.windows import EQUIPMENT
from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.models.alarm_test import alarm_begins
from hydrascope.models.normality.scores import Normality
from hydrascope.schemas.normality import NormalitySpec
from hydrascope.tasks.alarm_budget import in_streams, poisson_interval
from hydrascope.training.hourly_alarms import budget_of


def hourly_alarms(
    data: HydraulicDataModule,
    spec: NormalitySpec,
    windows: NDArray[np.int64],
    sums: NDArray[np.float64],
    normality: Normality,
) -> dict[str, Any] | None:
    """Count the alarms of machines that begin in a healthy window; None without a budget in hours.

    Args:
        data: The data that are judged.
        spec: The task's.
        windows: Rows of the window table, ascending, [R].
        sums: The sums of the alarm test of the machines' scores, [R]; NaN without a score.
        normality: With thresholds.

    Returns:
        `alarms`, `hours`, and `rate` in 1,000 h with two intervals: `poisson`, as if alarms were
        independent, and `interval`, from draws of what the split keeps together (None: too few).
        `asked`, and `resolved`, the least rate that the held-out windows can promise; `held_out`
        such units of `unit` with `held_out_h` machine-hours; `every_h`.
    """
    if spec.false_alarms_per_1000_h is None:
        return None
    budget = budget_of(data, spec)
    machine = pd.factorize(data.table[EQUIPMENT].iloc[windows])[0]
    streams, place = in_streams(sums, machine, np.zeros_like(machine))
    begins = alarm_begins(streams).ravel()[place]
    healthy = (data.healthy[windows] == 1) & ~np.isnan(sums)
    alarms, hours = int((begins & healthy).sum()), float(healthy.sum() * budget.every_h)
    bootstrap = Bootstrap.of(data.unit, data.units, windows)
    held_out, held_out_h = int(normality.held_out), float(normality.held_out_h)
    return {
        "alarms": alarms,
        "hours": hours,
        "rate": 1000.0 * alarms / hours if hours else None,
        "poisson": [1000.0 * each / hours for each in poisson_interval(alarms)] if hours else None,
        "interval": bootstrap.share_interval(
            begins & healthy, healthy * budget.every_h / 1000.0, windows
        ),
        "asked": budget.per_1000_h,
        "resolved": budget.resolved(held_out_h, held_out),
        "held_out": held_out,
        "held_out_h": held_out_h,
        "unit": data.unit,
        "every_h": budget.every_h,
    }


def hourly_line(hourly: Mapping[str, Any]) -> str:
    """Say how often healthy machines raise an alarm, and what the held-out ones can promise."""
    line = (
        f"Normality: {hourly['held_out']} held-out {hourly['unit']} with "
        f"{hourly['held_out_h']:,.0f} healthy machine-hours set the threshold"
    )
    asked = f"{hourly['asked']:g} false alarms in 1,000 machine-hours"
    if hourly["resolved"] > hourly["asked"]:
        line += f"; they resolve {hourly['resolved']:.2g} at best, and {asked} were asked for"
    else:
        line += f" for {asked}"
    return (
        f"{line}. This holds for {hourly['unit']} that are like them, observed about as long, and "
        f"judged every {hourly['every_h']:g} h"
    )


def hourly_rate(hourly: Mapping[str, Any]) -> str:
    """Return the rate of false alarms with its interval."""
    if hourly["rate"] is None:
        return "–"
    low, high = hourly["interval"] or hourly["poisson"]
    return f"{hourly['rate']:.2f} in 1,000 h ({low:.2f}–{high:.2f})"
