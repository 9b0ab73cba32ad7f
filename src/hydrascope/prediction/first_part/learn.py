"""Learns from the first part of recordings, in files of any usual form."""

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hydrascope.evaluation.detection import score_table
from hydrascope.experiment.restore import restore
from hydrascope.notebook.fitting import fit
from hydrascope.prediction.first_part.options import ScoreOptions
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.normality import NormalityFit, NormalitySpec
from hydrascope.schemas.task import TaskSpec
from hydrascope.telemetry.folder.discovery import find_tables, why_not_read
from hydrascope.telemetry.folder.labels import label_files
from hydrascope.telemetry.init.copies import write_copies
from hydrascope.telemetry.init.files import machine_files
from hydrascope.telemetry.init.survey import survey
from hydrascope.telemetry.init.surveyed import Survey
from hydrascope.telemetry.init.tables import open_raw

_NAME = "machine"
_SAMPLES, _STEPS = 10, 5
"""The samples of a window and its sub-windows, if nothing else is asked for."""
_MOST_WINDOWS = 20_000
"""The most windows of all recordings together, if no stride is asked for."""
_VAL_SHARE, _FOLDS = 0.3, 5
"""Held-out windows of the first part, and the parts of the others that are held out in turn."""


class Scored(NamedTuple):
    """The scores of all windows."""

    table: pd.DataFrame
    """Of `score_table`, with the column `learned`: whether a window was learned from."""
    window_s: float
    stride_s: float
    held_out: int
    """The number of independent held-out windows that set the threshold."""


def read_first(path: Path, time_zone: str | None) -> Survey:
    """Read a file or the files of a folder once.

    Raises:
        SpecError: There is no such file, it cannot be read, or it has no sensor.
    """
    if path.is_dir():
        paths = find_tables(path, label_files(path, None)).tables
        tables, folder = [open_raw(each, path) for each in paths], path
    elif not path.exists():
        raise SpecError(f"{path}: no such file; expected a .csv or .parquet file, or a folder")
    elif (why := why_not_read(path)) is not None:
        raise SpecError(f"{path}: {why.reason}")
    else:  # a machine that no column names is called like the file
        tables, folder = [open_raw(path, path.parent)], path.with_suffix("")
    return survey(tables, folder, time_zone, ask=lambda guessed: guessed)


def learn(path: Path, found: Survey, work: Path, options: ScoreOptions) -> Scored:
    """Learn from the first part and score all windows.

    Args:
        path: What was read.
        found: What it contains.
        work: An empty folder, for what is only needed meanwhile.
        options: What is learned, and how.

    Raises:
        SpecError: An option is not accepted, or the first part is too short to learn from.
    """
    write_copies(found, path if path.is_dir() else path.parent, work / "telemetry")
    (work / "machines").mkdir()
    for name, text in machine_files(found, _NAME).items():
        (work / "machines" / name).write_text(text, encoding="utf-8")
    window_s, stride_s = _lengths(found, options)
    spec = NormalitySpec(
        fit=_first_part(found, options),
        false_alarm_rate=options.false_alarm_rate,
        cross_folds=_FOLDS,
    )
    source: dict[str, Any] = {
        "folder": str(work / "telemetry"),
        "machines": str(work / "machines"),
        "max_gap_s": max(found.max_gap_s, stride_s),
        "time_zone": found.time_zone if found.counter else None,
    }
    run = fit(
        *("data=parquet", "features=short_windows", f"model={options.model}", "tracking=none"),
        quiet=True,
        data={
            "source": source,
            "window": {
                "window_s": window_s,
                "stride_s": stride_s,
                "steps": min(_STEPS, max(int(window_s / found.period_s), 1)),
                "short": "skip",
            },
            "split": {"val_fraction": _VAL_SHARE},
            "store": {"folder": str(work / "store"), "n_jobs": 1},
        },
        task=TaskSpec(name=_NAME, normality=spec, heads=()),
        baselines="false",
        run_dir=str(work / "run"),
    )
    _, diagnoser, data = restore(str(run.checkpoint))
    assert diagnoser.normality is not None
    data.split = data.split._replace(test=np.arange(len(data.table)))
    table = score_table(diagnoser, data, spec)
    table["learned"] = data.learned[table["window"]]
    return Scored(table, window_s, stride_s, int(diagnoser.normality.held_out))


def _lengths(found: Survey, options: ScoreOptions) -> tuple[float, float]:
    period_s = found.period_s
    stride_s = options.stride_s
    if stride_s is None:
        total_s = sum(each.duration_s for each in found.machines.values())
        stride_s = period_s * max(int(np.ceil(total_s / period_s / _MOST_WINDOWS)), 1)
    window_s = _SAMPLES * stride_s if options.window_s is None else options.window_s
    if window_s < max(period_s, stride_s):
        raise SpecError(
            f"--window-s: {window_s:g} is shorter than a sample of the slowest sensor, "
            f"{period_s:g} s, or than the stride, {stride_s:g} s"
        )
    return window_s, stride_s


def _first_part(found: Survey, options: ScoreOptions) -> NormalityFit:
    if options.learn_until is None:
        return validate(NormalityFit, {"first_share": options.learn_first}, source="--learn-first")
    if found.counter:
        raise SpecError("--learn-until: the times are counts; accepted: --learn-first")
    try:
        until = pd.Timestamp(datetime.fromisoformat(options.learn_until))
    except ValueError:
        raise SpecError(
            f"--learn-until: {options.learn_until!r} is not accepted; expected a time, such as "
            "2026-01-31T12:00:00"
        ) from None
    if until.tz is None:
        until = until.tz_localize(found.time_zone)
    return NormalityFit(end=until.to_pydatetime())
