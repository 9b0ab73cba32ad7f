"""Write a small data set of hydraulic actuators: one file for each, with a label in each row.

Each actuator follows the same stroke while it is sound, while it leaks and while its valve sticks.
A column says on which actuators to train and which to judge. Run: python examples/actuators.py
FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ACTUATORS, RATE_HZ, CYCLE_S = 12, 5, 8
STATES = ("normal", "leakage", "sticking", "normal", "leakage", "sticking")
"""The states of an actuator, one after another."""
CYCLES = 5
"""The strokes in each state."""
SPLIT = ("train",) * 6 + ("val",) * 2 + ("test",) * 4


def state(rng: np.random.Generator, name: str, build: np.ndarray) -> pd.DataFrame:
    """Return the rows of an actuator in one state; `build` [4] is what makes it unlike others."""
    time_s = np.arange(CYCLES * CYCLE_S * RATE_HZ) / RATE_HZ
    command = 100 + 80 * np.sin(2 * np.pi * time_s / CYCLE_S)
    severity = rng.uniform(0.5, 1.0)
    # A sticking valve holds the piston until the error is large; then it jumps.
    play = 12 * severity if name == "sticking" else 0.8
    lag = 0.35 + 0.03 * build[0] + (0.25 * severity if name == "leakage" else 0.0)
    position = np.empty_like(command)
    wanted, place = command[0], command[0]
    for row, value in enumerate(command):
        wanted = wanted if abs(value - wanted) < play else value
        place += (wanted - place) * (1 - np.exp(-1 / (RATE_HZ * lag)))
        position[row] = place
    velocity = np.gradient(position) * RATE_HZ
    load = 55 + 4 * build[1] + 0.12 * velocity
    loss = 9 * severity if name == "leakage" else 0.0
    opening = 3.0 + 0.08 * np.abs(velocity) + (1.2 * severity if name == "leakage" else 0.0)

    def noisy(values: np.ndarray, deviation: float) -> np.ndarray:
        return values + deviation * rng.standard_normal(len(values))

    return pd.DataFrame(
        {
            "command [mm]": command.round(1),
            "position [mm]": noisy(position, 0.4).round(2),
            "pressure A [bar]": noisy(load - loss, 0.8).round(2),
            "pressure B [bar]": noisy(28 + 2 * build[2] - 0.1 * velocity + 0.5 * loss, 0.6).round(
                2
            ),
            "valve current [mA]": noisy(opening + 0.05 * (command - position), 0.1).round(2),
            "oil temperature [°C]": noisy(np.full(len(command), 42 + 3 * build[3]), 0.2).round(1),
            "condition": name,
        }
    )


def main(folder: Path) -> None:
    """Write the files of all actuators."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True)
    for number in range(ACTUATORS):
        build = rng.standard_normal(4)
        order = rng.permutation(len(STATES))
        table = pd.concat([state(rng, STATES[each], build) for each in order], ignore_index=True)
        table.insert(0, "time [s]", (np.arange(len(table)) / RATE_HZ).round(1))
        table.loc[rng.random(len(table)) < 0.005, "pressure B [bar]"] = np.nan
        table["split"] = SPLIT[number]
        table.to_csv(folder / f"actuator_{number + 1:02}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
