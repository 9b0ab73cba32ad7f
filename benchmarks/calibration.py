"""Measure how often a calibration's intervals hold the true values of simulated machines.

Machines are drawn whose values differ from their files as far as the estimates' spreads say. Their
entrained air, valves' hysteresis, operators and sensors differ too, which a calibration does not
know. The settings of the calibration were chosen on the press with other seeds.
"""

import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import beta

from benchmarks._calibration_machines import draw_known, recorded
from benchmarks._document import ROOT, how_measured, write_rows
from benchmarks._rows import Row, at_least, at_most
from hydrascope.simulation.build import Build, load_kind, read_build
from hydrascope.simulation.calibration.calibrate import calibrate
from hydrascope.simulation.calibration.posterior import DETERMINED, INTERVAL, residual, told

SEED = 2_026
WINDOWS, WINDOW_S = 3, 120.0
MACHINES = {"press": 4, "machining_centre": 1, "injection_moulding": 1}
"""How many machines of each kind are calibrated."""
LOWEST, HIGHEST = 0.85, 0.95
"""The coverage that is asked for."""


class Case(NamedTuple):
    """A value of a machine."""

    machine: str
    key: str
    held: bool
    """Whether the interval holds the truth."""
    share: float
    """The spread afterwards, as a share of that beforehand."""


class Measured(NamedTuple):
    """All cases, and a figure of each machine."""

    cases: list[Case]
    seconds: list[float]
    """The processor's time of each calibration."""
    remaining: list[float]
    """The residual of each machine afterwards, as a share of that before."""


@cache
def measure() -> Measured:
    """Calibrate all machines."""
    cases, seconds, remaining = [], [], []
    for build, number in _machines():
        known = draw_known(build, number, SEED)
        windows = recorded(known, WINDOWS, WINDOW_S)
        start = time.process_time()
        found = calibrate(build, windows, WINDOW_S)
        seconds.append(time.process_time() - start)
        before, after = residual(found)
        remaining.append(after / before)
        truth = {p.key: p.moved(x) for p, x in zip(known.parameters, known.truth, strict=True)}
        for each in told(found):
            low, _, high = each.after
            held = low <= truth[each.parameter.key] <= high
            cases.append(Case(known.member.equipment_id, each.parameter.key, held, each.share))
        own = [each.held for each in cases if each.machine == known.member.equipment_id]
        print(f"{known.member.equipment_id}: {sum(own)} of {len(own)} held, {seconds[-1]:.0f} s",
              file=sys.stderr, flush=True)  # fmt: skip
    return Measured(cases, seconds, remaining)


def _machines() -> Iterator[tuple[Build, int]]:
    press = Path(ROOT / "examples" / "press")
    for kind, count in MACHINES.items():
        build = (
            read_build(press / "press.yaml", press / "duty.yaml")
            if kind == "press"
            else load_kind(kind)
        )
        for number in range(count):
            yield build, number


def run() -> list[Row]:
    """Return the coverage of intervals, their widths, and the time of a calibration."""
    found = measure()
    determined = [each for each in found.cases if each.share < DETERMINED]
    held = float(np.mean([each.held for each in found.cases]))
    return [
        at_least(f"all {len(found.cases)} values: coverage", 100 * held, "%", 100 * LOWEST),
        at_most("the same, at most", 100 * held, "%", 100 * HIGHEST),
        at_least(
            f"{len(determined)} values that the data determine: coverage",
            100 * float(np.mean([each.held for each in determined])), "%",
        ),
        at_most("spread of these, as a share of that before: median",
                float(np.median([each.share for each in determined])), ""),
        at_most("residual afterwards over that before: median",
                float(np.median(found.remaining)), "", 0.5),
        at_most("processor time of a calibration: median", float(np.median(found.seconds)), "s"),
    ]  # fmt: skip


def write() -> Path:
    """Write the rows into docs/results.md; return its path."""
    rows, cases = run(), measure().cases
    machines = ", ".join(f"{count} {kind}" for kind, count in MACHINES.items())
    determined = [each.held for each in cases if each.share < DETERMINED]
    note = (
        f"Machines with known values: {machines}; {WINDOWS} windows of {WINDOW_S:g} s each, seed "
        f"{SEED}. Coverage is how often the {100 * INTERVAL:g} % interval holds the truth. "
        f"{_range([each.held for each in cases])} for all values, {_range(determined)} for those "
        f"determined (95 % intervals, values as if independent). {how_measured('calibration')}"
    )
    return write_rows("calibration", rows, note)


def _range(held: list[bool]) -> str:
    """Return the exact 95 % interval of a share (Clopper and Pearson)."""
    right, count = sum(held), len(held)
    low = beta.ppf(0.025, right, count - right + 1) if right else 0.0
    high = beta.ppf(0.975, right + 1, count - right) if right < count else 1.0
    return f"{100 * low:.1f} to {100 * high:.1f} %"
