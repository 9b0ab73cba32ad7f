"""`hydrascope score`: from a CSV file to the scores of its rows, start of the process included.

1,000 rows of 8 sensors at 1 Hz, drawn at random: noise around a slow wave. From row 800 on one
sensor is off by five standard deviations of the noise. Takes two minutes. `--write` puts the table
into docs/results.md.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._document import how_measured, write_rows
from benchmarks._rows import Row, at_least, at_most
from hydrascope.prediction.first_part.options import DetectorName

ROWS, SENSORS, FAULT = 1000, 8, 800
_GOAL_S = 60


def run() -> list[Row]:
    """Measure each detector."""
    found = []
    with tempfile.TemporaryDirectory(prefix="hydrascope-score-") as name:
        folder = Path(name)
        recording(folder / "rig.csv")
        for model in DetectorName:
            start, worked_s = time.perf_counter(), _processor_s()
            command = ["score", "rig.csv", "--model", model, "-o", f"{model}.csv"]
            subprocess.run(
                [sys.executable, "-m", "hydrascope", *command],
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            taken_s, worked_s = time.perf_counter() - start, _processor_s() - worked_s
            scores = pd.read_csv(folder / f"{model}.csv")
            assert len(scores) == ROWS
            alarm, faulty = scores["alarm"], scores.index >= FAULT
            sound = ~faulty & ~scores["learned"]
            found += [
                at_most(f"{model}: from file to file", taken_s, "s", _GOAL_S),
                at_most(f"{model}: the same, time of the processor", worked_s, "s"),
                at_least(f"{model}: faulty rows with an alarm", 100 * alarm[faulty].mean(), "%"),
                at_most(f"{model}: sound rows with an alarm", 100 * alarm[sound].mean(), "%"),
            ]
    return found


def _processor_s() -> float:
    """Return the time that processes which have ended took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def recording(path: Path) -> None:
    """Write the recording."""
    random, seconds = np.random.default_rng(0), np.arange(ROWS)
    wave = 3.0 * np.sin(seconds / 20)
    columns = {
        f"sensor_{number}": 100 + wave * (number % 3) + random.normal(0, 1, ROWS)
        for number in range(SENSORS)
    }
    columns["sensor_0"] += 5.0 * (seconds >= FAULT)
    times = pd.date_range("2026-01-01", periods=ROWS, freq="1s")
    pd.DataFrame({"time": times, **columns}).to_csv(path, index=False)


def write() -> Path:
    """Measure and write the section into docs/results.md."""
    note = (
        f"{ROWS:,} rows of {SENSORS} sensors at 1 Hz, learned from the first half. One sensor is "
        f"off by five standard deviations of its noise from row {FAULT} on. Other work had "
        f"{os.getloadavg()[0]:.1f} processes waiting for the cores on average when it began. "
        f"{how_measured('score_rows')}"
    )
    return write_rows("score rows", run(), note)
