"""False alarms of sound simulated machines in 1,000 hours, and how early growing faults are found.

Detectors learn from healthy machines alone, with `task.normality.false_alarms_per_1000_h=1`. They
are judged on machines that they have not seen: sound ones, and ones in which a fault grows evenly.
One window of two minutes is judged every four hours. `--write` puts the tables into
docs/results.md. What is simulated and trained is kept in outputs/fleet_normality. The test over
windows was chosen by `alarm_tests`, on other machines.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks._document import ROOT, how_measured, replace_section
from benchmarks._fleet_normality_data import (
    EVERY_H,
    FULL,
    GROWTH_H,
    JUDGED,
    Seeds,
    Size,
)
from benchmarks._fleet_normality_scores import Scored, scored
from benchmarks._rows import Row, at_least, at_most
from hydrascope.evaluation.bootstrap import Bootstrap
from hydrascope.models.alarm_test import AlarmTest, alarm_begins
from hydrascope.tasks.alarm_thresholds import wilson_interval

ASKED, GOAL, BEFORE = 1.0, 0.8, 0.5
"""False alarms in 1,000 h; the share of faults to be found before this severity."""
GOAL_BLAME = 0.7
"""Of the found faults, the share in which the right component is to be blamed first."""
Floats = NDArray[np.float64]


class Judged(NamedTuple):
    """What came of one detector's alarms."""

    kind: NDArray[np.str_]
    """Of each growing machine, [G]."""
    fault: NDArray[np.str_]
    """[G]"""
    severity: Floats
    """At the first alarm, [G]; NaN: there was none."""
    blamed: Floats
    """1 where the faulty component is the most probable one to blame when the alarm begins, else 0,
    [G]; NaN where there is no alarm or nothing is blamed."""
    begun: NDArray[np.int64]
    """Alarms of each sound machine, [M]."""
    sound_kind: NDArray[np.str_]
    """[M]"""
    hours: Floats
    """Judged hours of each sound machine, [M]."""
    new: float
    """Share of the sound machines' windows at a new operating point."""
    new_faulty: float
    """Share of the growing machines' windows with a severity below `BEFORE`."""

    @property
    def early(self) -> NDArray[np.bool_]:
        """Whether a fault was found before `BEFORE`, [G]."""
        return self.severity < BEFORE

    def rate(self, chosen: NDArray[np.bool_]) -> tuple[float, list[float] | None]:
        """Return the false alarms in 1,000 h of some sound machines, with draws of machines."""
        rows = np.flatnonzero(chosen)
        counts = np.stack([self.begun, self.hours / 1000.0], axis=1).astype(np.float64)
        bootstrap = Bootstrap.of("machines", np.arange(len(self.begun)), rows)
        drawn = bootstrap.of_sums(counts[rows], rows, lambda s: {"rate": s[:, 0] / s[:, 1]})
        total = counts[rows].sum(0)
        return float(total[0] / total[1]), bootstrap.interval(drawn["rate"])


def judge(found: Scored) -> Judged:
    """Follow the alarm test over the windows of each machine."""
    test, growing, sound = AlarmTest(found.width), found.growing, found.sound
    alarm = test.run(growing.share) > 1.0
    first = np.where(alarm.any(1), alarm.argmax(1), 0)
    at = np.arange(len(first)), first
    severity = growing.severity[at]
    slight = growing.severity < BEFORE
    return Judged(
        growing.kind,
        growing.fault,
        np.where(alarm.any(1), severity, np.nan),
        np.where(alarm.any(1), growing.blamed[at], np.nan),
        alarm_begins(test.run(sound.share)).sum(1),
        sound.kind,
        (~np.isnan(sound.share)).sum(1) * EVERY_H,
        float(sound.new.mean()),
        float(growing.new[slight].mean()),
    )


def measure(size: Size, seeds: Seeds) -> dict[str, Judged]:
    """Judge all detectors."""
    return {name: judge(found) for name, found in scored(size, seeds)}


def run(size: Size = FULL, seeds: Seeds = JUDGED) -> list[Row]:
    """Return the rate of false alarms and the share of faults found early of each detector."""
    rows = []
    for name, found in measure(size, seeds).items():
        rate, interval = found.rate(np.ones(len(found.begun), dtype=bool))
        low = interval[0] if interval else rate
        rows += [
            at_most(f"{name}: false alarms in 1,000 h", rate, ""),
            at_most(f"{name}: lower end of their interval", low, "", ASKED),
            at_least(f"{name}: found before severity {BEFORE:g}", found.early.mean(), "", GOAL),
        ]
        if np.isfinite(found.blamed).any():
            right = float(np.nanmean(found.blamed))
            rows.append(at_least(f"{name}: right component blamed first", right, "", GOAL_BLAME))
    return rows


def write(size: Size = FULL, seeds: Seeds = JUDGED) -> Path:
    """Write the tables into docs/results.md."""
    path = ROOT / "docs" / "results.md"
    replace_section(path, "fleet normality", "\n".join(_tables(measure(size, seeds), size)))
    return path


def _tables(found: Mapping[str, Judged], size: Size) -> list[str]:
    first = next(iter(found.values()))
    kinds = list(dict.fromkeys(first.kind.tolist()))
    every = np.ones(len(first.begun), dtype=bool)
    smaller = "" if size == FULL else f" Smaller than by this command: `{size}`."
    lines = [
        f"{len(first.begun)} sound machines × {size.sound_h:g} h and {len(first.fault)} machines "
        f"with one growing fault, which would fail after {GROWTH_H:g} h. A window of two minutes "
        f"is judged every {EVERY_H:g} h. Asked for: {ASKED:g} false alarm in 1,000 h. Intervals: "
        f"95 %, over machines. {how_measured('fleet_normality')}{smaller}",
        "",
        "| detector | false alarms in 1,000 h | found before severity "
        f"{BEFORE:g} | severity at the alarm, median | {' | '.join(kinds)} |",
        "|---" * (4 + len(kinds)) + "|",
    ]
    for name, own in found.items():
        cells = [
            _rate(own, every),
            _share(own.early),
            f"{np.nanmedian(own.severity):.2f}",
            *(f"{100 * own.early[own.kind == kind].mean():.0f} %" for kind in kinds),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", f"Found before severity {BEFORE:g}, by fault:", ""]
    lines += _by_fault(found, list(dict.fromkeys(first.fault.tolist())))
    lines += [
        "",
        "Where there was an alarm, the share in which the faulty component is the most probable "
        "one to blame, by the windows that led to it:",
        "",
        f"| detector | all | {' | '.join(kinds)} |",
        "|---" * (2 + len(kinds)) + "|",
    ]
    lines += _blamed(found, kinds)
    lines += ["", "False alarms in 1,000 h, by kind:", ""]
    lines += [f"| detector | {' | '.join(kinds)} |", "|---" * (1 + len(kinds)) + "|"]
    for name, own in found.items():
        rates = (_rate(own, own.sound_kind == kind) for kind in kinds)
        lines.append(f"| {name} | {' | '.join(rates)} |")
    new = f"{100 * first.new:.1f} % of the sound machines' windows"
    faulty = f"{100 * first.new_faulty:.1f} % of those of machines with a fault up to severity"
    lines += ["", f"New operating points, without a score: {new}, {faulty} {BEFORE:g}."]
    return lines


def _by_fault(found: Mapping[str, Judged], faults: Sequence[str]) -> Iterable[str]:
    yield f"| fault | {' | '.join(found)} |"
    yield "|---" * (1 + len(found)) + "|"
    for fault in faults:
        shares = (f"{100 * own.early[own.fault == fault].mean():.0f} %" for own in found.values())
        yield f"| {fault} | {' | '.join(shares)} |"


def _blamed(found: Mapping[str, Judged], kinds: Sequence[str]) -> Iterable[str]:
    for name, own in found.items():
        known = np.isfinite(own.blamed)
        if known.any():
            shares = [_share(own.blamed[known] == 1.0)]
            for kind in kinds:
                of_kind = known & (own.kind == kind)
                shares.append(f"{100 * own.blamed[of_kind].mean():.0f} %")
            yield f"| {name} | {' | '.join(shares)} |"


def _rate(found: Judged, chosen: NDArray[np.bool_]) -> str:
    rate, interval = found.rate(chosen)
    around = f" ({interval[0]:.2f}–{interval[1]:.2f})" if interval else ""
    return f"{rate:.2f}{around}"


def _share(hits: NDArray[np.bool_]) -> str:
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return f"{100 * hits.mean():.1f} % ({100 * low:.0f}–{100 * high:.0f})"
