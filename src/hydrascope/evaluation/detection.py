"""How well normality scores detect faults: false alarms, detection rate, AUROC."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from hydrascope.data.cross_parts import held_out_parts
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.held_out import near_training
from hydrascope.data.interval_units import run_units
from hydrascope.evaluation.bootstrap import Bootstrap, auroc
from hydrascope.evaluation.detection_metrics import Alarms, alarm_intervals, alarm_metrics
from hydrascope.models.alarm_test import mean_since_quiet
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.normality import (
    BLAME,
    COMPONENT,
    LEVELS,
    MACHINE,
    OPERATING_POINT,
    SENSOR,
    NormalitySpec,
)
from hydrascope.tasks.alarm_thresholds import resolved_rate, wilson_interval
from hydrascope.tasks.score_runs import over_runs, running_mean, running_median

_STATES = {"healthy": 1, "unhealthy": 0}
ANY = "any"
"""The name of the row for all unhealthy windows."""
COLUMNS = ("window", "equipment_id", "start", "level", "id", "score", "alarm")


def score_table(
    diagnoser: TensorDiagnoser, data: HydraulicDataModule, spec: NormalitySpec
) -> pd.DataFrame:
    """Return every score of the test windows over its runs, one a row, with the columns `COLUMNS`.

    `id` names the sensor, the component or the machine. A `score` of 1 is the threshold. `score`
    and `alarm` are missing if there was nothing to score, or before a run has all its windows. With
    a budget in hours a `score` is the sum of the alarm test after the window.

    Where the machine has an alarm, rows of the level `BLAME` follow, without an `alarm`. Their
    `score` is the probability that the component is to blame, the mean over those windows of the
    run that are above the threshold; with a budget in hours, of those since the sum was 0. Rows of
    the level `OPERATING_POINT` say how new that point is, if the model judges it; above 1 nothing
    is scored.
    """
    assert diagnoser.normality is not None
    parts = []
    for batch in data.test_dataloader():
        answers = diagnoser.predict(batch.inputs)
        levels = [level for level in (*LEVELS, BLAME, OPERATING_POINT) if level in answers]
        rows = data.table.iloc[batch.window.numpy()]
        named = [
            (window, level, name)
            for level in levels
            for window, machine in zip(rows.index, rows["equipment_id"], strict=True)
            for name in _names(data, machine, level)
        ]
        part = pd.DataFrame(named, columns=["window", "level", "id"])
        part["score"] = np.concatenate([answers[level][:, 0].double().numpy() for level in levels])
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    about = data.table[["equipment_id", "start"]]
    table = table.join(about, on="window")
    units = run_units(data.unit, data.units)
    scores = table[table["level"] != OPERATING_POINT]
    totals: dict[str, NDArray[np.float64]] = {}
    # Of each machine, the scores of the machine itself come first.
    for (machine, level, _), rows in scores.groupby(["equipment_id", "level", "id"], sort=False):
        score = rows["score"].to_numpy()
        own = score, rows, units[rows["window"]], data.window.stride_s, spec
        if level == BLAME and (total := totals.get(str(machine))) is not None:
            judged = mean_since_quiet(score, total)
        elif level == BLAME:
            judged = over_runs(*own, running_mean)
        elif test := diagnoser.normality.alarm_test(str(level)):
            judged = test.run(score)
            if level == MACHINE:
                totals[str(machine)] = judged
        else:
            judged = over_runs(*own, running_median)
        table.loc[rows.index, "score"] = judged
    blame = table["level"] == BLAME
    scored = table["score"].notna() & ~table["level"].isin([BLAME, OPERATING_POINT])
    table["alarm"] = (table["score"] > 1.0).astype("boolean").where(scored)
    windows, of_machines = machine_scores(table)
    alarmed = table["window"].isin(windows[of_machines > 1.0])
    return table.loc[~blame | (alarmed & table["score"].notna()), list(COLUMNS)]


def _names(data: HydraulicDataModule, equipment_id: str, level: str) -> list[str]:
    topology = data.machines[equipment_id].topology
    match level:
        case _ if level in (COMPONENT, BLAME):
            return [component.id for component in topology.components]
        case _ if level == SENSOR:
            return [sensor.id for _, sensor in topology.sensors]
    return [equipment_id]


def new_operating_points(table: pd.DataFrame) -> int:
    """Return the number of windows of a score table at a new operating point."""
    return int(((table["level"] == OPERATING_POINT) & (table["score"] > 1.0)).sum())


def machine_scores(table: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the test windows and their machines' scores, in order of the window table."""
    machines = table[table["level"] == MACHINE].sort_values("window")
    return machines["window"].to_numpy(np.int64), machines["score"].to_numpy(np.float64)


def faults(
    data: HydraulicDataModule, windows: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each unhealthy value of each label, such as `valve=73`, with a mask of its windows."""
    rows = data.table.iloc[windows]
    state = data.healthy[windows]
    yield ANY, state == 0
    for name, healthy in data.healthy_labels.items():
        accepted = healthy if isinstance(healthy, tuple) else (healthy,)
        for value in sorted(rows.loc[state == 0, name].dropna().unique()):
            chosen = (rows[name] == value).to_numpy() & (state == 0)
            if value not in accepted:
                yield f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}", chosen


def detection(
    data: HydraulicDataModule,
    spec: NormalitySpec,
    windows: NDArray[np.int64],
    scores: NDArray[np.float64],
    held_out: int,
) -> dict[str, Any]:
    """Judge one detector's scores of the test windows; its threshold is 1.

    Windows without a score, such as those in a gap, are counted apart and judged by nothing else.

    Returns:
        `not_scored`: the number of healthy and of unhealthy windows without a score.
        `false_alarms`: the number of alarms and of healthy windows, the rate with its 95 %
        interval, the requested rate, the rule of the threshold, and the lowest rate that `held_out`
        units of the split can guarantee (None: the rule guarantees nothing); also the name of
        these units, the number of held-out windows, and how many of them share samples with
        training windows or adjoin them. `faults`: for each fault its number
        of windows, the share detected, and the AUROC against the healthy windows. `overall` and
        `events`: as in `alarm_metrics`, `overall` with the AUROC of all faults.
    """
    scored, state = ~np.isnan(scores), data.healthy[windows]
    not_scored = {name: int((~scored & (state == value)).sum()) for name, value in _STATES.items()}
    windows, scores, state = windows[scored], scores[scored], state[scored]
    healthy, alarm = state == 1, scores > 1.0
    count = int(healthy.sum())
    report: dict[str, Any] = {
        "not_scored": not_scored,
        "false_alarms": _false_alarms(data, spec, alarm[healthy], held_out),
        "faults": {},
        **alarm_metrics(Alarms(windows, data.healthy[windows], alarm), data),
    }
    for name, chosen in faults(data, windows):
        if not chosen.any():
            continue
        either = healthy | chosen
        report["faults"][name] = {
            "windows": int(chosen.sum()),
            "detected": float(alarm[chosen].mean()),
            "auroc": float(roc_auc_score(chosen[either], scores[either])) if count else None,
        }
    report["overall"]["auroc"] = report["faults"].get(ANY, {}).get("auroc")
    return report


def _false_alarms(
    data: HydraulicDataModule, spec: NormalitySpec, alarm: NDArray[np.bool_], held_out: int
) -> dict[str, Any]:
    """Return the `false_alarms` of `detection`.

    Args:
        data: The data module.
        spec: How the threshold was set.
        alarm: Whether each healthy test window raises an alarm.
        held_out: Number of units of the split that set the threshold.
    """
    alarms, count, rate = int(alarm.sum()), len(alarm), spec.false_alarm_rate
    low, high = wilson_interval(alarms, count)
    parts = held_out_parts(data, spec)
    near = [near_training(data, part) for part in parts]
    return {
        "alarms": alarms,
        "windows": count,
        "rate": alarms / count if count else None,
        "interval": [low, high],
        "asked": rate,
        "rule": spec.threshold,
        "threshold_by": spec.threshold_by,
        "resolved": None
        if rate is None or spec.threshold != "conformal"
        else resolved_rate(held_out, rate),
        "held_out": held_out,
        "unit": data.unit,
        "held_out_windows": sum(len(part.rows) for part in parts),
        "sharing": sum(int(each.sharing.sum()) for each in near),
        "adjoining": sum(int(each.adjoining.sum()) for each in near),
    }


def detection_intervals(
    data: HydraulicDataModule, windows: NDArray[np.int64], scores: NDArray[np.float64]
) -> dict[str, Any]:
    """Return the intervals of the values of `detection`, resampled by the units of the split.

    Returns:
        `false_alarm_rate`: [low, high]. `faults`: for each fault the intervals of `detected` and
        `auroc`. `overall` and `events`: of `alarm_intervals`. An interval is null if there are too
        few units or windows.
    """
    windows, scores = windows[~np.isnan(scores)], scores[~np.isnan(scores)]
    bootstrap = Bootstrap.of(data.unit, data.units, windows)
    healthy = data.healthy[windows] == 1

    def share(chosen: NDArray[np.bool_]) -> list[float] | None:
        return bootstrap.share_interval(chosen & (scores > 1.0), chosen, windows)

    alarms = Alarms(windows, data.healthy[windows], scores > 1.0)
    found: dict[str, Any] = {
        "false_alarm_rate": share(healthy),
        "faults": {},
        **alarm_intervals(alarms, data, bootstrap),
    }
    for name, chosen in faults(data, windows):
        if not chosen.any():
            continue
        either = healthy | chosen
        score, present = scores[either], chosen[either]
        drawn = bootstrap.of_rows(windows[either], partial(auroc, score, present))
        found["faults"][name] = {"detected": share(chosen), "auroc": bootstrap.interval(drawn)}
    found["overall"]["auroc"] = found["faults"].get(ANY, {}).get("auroc")
    return found
