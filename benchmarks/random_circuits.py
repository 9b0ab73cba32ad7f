"""Random circuits: whether all of them solve, conserve and meet closed forms, and how fast.

`python -m benchmarks random_circuits --write` writes the table into docs/results.md.
"""

import time
from pathlib import Path

import numpy as np
from tests.support.simulated_balance import balance, halving_change
from tests.support.steady_circuits import steady

from benchmarks._document import how_measured, write_rows
from benchmarks._rows import Row, at_least, at_most
from hydrascope.simulation.build import Build, load_kind
from hydrascope.simulation.fleet import draw_member
from hydrascope.simulation.fleet_settings import KINDS
from hydrascope.simulation.random_circuits import draw_build
from hydrascope.simulation.recording import Run

CIRCUITS, SEED = 200, 1
"""The generator was tuned on seed 0."""
BALANCED_S = 600.0
TIMED_MIN, TURNS = 4, 3
SLOWER = 3.0


def run(circuits: int = CIRCUITS, seconds: float = BALANCED_S, turns: int = TURNS) -> list[Row]:
    """Simulate random circuits as built, and one machine of each as a fleet has it."""
    builds = [draw_build(SEED, number) for number in range(circuits)]
    closed = [balance(build, seconds) for build in builds]
    solved = sum(each.unsolved == 0 and bool(np.isfinite(each.record).all()) for each in closed)
    forms = np.array([steady(build) for build in builds])
    halved = [100.0 * halving_change(build) for build in builds]
    return [
        at_least(f"circuits of {circuits} that solve in every step", solved, "", circuits),
        at_most(f"energy that is lost in {seconds:g} s of work, the worst circuit",
                100.0 * max(abs(each.energy) for each in closed), "%", 0.1),
        at_most("volume that is lost then, the worst circuit",
                100.0 * max(abs(each.volume) for each in closed), "%", 0.1),
        at_most("pressure of pumps behind closed valves against its closed form, the worst",
                100.0 * float(forms[:, 0].max()), "%", 1.0),
        at_most("power of their shafts, likewise", 100.0 * float(forms[:, 1].max()), "%", 1.0),
        at_most("force of an actuator in motion, likewise", 100.0 * float(forms[:, 2].max()), "%",
                1.0),
        at_most("drop of the metering edge that fills it, likewise",
                100.0 * float(forms[:, 3].max()), "%", 1.0),
        at_most("change of one-second means by half the step, the median circuit",
                float(np.median(halved)), "% of span"),
        at_least(f"circuits of {circuits} in which it is less than 1 %",
                 sum(each < 1.0 for each in halved), ""),
        at_most("hottest oil after an hour of work, sound machines",
                max(_warm_c(build) for build in builds), "°C", 90.0),
        *_times(builds, turns),
        *_variety(builds),
    ]  # fmt: skip


def write() -> Path:
    """Measure, write docs/results.md."""
    return write_rows(
        "random circuits",
        run(),
        f"{CIRCUITS} circuits of seed {SEED}; the generator was tuned on seed 0. No draw is "
        f"rejected. Time is that of the processor, the fastest of {TURNS} turns of all circuits "
        f"and kinds; {how_measured('random_circuits')}",
    )


def _warm_c(build: Build) -> float:
    """Return the highest temperature of the oil of a machine that has worked for an hour."""
    member = draw_member(build, 0, seed=SEED, fault_rate=0.0, life_h=2e3)
    worked = next(Run(member, 0, 0.0).observations(60.0))
    return float(worked.temperature_c(0).max())


def _times(builds: list[Build], turns: int) -> list[Row]:
    """Return the times of a machine-hour of circuits, beside those of the kinds in the package."""
    kinds = [load_kind(kind) for kind in KINDS]
    taken = [[_machine_hour_s(each) for each in [*kinds, *builds]] for _ in range(turns)]
    fastest = np.min(taken, axis=0)
    usual, mine = fastest[: len(kinds)], fastest[len(kinds) :]
    return [
        at_most("a machine-hour of the kinds in the package, their mean", usual.mean(), "s"),
        at_most("a machine-hour of a circuit, the median", float(np.median(mine)), "s"),
        at_most("that of the slowest circuit over that mean", float(mine.max() / usual.mean()), "×",
                SLOWER),
        at_most("and over that of the slowest kind", float(mine.max() / usual.max()), "×"),
    ]  # fmt: skip


def _machine_hour_s(build: Build) -> float:
    member = draw_member(build, 0, seed=SEED, fault_rate=2.5, life_h=2e3)
    pieces = Run(member, 0, 1_000.0).pieces(60.0 * TIMED_MIN)
    next(pieces)
    start = time.thread_time()
    for _ in pieces:
        pass
    return (time.thread_time() - start) * 60.0 / (TIMED_MIN - 1)


def _variety(builds: list[Build]) -> list[Row]:
    """Return how much circuits differ."""
    counts = {
        "pumps": [len(each.circuit.pumps) for each in builds],
        "actuators": [len(each.circuit.actuators) for each in builds],
        "components": [len(each.circuit.kinds) for each in builds],
        "sensors": [len(each.channels) for each in builds],
    }
    return [
        at_least(f"{name}, {which}", float(np.quantile(each, share)), "")
        for name, each in counts.items()
        for which, share in (("fewest", 0.0), ("median", 0.5), ("most", 1.0))
    ]
