"""Measure false alarms and detection delays of the default alarm rules on simulated machines.

`python -m benchmarks alarms --write` trains `experiment=fleet`, if that has not been done, and
writes the table into docs/results.md. Machines that the training has not seen, of another seed, are
simulated. Setting and weather are drawn for each shift of eight hours, and the first twelve minutes
of a shift stand for all of it. Each window of these is answered, and judged by the default rules,
by the functions of `hydrascope watch`. Windows are kept in outputs/alarms; interrupted runs go on.

Sound machines count false alarms. In others one fault grows evenly until failure; the delay is from
severity 0.25 on, where a fault counts as active, to the first alarm that names it.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypedDict

import numpy as np

from benchmarks import _fleet_runs
from benchmarks._alarm_windows import Developing, Seen, Viewer
from benchmarks._document import ROOT, how_measured, replace_section
from benchmarks._rows import Row, at_least, at_most
from hydrascope.monitoring.engine import Change, Transition, judge
from hydrascope.monitoring.rules import Rule, read_rules
from hydrascope.simulation.faults import ACTIVE, Fault
from hydrascope.tasks.alarm_budget import poisson_interval
from hydrascope.telemetry.fleet import START, FleetSource

RUNS = ROOT / "outputs" / "alarms"
TUNED, JUDGED = 101, 102
"""Seeds of the machines on which the default rules were chosen, and of those of the table."""
GOAL = 1.0
"""False alarms in 1,000 machine-hours, at most."""
CONFIDENCES = (0.0, 0.3, 0.5)
"""The tried values of `confidence` of the rule `finding`; the default comes first."""
SHIFT_H, RECORDED_MIN = 8.0, 12.0
"""Setting and weather last for a shift, of which its first minutes are simulated."""
_BEFORE = 0.1
"""Severity from which on a growing fault is watched: before it is active."""


class Size(NamedTuple):
    """The size of the measurement.

    Attributes:
        machines: Sound machines of each kind.
        hours: Hours of each.
        growing: Machines of each kind for each fault.
        growth_h: Hours from the onset of a fault to failure.
        trained: Machines of each kind that the network is trained, validated and tested on.
    """

    machines: int = 25
    hours: float = 500.0
    growing: int = 4
    growth_h: float = 500.0
    trained: int = 1120


FULL = Size()


class _Recorded(TypedDict):
    """Arguments of a source."""

    machines_per_kind: int
    hours: float
    recording_min: float
    life_h: float
    fault_rate: float
    commissioning: int
    seed: int


class Found(NamedTuple):
    """The alarms that one growing fault raised."""

    delay_h: float | None
    """From severity `ACTIVE` on to the alarm; negative before; None: there was none."""
    severity: float | None
    """At the alarm."""
    others: int
    """Alarms that name another fault or component."""


def sound_fleet(size: Size, seed: int) -> FleetSource:
    """Return machines without faults."""
    return FleetSource(**_recorded(size.machines, size.hours, seed))


def growing_fleet(size: Size, seed: int, fault: Fault) -> Developing:
    """Return machines in each of which a fault grows."""
    return Developing(**_recorded(size.growing, size.growth_h, seed), fault=fault)


def _recorded(machines: int, hours: float, seed: int) -> _Recorded:
    return {
        "machines_per_kind": machines,
        "hours": hours / SHIFT_H * RECORDED_MIN / 60.0,
        "recording_min": RECORDED_MIN,
        "life_h": hours,
        "fault_rate": 0.0,
        "commissioning": 3,
        "seed": seed,
    }


def viewer(size: Size) -> Viewer:
    """Return what answers windows, after a training unless that has been done."""
    folder = RUNS / f"trained_{size.trained}"
    machines = f"data.source.machines_per_kind={size.trained}"
    _fleet_runs.train(folder / "run", _fleet_runs.EXPERIMENT, "baselines=false", machines)
    bundle = folder / "bundle"
    if not bundle.exists():
        ckpt = folder / "run" / "checkpoints" / "best.ckpt"
        command = [sys.executable, "export.py", f"ckpt={ckpt}", f"output={bundle}"]
        subprocess.run(command, cwd=ROOT, check=True)
    return Viewer(bundle, folder / "windows")


def raised(rules: Sequence[Rule], seen: Seen, evidence: Mapping[str, str]) -> list[Transition]:
    """Return the alarms of a machine; `evidence` is as `judge` takes it."""
    windows = [*seen.windows()]
    # A finding that no window shows, of whatever component, raises no alarm; leaving it out saves
    # most of the time.
    shown = {
        each.finding
        for _, numbers in windows
        for each in numbers
        if any(rule.reads(each) and rule.shows(each) for rule in rules)
    }
    columns = [column for column, (_, _, name, _) in enumerate(seen.names) if name in shown]
    state: dict[str, object] = {}
    found = []
    for window, numbers in windows:
        some = [numbers[column] for column in columns]
        state, changes = judge(rules, state, window, some, evidence)
        found += [each for each in changes if each.change is Change.RAISED]
    return found


def sound_windows(size: Size, seed: int) -> Iterator[Seen]:
    """Yield the windows of each sound machine."""
    source, view = sound_fleet(size, seed), viewer(size)
    for equipment_id in source.machines():
        yield view.see(source, equipment_id)


def growing_windows(size: Size, seed: int, fault: Fault) -> Iterator[tuple[str, Seen]]:
    """Yield the faulty component and the windows of each machine with a fault."""
    source, view = growing_fleet(size, seed, fault), viewer(size)
    for equipment_id in source.machines():
        (course,) = source.member(equipment_id).courses
        yield course.component, view.see(source, equipment_id, _BEFORE * size.growth_h)


def outcome(alarms: Sequence[Transition], fault: Fault, component: str, size: Size) -> Found:
    """Return what became of a growing fault; an alarm of the machine or the component names it."""
    right = [
        each
        for each in alarms
        if each.finding == fault.value and each.component_id in ("", component)
    ]
    others = len(alarms) - len(right)
    if not right:
        return Found(None, None, others)
    hour = min((each.window.end - START).total_seconds() / 3600 for each in right)
    severity = hour / size.growth_h
    return Found(hour - ACTIVE * size.growth_h, severity, others)


class Measured(NamedTuple):
    """The figures of some rules."""

    alarms: int
    """The alarms of the sound machines."""
    hours: float
    """The hours of these machines together."""
    machines: int
    faults: dict[Fault, list[Found]]

    @property
    def rate(self) -> float:
        """False alarms in 1,000 machine-hours."""
        return 1e3 * self.alarms / self.hours


def measure(rules: Sequence[Rule], size: Size, seed: int) -> Measured:
    """Judge sound machines and machines with growing faults."""
    alarms, machines, evidence = 0, 0, viewer(size).evidence
    for seen in sound_windows(size, seed):
        alarms += len(raised(rules, seen, evidence))
        machines += 1
    faults = {
        fault: [
            outcome(raised(rules, seen, evidence), fault, component, size)
            for component, seen in growing_windows(size, seed, fault)
        ]
        for fault in Fault
    }
    return Measured(alarms, machines * size.hours, machines, faults)


def with_confidence(rules: Sequence[Rule], confidence: float) -> list[Rule]:
    """Return rules of which those that go by the model's verdict have another confidence."""
    return [
        rule if rule.above is not None or rule.below is not None
        else rule.model_copy(update={"confidence": confidence})
        for rule in rules
    ]  # fmt: skip


def run(size: Size = FULL) -> list[Row]:
    """Measure the default rules."""
    found = measure(read_rules(None).rules, size, JUDGED)
    rows = [at_most("false alarms in 1,000 machine-hours", found.rate, "", GOAL)]
    for fault, outcomes in found.faults.items():
        share = sum(each.delay_h is not None for each in outcomes) / len(outcomes)
        rows.append(at_least(f"{fault}: share with an alarm", share, ""))
    return rows


def write(size: Size = FULL, seed: int = JUDGED) -> Path:
    """Measure the default rules and write the tables into docs/results.md."""
    rules, path = read_rules(None).rules, ROOT / "docs" / "results.md"
    compared = {each: measure(with_confidence(rules, each), size, seed) for each in CONFIDENCES}
    text = [*_of_rules(compared[CONFIDENCES[0]], size), "", *_of_confidences(compared)]
    replace_section(path, "alarms", "\n".join(text))
    return path


def _of_rules(found: Measured, size: Size) -> list[str]:
    smaller = "" if size == FULL else f" Smaller than by this command: `{size}`."
    missed = " **The goal is missed.**" * (found.rate > GOAL)
    diagnosed_h = found.machines * size.hours / SHIFT_H * RECORDED_MIN / 60
    highest = 1000 * poisson_interval(found.alarms)[1] / diagnosed_h
    lines = [
        f"A network trained on the fleet of `experiment=fleet` ({size.trained:,} machines of a "
        f"kind) and the default rules. Setting and weather last {SHIFT_H:g} h, of which the first "
        f"{RECORDED_MIN:g} min are simulated and diagnosed window by window. "
        f"{how_measured('alarms')}{smaller}",
        "",
        f"- Sound machines: {found.machines} × {size.hours:g} h with {found.alarms} alarms, "
        f"{_rate(found)} in 1,000 machine-hours (95 % interval, Poisson; goal: at most {GOAL:g})."
        f"{missed}",
        f"- This takes a shift to be as its first minutes. {diagnosed_h:,.0f} h of telemetry were "
        "diagnosed. If alarms came from noise alone, not from setting and weather, the upper end "
        f"would be {highest:.2f}.",
        f"- One fault each: it grows evenly from sound to failure in {size.growth_h:g} h.",
        "",
        f"| fault | machines | with an alarm that names it | hours from severity {ACTIVE:g} to "
        "that alarm, median (least – most) | severity at the alarm, median | other alarms a "
        "machine |",
        "|---" * 6 + "|",
    ]
    for fault, outcomes in found.faults.items():
        delays = [each.delay_h for each in outcomes if each.delay_h is not None]
        delay = f"{median(delays):.0f} ({min(delays):.0f} – {max(delays):.0f})" if delays else "–"
        cells = len(outcomes), len(delays), delay, _severity(outcomes), _others(outcomes)
        lines.append(f"| {fault.value} | {' | '.join(map(str, cells))} |")
    return lines


def _of_confidences(compared: Mapping[float, Measured]) -> list[str]:
    lines = [
        "The same machines with other values of `confidence` (0: the model's own flags):",
        "",
        "| confidence | false alarms in 1,000 machine-hours | faults found | severity at the "
        "alarm, median | other alarms a faulty machine |",
        "|---" * 5 + "|",
    ]
    for confidence, found in compared.items():
        outcomes = [each for own in found.faults.values() for each in own]
        share = sum(each.delay_h is not None for each in outcomes) / len(outcomes)
        cells = _rate(found), f"{100 * share:.0f} %", _severity(outcomes), _others(outcomes)
        lines.append(f"| {confidence:g} | {' | '.join(cells)} |")
    return lines


def _rate(found: Measured) -> str:
    low, high = (1e3 * each / found.hours for each in poisson_interval(found.alarms))
    return f"{found.rate:.2f} ({low:.2f} – {high:.2f})"


def _severity(outcomes: Sequence[Found]) -> str:
    levels = [each.severity for each in outcomes if each.severity is not None]
    return f"{median(levels):.2f}" if levels else "–"


def _others(outcomes: Sequence[Found]) -> str:
    return f"{np.mean([each.others for each in outcomes]):.2f}"
