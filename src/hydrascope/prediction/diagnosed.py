"""Answered windows as the diagnoses that a watch writes."""

import math
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from hydrascope.data.windows import WindowPlan
from hydrascope.monitoring.observation import DiagnosedWindow
from hydrascope.notebook.answer_table import rows_of
from hydrascope.notebook.answerer import AnsweredWindows, Answerer
from hydrascope.schemas.fitness import PREFIX
from hydrascope.schemas.normality import BLAME, LEVELS, OPERATING_POINT
from hydrascope.schemas.task import HeadLevel
from hydrascope.schemas.time import TimeWindow
from hydrascope.serving.diagnosis.diagnosis import build_diagnosis
from hydrascope.serving.diagnosis.observations import as_kept
from hydrascope.serving.windows import TelemetryWindow, WindowAnswer
from hydrascope.telemetry.source import TelemetrySource


def diagnosed_windows(
    answerer: Answerer,
    source: TelemetrySource,
    plan: WindowPlan,
    rows: range,
    windows: AnsweredWindows,
) -> list[DiagnosedWindow]:
    """Return the diagnoses of some answered windows.

    Args:
        answerer: Answered them.
        source: Holds their telemetry, which is read again to count what is missing.
        plan: Of the machine.
        rows: Of the windows in the plan.
        windows: The answers.
    """
    manifest, machine = answerer.manifest, windows.prepared.machine
    present = _present(source, plan, rows)
    observed = windows.fields.sensor_observed.numpy()
    numbers = {name: values.numpy() for name, values in windows.decoded.items()}
    kept = []
    for row, start in enumerate(windows.starts):
        own = {name: rows_of(values, row, len(rows)) for name, values in numbers.items()}
        answer = WindowAnswer(
            {
                head.name: own[head.name]
                if head.level is HeadLevel.COMPONENT
                else own[head.name][0]
                for head in manifest.task.heads
            },
            {name: own[name][:, 0] for name in (*LEVELS, BLAME, OPERATING_POINT) if name in own},
            present[row],
            observed[row],
            np.full(len(machine.topology.sensors), np.nan),  # drift is no part of a diagnosis
            windows.prepared.use,
            {name: each[:, 0] for name, each in own.items() if name.startswith(PREFIX)},
        )
        window = TelemetryWindow(machine, start.to_pydatetime(), {}, windows.prepared.given)
        diagnosis = build_diagnosis(window, answer, manifest, answerer.version)
        kept.append(as_kept(diagnosis, manifest.task.heads))
    return kept


def _present(source: TelemetrySource, plan: WindowPlan, rows: range) -> NDArray[np.float64]:
    """Return the share of each sensor's samples that are present, [rows, S]."""
    sensors = plan.machine.topology.sensors
    present = np.zeros((len(rows), len(sensors)))
    window_s, done = plan.spec.window_s, 0
    for extent, starts_s in plan.stretches(rows):
        begin_s = max(0.0, float(starts_s[0]))  # a padded window starts before its recording
        begin = extent.start + timedelta(seconds=begin_s)
        end = min(extent.end, extent.start + timedelta(seconds=float(starts_s[-1]) + window_s))
        signals = source.read(plan.equipment_id, TimeWindow(start=begin, end=end))
        for column, (_, sensor) in enumerate(sensors):
            rate_hz, values = signals[sensor.id].rate_hz, signals[sensor.id].values
            good = np.concatenate(([0], np.cumsum(np.isfinite(values))))
            bounds = np.stack([starts_s, starts_s + window_s]) - begin_s
            first, stop = np.ceil(bounds * rate_hz - 1e-6).astype(int).clip(0, len(values))
            expected = max(1, math.floor(rate_hz * window_s + 0.5))
            share = np.minimum(1.0, (good[stop] - good[first]) / expected)
            present[done : done + len(starts_s), column] = share
        done += len(starts_s)
    return present
