"""Write a small data set of a water loop, as its logger would have exported it.

A pump drives water from a tank through two valves and back. `normal.csv` was recorded while the
loop was sound. In each `experiment_*.csv` something is wrong for some minutes, and a column marks
these rows. Run: python examples/water_loop.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

NORMAL_S, EXPERIMENT_S = 5400, 900
EXPERIMENTS = ("outlet valve", "inlet valve", "imbalance", "leak", "air", "outlet valve", "leak",
               "imbalance")  # fmt: skip
PUMP_BAR, PUMP_CURVE, SYSTEM_CURVE = 2.4, 0.0009, 0.0016
"""The pump gives 2.4 bar without flow, and each curve loses bar per (l/min)²."""


def drift(rng: np.random.Generator, seconds: int, time_s: float) -> np.ndarray:
    """Return slow noise of deviation 1 that forgets itself over `time_s`."""
    keep = np.exp(-1 / time_s)
    values = np.empty(seconds)
    value = rng.standard_normal()
    for second, step in enumerate(rng.standard_normal(seconds)):
        value = keep * value + np.sqrt(1 - keep**2) * step
        values[second] = value
    return values


def recording(rng: np.random.Generator, seconds: int, fault: str | None) -> pd.DataFrame:
    """Return the columns of one recording; a fault lasts from a third of it on."""
    since = np.arange(seconds) - seconds // 3
    share = np.clip(since / 20, 0, 1) * np.clip((seconds // 3 + 20 - since) / 20, 0, 1)

    def during(name: str) -> np.ndarray:
        return share if fault == name else np.zeros(seconds)

    speed = 1 + 0.01 * drift(rng, seconds, 200)
    system = (
        SYSTEM_CURVE * (1 + 0.03 * drift(rng, seconds, 300)) * (1 + 0.9 * during("outlet valve"))
    )
    inlet = 0.0006 * during("inlet valve")
    flow = np.sqrt(
        PUMP_BAR * speed**2 / (PUMP_CURVE + system * (1 - 0.25 * during("leak")) + inlet)
    )
    pressure = system * (1 - 0.25 * during("leak")) * flow**2
    measured = flow * (1 - 0.15 * during("leak"))
    rough = 1 + 2 * during("air")
    current = 1.1 + 0.022 * flow * speed**2 * (1 + 0.03 * during("imbalance"))
    warm = 24 + 2 * (1 - np.exp(-np.arange(seconds) / 3000)) + 0.3 * drift(rng, seconds, 900)

    def noisy(values: np.ndarray, deviation: float | np.ndarray) -> np.ndarray:
        return values + deviation * rng.standard_normal(seconds)

    shaking = 0.028 * speed * (1 + 0.5 * during("imbalance") + 0.3 * during("inlet valve"))
    return pd.DataFrame(
        {
            "Pump vibration [g]": noisy(shaking * rough**0.5, 0.0015).round(4),
            "Motor current [A]": noisy(current, 0.03).round(3),
            "Pump pressure [bar]": noisy(pressure, 0.012 * rough).round(3),
            "Volume flow [l/min]": noisy(measured, 0.15 * rough).round(2),
            "Water temperature [°C]": noisy(warm, 0.05).round(2),
            "Motor temperature [°C]": noisy(warm + 18 * current / 1.6, 0.1).round(2),
            "anomaly": (share > 0).astype(int),
        }
    )


def main(folder: Path) -> None:
    """Write the files of all recordings."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True)
    start = pd.Timestamp("2024-03-01 08:00:00")
    for number, fault in enumerate((None, *EXPERIMENTS)):
        seconds = EXPERIMENT_S if fault else NORMAL_S
        table = recording(rng, seconds, fault)
        table.insert(0, "datetime", start + pd.to_timedelta(np.arange(seconds), unit="s"))
        # What the thermometer sends while it restarts, and rows that the logger has lost.
        restart = int(rng.integers(60, seconds - 60))
        table.loc[restart : restart + 4, "Water temperature [°C]"] = -9999
        lost = int(rng.integers(60, seconds - 60))
        table = table.drop(index=range(lost, lost + 6))
        if fault is None:
            table = table.drop(columns="anomaly")
        name = f"experiment_{number}" if fault else "normal"
        table.to_csv(folder / f"{name}.csv", sep=";", index=False)
        start += pd.Timedelta(seconds=seconds) + pd.Timedelta(minutes=int(rng.integers(20, 90)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
