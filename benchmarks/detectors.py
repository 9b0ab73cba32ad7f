"""Which detector to use without labels, if nothing is known of the machine: a choice on circuits.

Random circuits are none of the machines on which results are given. A detector learns from healthy
windows of some machines of each circuit, and is judged on others of the same circuits. Windows have
several steps, other than those of `fleet_normality`. `--write` puts the table into docs/results.md.
What is simulated and trained is kept in outputs/detectors.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks import _fleet_runs
from benchmarks._document import ROOT, how_measured, replace_section
from benchmarks._rows import Row, at_least, at_most
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.data.windows import EQUIPMENT
from hydrascope.evaluation.detection import machine_scores, score_table
from hydrascope.evaluation.detectors import DETECTORS, fitted_detector
from hydrascope.experiment.restore import Restored, restore
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.schemas.normality import BLAME
from hydrascope.schemas.task import HEALTH
from hydrascope.tasks.alarm_thresholds import wilson_interval

RUNS = ROOT / "outputs" / "detectors"
ASKED, SEED = 0.05, 42
VARIANTS = {
    "Mahalanobis, robust": ("model.robust=true",),
    "Mahalanobis, by step": ("model.per_step=true",),
    "Mahalanobis, levels a tenth": ("task.normality.level_share=0.1",),
    "Mahalanobis, as on the rig": (
        *("model.robust=true", "model.per_step=true"),
        "task.normality.level_share=0.1",
    ),
}
"""Name → overrides of the default."""
SLIGHT, CLEAR = 0.25, 0.5
"""The severities from which a fault counts, and from which it is no longer slight."""


class Size(NamedTuple):
    """The size of the measurement: circuits, machines of each, and windows of each of these."""

    circuits: int = 12
    machines: int = 60
    windows: int = 12


FULL = Size()


class Judged(NamedTuple):
    """The judgement of the test windows by a detector, [W] each."""

    severity: NDArray[np.float64]
    """Of the machine's worst fault."""
    circuit: NDArray[np.str_]
    score: NDArray[np.float64]
    """As a multiple of the threshold."""
    blamed: NDArray[np.float64]
    """1 where the least healthy component is the most probable one to blame, else 0; NaN where
    there is no alarm, nothing is faulty, or nothing is blamed."""

    @property
    def sound(self) -> NDArray[np.bool_]:
        """Whether nothing is faulty."""
        return self.severity == 0.0

    def auroc(self) -> float:
        """Return the mean of the circuits' AUROC of faults from `SLIGHT` on."""
        judged = self.sound | (self.severity >= SLIGHT)
        found = []
        for name in np.unique(self.circuit):
            own = judged & (self.circuit == name)
            if len(np.unique(self.sound[own])) == 2:
                found.append(roc_auc_score(~self.sound[own], self.score[own]))
        return float(np.mean(found))

    def false_alarms(self) -> float:
        """Return the share of sound windows that raise an alarm."""
        return float((self.score > 1.0)[self.sound].mean())

    def detected(self, low: float, high: float = np.inf) -> float:
        """Return the share of windows with these severities that raise an alarm."""
        return float((self.score > 1.0)[(self.severity >= low) & (self.severity < high)].mean())


def overrides_of(size: Size) -> list[str]:
    """Return the overrides of a training."""
    return [
        *("data=random_circuits", "task=normality", "model=mahalanobis", "tracking=none"),
        *("task.normality.healthy={health: 1.0}", f"task.normality.false_alarm_rate={ASKED}"),
        *("data.normalise.by=machine", "data.normalise.clip=5.0", "data.split.val_fraction=0.3"),
        *("features.levels=true", "features.patch=false"),
        "features.percentiles=[5,25,50,75,95]",
        *("data.source.fault_rate=1.0", "data.source.commissioning=6"),
        *("data.source.seed=61", "data.source.life_h=500.0"),
        f"data.source.circuits={size.circuits}",
        f"data.source.machines_per_kind={size.machines}",
        f"data.source.hours={size.windows / 30.0}",  # of two minutes each
        f"seed={SEED}",
    ]


def judged(size: Size) -> Iterator[tuple[str, Judged]]:
    """Yield each detector's name and what it makes of the test windows."""
    restored = _trained(size)
    spec = restored.settings.task.normality
    assert spec is not None
    for name in DETECTORS:
        own = fitted_detector(name, restored.data, restored.diagnoser, spec, SEED)
        yield name, _judged(own, restored.data)
    for name in VARIANTS:
        own, data = _trained(size, name)[1:]
        yield name, _judged(own, data)


def _trained(size: Size, variant: str | None = None) -> Restored:
    """Return the default or one of `VARIANTS`, trained unless that was done."""
    number, overrides = 0, ()
    if variant is not None:
        number, overrides = 1 + [*VARIANTS].index(variant), VARIANTS[variant]
    name = "-".join(map(str, (*size, number)))
    told = (*overrides_of(size), *overrides, "baselines=false", "trainer.progress_bar=false")
    _fleet_runs.train(RUNS / name, *told, store=RUNS / "store")
    return restore(str(RUNS / name / "checkpoints" / "best.ckpt"))


def _judged(diagnoser: TensorDiagnoser, data: HydraulicDataModule) -> Judged:
    spec = data.task.normality
    assert spec is not None
    table = score_table(diagnoser, data, spec)
    windows, score = machine_scores(table)
    about = data.table.iloc[windows]
    first = table[table["level"] == BLAME].sort_values("score").groupby("window")["id"].last()
    blamed = np.full(len(windows), np.nan)
    circuit = np.array([data.machines[each].topology.id for each in about[EQUIPMENT]])
    severity = 1.0 - about[HEALTH].to_numpy(np.float64)
    for at, (window, row) in enumerate(about.iterrows()):
        if window in first.index and severity[at] > 0.0:
            components = data.machines[row[EQUIPMENT]].topology.components
            health = {each.id: row.get(f"{each.id}.{HEALTH}", np.nan) for each in components}
            faulty = min(health, key=lambda each: np.nan_to_num(health[each], nan=np.inf))
            blamed[at] = faulty == first[window]
    # Without a score, as at a new operating point, there is no alarm.
    return Judged(severity, circuit, np.nan_to_num(score, nan=0.0), blamed)


def run(size: Size = FULL) -> list[Row]:
    """Return each detector's AUROC, detected faults, false alarms and right blame."""
    rows = []
    for name, found in judged(size):
        rows += [
            at_least(f"{name}: AUROC", found.auroc(), ""),
            at_least(f"{name}: faults detected", found.detected(SLIGHT), "share"),
            at_most(f"{name}: false alarms", found.false_alarms(), "share"),
        ]
        if np.isfinite(found.blamed).any():
            right = float(np.nanmean(found.blamed))
            rows.append(at_least(f"{name}: right component blamed first", right, "share"))
    return rows


def write(size: Size = FULL) -> Path:
    """Write the table into docs/results.md."""
    path = ROOT / "docs" / "results.md"
    replace_section(path, "detectors", "\n".join(_table(dict(judged(size)), size)))
    return path


def _table(found: Mapping[str, Judged], size: Size) -> Iterator[str]:
    first = next(iter(found.values()))
    yield (
        f"{size.circuits} random circuits, {size.machines} machines of each with {size.windows} "
        f"windows of two minutes in four steps. Test: {len(first.severity)} windows of other "
        f"machines, {int(first.sound.sum())} of them sound. Asked for: {100 * ASKED:g} % false "
        "alarms, by window. AUROC: of faults from severity "
        f"{SLIGHT:g} on, mean of the circuits. {how_measured('detectors')}"
    )
    yield ""
    yield (
        f"| detector | AUROC | false alarms | detected, severity {SLIGHT:g} to {CLEAR:g} | "
        f"from {CLEAR:g} on | right component blamed first |"
    )
    yield "|---" * 6 + "|"
    for name, own in found.items():
        known = np.isfinite(own.blamed)
        blamed = _share(own.blamed[known] == 1.0) if known.any() else "–"
        slight, clear = (100 * own.detected(*each) for each in ((SLIGHT, CLEAR), (CLEAR,)))
        yield (
            f"| {name} | {own.auroc():.3f} | {100 * own.false_alarms():.1f} % | {slight:.1f} % | "
            f"{clear:.1f} % | {blamed} |"
        )


def _share(hits: NDArray[np.bool_]) -> str:
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return f"{100 * hits.mean():.1f} % ({100 * low:.0f}–{100 * high:.0f})"
