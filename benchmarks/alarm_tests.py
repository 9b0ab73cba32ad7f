"""Which test over the windows of a machine finds growing faults earliest, at equal false alarms.

The scores are those of `fleet_normality`, on machines of other seeds. `--write` puts the table into
docs/results.md.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import _alarm_tests as tests
from benchmarks._document import ROOT, how_measured, replace_section
from benchmarks._fleet_normality_data import COMPARED, EVERY_H, TUNED, Seeds, Size
from benchmarks._fleet_normality_scores import Machines, Scored, scored
from benchmarks._rows import Row, at_least
from benchmarks.fleet_normality import ASKED, BEFORE
from hydrascope.models.alarm_test import AlarmTest
from hydrascope.tasks.alarm_budget import budget_threshold

CHOSEN = "**CUSUM of a given width, its threshold set (chosen)**"


def run(size: Size = COMPARED, seeds: Seeds = TUNED) -> list[Row]:
    """Return the share of faults that each test finds early, by detector."""
    return [
        at_least(f"{detector}: {test}", share, "")
        for detector, found in scored(size, seeds)
        for test, share in compared(found).items()
    ]


def write(size: Size = COMPARED, seeds: Seeds = TUNED) -> Path:
    """Write the comparison of tests over windows into docs/results.md."""
    path = ROOT / "docs" / "results.md"
    found = dict(scored(size, seeds))
    replace_section(path, "fleet alarm tests", "\n".join(_compared(found, size)))
    return path


def compared(found: Scored) -> dict[str, float]:
    """Return the share of faults that each test finds early with as many false alarms as asked.

    The limit of each kind is set on the same sound machines, so that all tests raise equally many.
    """
    early: dict[str, list[NDArray[np.bool_]]] = {}
    for kind, held_out in found.held_out.items():
        sound, growing = (_of_kind(each, kind) for each in (found.sound, found.growing))
        allowed = ASKED / 1000.0 * sound.share.size * EVERY_H
        for prepare, some in (
            (tests.standardised, tests.OF_LOGS),
            (tests.log_p_values, tests.OF_P_VALUES),
        ):
            ready = [
                prepare(held_out, found.threshold[kind] * each.share) for each in (sound, growing)
            ]
            for name, statistic in some.items():
                of_sound, of_growing = (statistic(each) for each in ready)
                limit = tests.limit(of_sound, allowed)
                hits = tests.found_before(of_growing, limit, growing.severity, BEFORE)
                early.setdefault(name, []).append(hits)
        early.setdefault(CHOSEN, []).append(_chosen(found.width, sound, growing, int(allowed)))
    return {name: float(np.concatenate(each).mean()) for name, each in early.items()}


def _chosen(width: float, sound: Machines, growing: Machines, allowed: int) -> NDArray[np.bool_]:
    """Return whether the alarm test that is used finds each fault early."""
    threshold = budget_threshold(sound.share, width, allowed)
    sums = AlarmTest(width).run(growing.share / threshold)
    return tests.found_before(sums, 1.0, growing.severity, BEFORE)


def _of_kind(machines: Machines, kind: str) -> Machines:
    """Return the machines of a kind; a window without a score counts as at its threshold."""
    own = machines.kind == kind
    return machines._replace(
        kind=machines.kind[own],
        fault=machines.fault[own],
        severity=machines.severity[own],
        share=np.nan_to_num(machines.share[own], nan=1.0),
        new=machines.new[own],
    )


def _compared(found: Mapping[str, Scored], size: Size) -> list[str]:
    shares = {name: compared(each) for name, each in found.items()}
    lines = [
        f"Share of {4 * size.growing} growing faults found before severity {BEFORE:g} if each test "
        f"raises {ASKED:g} false alarm in 1,000 h on the same {4 * size.sound} sound machines × "
        f"{size.sound_h:g} h, of other seeds than those of the tables above. "
        f"{how_measured('alarm_tests')}",
        "",
        f"| test | {' | '.join(shares)} |",
        "|---" * (1 + len(shares)) + "|",
    ]
    for test in next(iter(shares.values())):
        cells = (f"{100 * each[test]:.0f} %" for each in shares.values())
        lines.append(f"| {test} | {' | '.join(cells)} |")
    return lines
