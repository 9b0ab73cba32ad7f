"""Measure false alarms of one model of normality for 30 healthy recordings that are simulated.

The recordings are either alike, so that their windows are exchangeable by construction, or each has
its own offset. Judged is the last fifth of each recording, whose first windows were learned from.
No window is faulty, so every alarm is false.

`python -m benchmarks false_alarms [--write]` trains once for each seed and case, and writes the
table into docs/results.md. Finished runs are kept in outputs/false_alarms.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import t as student

from benchmarks._document import ROOT, replace_section
from benchmarks._rows import Row, at_least, at_most
from hydrascope.evaluation.detection import machine_scores, score_table
from hydrascope.experiment.restore import restore
from hydrascope.notebook.fitting import fit
from hydrascope.schemas.normality import ThresholdRule
from hydrascope.training.fit_normality import calibrate

RUNS = ROOT / "outputs" / "false_alarms"
SEEDS = tuple(range(10))
RATE = 0.01
"""The rate of false alarms that is asked for."""
LEAST, MOST = 0.003, 0.03
"""Between which it has to be measured where recordings are alike."""
WINDOW_S = 10
SENSORS = {"p": ("pressure", "bar"), "q": ("flow", "l/min"), "t": ("temperature", "degC")}
MEANS, GAINS = np.array([100.0, 20.0, 45.0]), np.array([2.0, -1.0, 0.5])
"""The level of each sensor, and its answer to the load that all share."""
OFFSET = 3.0
"""The standard deviation of an offset, in standard deviations of the sensor within a recording."""
RULES: tuple[ThresholdRule, ...] = get_args(ThresholdRule)


class Case(NamedTuple):
    """A kind of recordings."""

    name: str
    offset: float
    """The standard deviation of the offset that each recording has of its own."""


ALIKE = Case("alike", 0.0)
OWN = Case("each with its own offset", OFFSET)
CASES = (ALIKE, OWN)


def record(folder: Path, seed: int, offset: float, recordings: int, windows: int) -> None:
    """Write healthy recordings at 1 Hz: three sensors with their own noise and a shared load.

    Load and noise are autoregressive, with time constants of 20 s and 3 s.
    """
    (folder / "machines").mkdir(parents=True)
    sensors = [
        {"id": name, "kind": kind, "unit": unit, "rate_hz": 1}
        for name, (kind, unit) in SENSORS.items()
    ]
    machine = {
        "schema_version": 1,
        "equipment": {"equipment_ids": [f"recording_{{1..{recordings}}}"], "name": "Pump"},
        "topology": {
            "id": "pump",
            "components": [{"id": "pump", "kind": "pump", "sensors": sensors}],
            "edges": [],
        },
    }
    (folder / "machines" / "pump.yaml").write_text(yaml.safe_dump(machine), "utf-8")
    random, rows = np.random.default_rng(seed), windows * WINDOW_S
    times = pd.date_range("2026-01-01", periods=rows, freq="1s")
    spread = np.sqrt(GAINS**2 + 1.0)
    for number in range(1, recordings + 1):
        load, noise = (stationary_noise(random, rows, n, tau) for n, tau in ((1, 20.0), (3, 3.0)))
        own = offset * spread * random.normal(size=3)
        values = pd.DataFrame(MEANS + own + GAINS * load + noise, columns=list(SENSORS))
        values.insert(0, "timestamp", times)
        values.insert(1, "equipment_id", f"recording_{number}")
        values.to_parquet(folder / f"recording_{number}.parquet", index=False)


def stationary_noise(
    random: np.random.Generator, rows: int, count: int, time_constant_s: float
) -> NDArray[np.float64]:
    """Return autoregressive noise of variance 1 at 1 Hz, [rows, count]."""
    keep = np.exp(-1.0 / time_constant_s)
    drawn = random.normal(size=(rows, count)) * np.sqrt(1.0 - keep**2)
    drawn[0] /= np.sqrt(1.0 - keep**2)
    filtered: NDArray[np.float64] = lfilter([1.0], [1.0, -keep], drawn, axis=0)
    return filtered


def judged(
    case: Case, seed: int, runs: Path = RUNS, recordings: int = 30, windows: int = 300
) -> Mapping[str, Any]:
    """Train and judge unless that was done.

    Returns:
        `rates`: rule → the share of test windows with an alarm. `windows`: their number.
        `resolved`: the lowest rate that the held-out units can guarantee. `names`: whether the
        training named recordings that differ.
    """
    folder = runs / f"{case.name.replace(' ', '_')}-{seed}"
    file, run_dir = folder / "judged.json", folder / "run"
    if not file.exists():
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was interrupted
        record(folder / "telemetry", seed, case.offset, recordings, windows)
        _train(folder, seed)
        file.write_text(json.dumps(_rates(run_dir), indent=1), encoding="utf-8")
    found: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def _train(folder: Path, seed: int) -> None:
    overrides = (
        *("data=parquet", "task=normality", "model=mahalanobis"),
        *(f"data.source.folder={folder / 'telemetry'}", "data.source.time_zone=UTC"),
        *(f"data.window.window_s={WINDOW_S}", f"data.window.stride_s={WINDOW_S}"),
        *("data.window.steps=5", "features=short_windows", "features.patch_length=2"),
        *(f"task.normality.false_alarm_rate={RATE}", "data.split.val_fraction=0.2"),
        *("baselines=false", "tracking=none", f"seed={seed}"),
        *(f"data.store.folder={folder / 'store'}", "hardware.threads=1"),
    )
    fit(*overrides, f"run_dir={folder / 'run'}", quiet=True)


def _rates(run_dir: Path) -> dict[str, Any]:
    results = json.loads((run_dir / "results.json").read_text("utf-8"))
    (said,) = results["normality"].values()
    settings, diagnoser, data = restore(str(run_dir / "checkpoints" / "best.ckpt"))
    assert settings.task.normality is not None
    rates = {}
    for rule in RULES:
        spec = settings.task.normality.model_copy(update={"threshold": rule})
        calibrate(diagnoser, data, spec)
        _, scores = machine_scores(score_table(diagnoser, data, spec))
        rates[rule] = float((scores > 1).mean())
    alarms = said["false_alarms"]
    assert rates["conformal"] == alarms["rate"]
    return {
        "rates": rates,
        "windows": alarms["windows"],
        "resolved": alarms["resolved"],
        "names": bool(said["differing_machines"]),
    }


def run(seeds: Sequence[int] = SEEDS) -> list[Row]:
    """Return the rates where recordings are alike, and how often the others are named."""
    alike = [each["rates"]["conformal"] for each in (judged(ALIKE, seed) for seed in seeds)]
    rows = [
        at_least("alike: lowest rate of a seed", 100 * min(alike), "%", 100 * LEAST),
        at_most("alike: highest rate of a seed", 100 * max(alike), "%", 100 * MOST),
    ]
    for case in CASES:
        found = [judged(case, seed) for seed in seeds]
        rate = 100 * float(np.mean([each["rates"]["conformal"] for each in found]))
        named = sum(each["names"] for each in found) / len(found)
        goal = 1.0 if case.offset else None
        rows += [
            at_most(f"{case.name}: mean rate", rate, "%"),
            at_least(f"{case.name}: share of seeds whose report names them", named, "", goal),
        ]
    return rows


def write(seeds: Sequence[int] = SEEDS) -> Path:
    """Write the table into docs/results.md."""
    lines = [
        f"False alarms in % of the test windows, asked for {100 * RATE:g} %: the mean over "
        f"{len(seeds)} seeds with its 95 % interval (Student's t), in brackets the lowest and the "
        "highest seed. Mahalanobis, 30 recordings of 300 windows of 10 s, three sensors. An own "
        f"offset has a standard deviation of {OFFSET:g}, in those of the sensor within a "
        "recording. "
        "`python -m benchmarks false_alarms --write`.",
        "",
        f"| recordings | {' | '.join(RULES)} | promised at best | differences named |",
        "|---" * (3 + len(RULES)) + "|",
    ]
    for case in CASES:
        found = [judged(case, seed) for seed in seeds]
        cells = [_over_seeds([100 * each["rates"][rule] for each in found]) for rule in RULES]
        resolved = {f"{100 * each['resolved']:.2g} %" for each in found}
        named = f"{sum(each['names'] for each in found)} of {len(found)}"
        cells += [" to ".join(sorted(resolved)), named]
        lines.append(f"| {case.name} | {' | '.join(cells)} |")
    path = ROOT / "docs" / "results.md"
    replace_section(path, "false alarms", "\n".join(lines))
    return path


def _over_seeds(values: Sequence[float]) -> str:
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(student.ppf(0.975, len(values) - 1)) * sd / np.sqrt(len(values))
    low, high = max(0.0, mean - half), mean + half
    return f"{mean:.2f}, {low:.2f}–{high:.2f} ({min(values):.2f} – {max(values):.2f})"
