"""Folders of telemetry as people export it, for the tests of `init`."""

from pathlib import Path

import numpy as np
import pandas as pd

RANDOM = np.random.default_rng(0)


def noise(count: int) -> np.ndarray:
    return RANDOM.standard_normal(count).round(4)


def water_loop(folder: Path, rows: int = 2400) -> Path:
    """One wide file without a machine: semicolons, decimal commas, units in the headers, a text."""
    folder.mkdir(parents=True)
    times = pd.date_range("2024-03-01", periods=rows, freq="1s").strftime("%d.%m.%Y %H:%M:%S")
    table = pd.DataFrame(
        {
            "Zeit": times,
            "pump_p_out [bar]": 5 + noise(rows),
            "Temp (°C)": 40 + noise(rows),
            "x17": noise(rows),
            "operator": "Kim",
        }
    )
    table.to_csv(folder / "export.csv", sep=";", decimal=",", index=False)
    return folder


def engines(folder: Path, count: int = 6, cycles: int = 60) -> Path:
    """One wide file of several machines by number, with times in cycles."""
    folder.mkdir(parents=True)
    tables = [
        pd.DataFrame(
            {
                "unit_number": number,
                "time_in_cycles": np.arange(1, cycles + 1),
                "s1": noise(cycles),
                "s2": noise(cycles),
            }
        )
        for number in range(1, count + 1)
    ]
    pd.concat(tables).to_csv(folder / "train.csv", index=False)
    return folder


def actuators(folder: Path, count: int = 8, rows: int = 1200) -> Path:
    """A file for each machine, with seconds since its start and a label in words in each row."""
    folder.mkdir(parents=True)
    for number in range(count):
        stuck = (np.arange(rows) // 300) % 2 == 1
        table = pd.DataFrame(
            {
                "time [s]": np.arange(rows) * 0.1,
                "motor_current [A]": noise(rows) + 3 * stuck,
                "position (mm)": noise(rows),
                "condition": np.where(stuck, "stuck", "normal"),
            }
        )
        table.to_csv(folder / f"actuator {number}.csv", index=False)
    return folder


def narrow_press(folder: Path, rows: int = 600) -> Path:
    """Telemetry that sources read as it is: one narrow Parquet file."""
    folder.mkdir(parents=True)
    times = pd.date_range("2024-03-01", periods=rows, freq="1s", tz="UTC", unit="us")
    tables = [
        pd.DataFrame(
            {
                "timestamp": times,
                "equipment_id": "press_7",
                "sensor_id": name,
                "value": noise(rows),
            }
        )
        for name in ("p_out", "t_oil")
    ]
    pd.concat(tables).to_parquet(folder / "a.parquet", index=False)
    return folder
