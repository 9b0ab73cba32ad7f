"""Measure how often a calibration's intervals hold the true values of simulated machines.

Machines are drawn whose values differ from their files as far as the estimates' spreads say. Their
entrained air, valves' hysteresis, operators and sensors differ too, which a calibration does not
know. The settings of the calibration were chosen on the press with other seeds. The test rig is
calibrated as docs/calibrating.md says, to see how much of the residual is left.

Each machine takes minutes, so what was found of it is kept in outputs/calibration, and read from
there the next time. Remove that folder to measure again.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import beta

from benchmarks._calibration_machines import draw_known, recorded
from benchmarks._document import ROOT, how_measured, write_rows
from benchmarks._rows import Row, at_least, at_most
from hydrascope.schemas.whole_file import write_whole
from hydrascope.simulation.build import DUTY_FILE, Build, load_kind, read_build
from hydrascope.simulation.calibration.calibrate import calibrate
from hydrascope.simulation.calibration.posterior import DETERMINED, INTERVAL, residual, told
from hydrascope.telemetry.calibration.sound import sound_values
from hydrascope.telemetry.calibration.windows import sound_windows
from hydrascope.telemetry.zema import ZemaSource

SEED = 2_026
WINDOWS, WINDOW_S = 3, 120.0
MACHINES = {"press": 4, "machining_centre": 1, "injection_moulding": 1}
"""How many machines of each kind are calibrated."""
LOWEST, HIGHEST = 0.85, 0.95
"""The coverage that is asked for."""
RIG_SOUND = ("cooler=100", "valve=100", "pump=0", "accumulator=130")
"""The labels of the rig while all its components were as new."""
RIG_WINDOWS = 2
"""The number of windows that docs/calibrating.md uses: the first one and the last one."""
_RUNS = ROOT / "outputs" / "calibration"


class Case(NamedTuple):
    """A value of a machine."""

    machine: str
    key: str
    held: bool
    """Whether the interval holds the truth."""
    share: float
    """The spread afterwards, as a share of that beforehand."""


class Measured(NamedTuple):
    """Holds the result of the calibration of one machine."""

    cases: list[Case]
    seconds: float
    """The processor's time of its calibration."""
    before: float
    """The residual of its file, in % of the sensors' ranges."""
    after: float
    """That of the calibrated one."""


@cache
def measure() -> list[Measured]:
    """Calibrate all machines that have not been calibrated yet."""
    return [_kept(f"{build.name}_{number}", partial(_known, build, number))
            for build, number in _machines()]  # fmt: skip


@cache
def measure_rig() -> Measured:
    """Calibrate the rig to windows of all its sound cycles, if that has not been done."""
    return _kept("rig", _rig)


def _kept(name: str, found_of: Callable[[], Measured]) -> Measured:
    """Return what was found of a machine, now or before."""
    path = _RUNS / f"{name}.json"
    if not path.exists():
        found = found_of()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(found._asdict(), indent=1))
    read = json.loads(path.read_text("utf-8"))
    found = Measured(**read | {"cases": [Case(*each) for each in read["cases"]]})
    held = [each.held for each in found.cases]
    print(f"{name}: {sum(held)} of {len(held)} held, residual {found.before:.2f} to "
          f"{found.after:.2f} %, {found.seconds:.0f} s", file=sys.stderr, flush=True)  # fmt: skip
    return found


def _known(build: Build, number: int) -> Measured:
    known = draw_known(build, number, SEED)
    windows = recorded(known, WINDOWS, WINDOW_S)
    start = time.process_time()
    found = calibrate(build, windows, WINDOW_S)
    seconds = time.process_time() - start
    truth = {p.key: p.moved(x) for p, x in zip(known.parameters, known.truth, strict=True)}
    cases = []
    for each in told(found):
        low, _, high = each.after
        held = low <= truth[each.parameter.key] <= high
        cases.append(Case(known.member.equipment_id, each.parameter.key, held, each.share))
    return Measured(cases, seconds, *residual(found))


def _rig() -> Measured:
    folder = ROOT / "examples" / "rig"
    build = read_build(folder / "rig.yaml", folder / DUTY_FILE)
    source = ZemaSource()
    windows = sound_windows(
        source, source.equipment_id, build.machine, build.duty, sound_values(RIG_SOUND), RIG_WINDOWS
    )
    start = time.process_time()
    found = calibrate(build, windows.signals, windows.window_s)
    return Measured([], time.process_time() - start, *residual(found))


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
    """Return the coverage of intervals, their widths, the time of a calibration, and the rig."""
    rig, found = measure_rig(), measure()
    cases = _cases()
    determined = [each for each in cases if each.share < DETERMINED]
    held = float(np.mean([each.held for each in cases]))
    remaining = [each.after / each.before for each in found]
    return [
        at_least(f"all {len(cases)} values: coverage", 100 * held, "%", 100 * LOWEST),
        at_most("the same, at most", 100 * held, "%", 100 * HIGHEST),
        at_least(
            f"{len(determined)} values that the data determine: coverage",
            100 * float(np.mean([each.held for each in determined])), "%",
        ),
        at_most("spread of these, as a share of that before: median",
                float(np.median([each.share for each in determined])), ""),
        at_most("residual afterwards over that before: median", float(np.median(remaining)), "",
                0.5),
        at_most("processor time of a calibration: median",
                float(np.median([each.seconds for each in found])), "s"),
        at_most("test rig: residual of its file, of the sensors' ranges", rig.before, "%"),
        at_most("the same, calibrated", rig.after, "%", 0.5 * rig.before),
    ]  # fmt: skip


def _cases() -> list[Case]:
    return [case for each in measure() for case in each.cases]


def write() -> Path:
    """Write the rows into docs/results.md; return its path."""
    rows, cases = run(), _cases()
    machines = ", ".join(f"{count} {kind}" for kind, count in MACHINES.items())
    determined = [each.held for each in cases if each.share < DETERMINED]
    note = (
        f"Machines with known values: {machines}; {WINDOWS} windows of {WINDOW_S:g} s each, seed "
        f"{SEED}. Coverage is how often the {100 * INTERVAL:g} % interval holds the truth. "
        f"{_range([each.held for each in cases])} for all values, {_range(determined)} for those "
        f"determined (95 % intervals, values as if independent). The test rig is calibrated to "
        f"{RIG_WINDOWS} windows of all its sound cycles. {how_measured('calibration')}"
    )
    return write_rows("calibration", rows, note)


def _range(held: list[bool]) -> str:
    """Return the exact 95 % interval of a share (Clopper and Pearson)."""
    right, count = sum(held), len(held)
    low = beta.ppf(0.025, right, count - right + 1) if right else 0.0
    high = beta.ppf(0.975, right + 1, count - right) if right < count else 1.0
    return f"{100 * low:.1f} to {100 * high:.1f} %"
