"""Write a small data set of engines run to failure: one row for each cycle, and no clock.

Two files hold 60 engines by number. Each wears until it fails, which ends its rows. Two engines
fail early. Run: python examples/engines.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ENGINES = 60
SHORT = (17, 44)
"""The engines that fail within a few cycles."""
LOADS = (0.5, 0.75, 1.0)
"""The shares of full load at which an engine may run for a cycle."""


def engine(rng: np.random.Generator, number: int) -> pd.DataFrame:
    """Return the rows of one engine, from its first cycle to its failure."""
    life = int(rng.lognormal(np.log(120), 0.3)) if number not in SHORT else int(rng.integers(9, 14))
    cycle = np.arange(1, life + 1)
    load = rng.choice(LOADS, life)
    # Wear begins late and then grows faster and faster; it is 1 at the failure.
    exponent = rng.uniform(4, 6)
    wear = np.expm1(exponent * cycle / life) / np.expm1(exponent)
    build = rng.standard_normal(5)

    def noisy(values: np.ndarray, deviation: float, digits: int) -> np.ndarray:
        return (values + deviation * rng.standard_normal(life)).round(digits)

    speed = 1500 + 600 * load
    return pd.DataFrame(
        {
            "unit": number,
            "cycle": cycle,
            "load [%]": (100 * load).round(0),
            "speed [rpm]": noisy(speed, 4, 0),
            "exhaust temperature [°C]": noisy(330 + 190 * load + 3 * build[0] + 32 * wear, 4, 1),
            "oil temperature [°C]": noisy(78 + 14 * load + build[1] + 7 * wear, 0.8, 2),
            "boost pressure [bar]": noisy(0.4 + 1.3 * load + 0.02 * build[2] - 0.2 * wear, 0.02, 3),
            "oil pressure [bar]": noisy(3 + 1.2 * load + 0.05 * build[3] - 0.5 * wear, 0.05, 3),
            "bearing vibration [mm/s]": noisy(
                1.4 + 0.9 * load + 0.1 * build[4] + 2 * wear**2, 0.15, 3
            ),
            "fuel rate [kg/h]": noisy(8 + 34 * load * (1 + 0.05 * wear), 0.3, 2),
        }
    )


def main(folder: Path) -> None:
    """Write the files of all engines."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True)
    every = [engine(rng, number) for number in range(1, ENGINES + 1)]
    for number, start in enumerate(range(0, ENGINES, ENGINES // 2), 1):
        table = pd.concat(every[start : start + ENGINES // 2], ignore_index=True)
        # Readings that were not written down.
        for name in table.columns[4:]:
            table.loc[rng.random(len(table)) < 0.01, name] = np.nan
        table.to_csv(folder / f"engines_{number}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
