"""The real test rig, judged by networks that know simulated rigs alone, calibrated and not.

`python -m benchmarks rig_from_simulation` calibrates the rig's machine file to ten sound cycles,
trains `experiment=rig_from_simulation` on rigs of both files, if that has not been done
(outputs/rig), and judges all other cycles. `--write` puts the tables into docs/results.md and the
picture of what faults change into docs/images.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from benchmarks._document import ROOT, how_measured, replace_section
from benchmarks._fleet_runs import train
from benchmarks._rig_answers import Figure, Figures, answer, figures
from benchmarks._rig_changes import Change, changes, draw
from benchmarks._rows import Row, at_least, at_most
from hydrascope.evaluation.machine_calibration.files import write_files
from hydrascope.simulation.build import DUTY_FILE, MACHINE_FILE, read_build
from hydrascope.simulation.calibration.calibrate import calibrate
from hydrascope.telemetry.calibration.windows import LEAST_S, SoundWindows
from hydrascope.telemetry.rig.recorded import RecordedRig, reference_windows
from hydrascope.telemetry.rig.severities import GRADES

SPREADS = {"accumulator.volume_l": 0.2, "accumulator.precharge_bar": 0.0}
"""What is known of the rig: the precharge exactly, the accumulator's size hardly."""
LEAST_AUROC, LEAST_RANK, RANKED = 0.95, 0.8, 3
"""The goals, and how many components are to reach the rank correlation."""
_FILE = ROOT / "examples" / "rig" / "rig.yaml"
_RUNS = ROOT / "outputs" / "rig"
_PICTURE = ROOT / "docs" / "images" / "rig_changes.png"
_SHOWN = 3
"""The sensors of each fault that the table shows: those that the simulation changes most."""


def run() -> list[Row]:
    """Calibrate, train what is missing; the calibrated network is to reach the goals."""
    calibrated, before, after = _calibrated()
    found = _found(calibrated)
    rows = []
    for name, each in found.items():
        rows.append(at_least(f"{name}: AUROC, others in any condition", each.others_any.value, "",
                             LEAST_AUROC))  # fmt: skip
        rows.append(at_least(f"{name}: AUROC against all four as new", each.all_new.value, "",
                             LEAST_AUROC))  # fmt: skip
        rows.append(at_least(f"{name}: rank correlation", each.rank.value, ""))
    ranked = sum(each.rank.value >= LEAST_RANK for each in found.values())
    return [
        *rows,
        at_least(f"components with a rank correlation of {LEAST_RANK:g}", ranked, "", RANKED),
        at_most("residual of the calibrated file over that of the file", after / before, "", 0.5),
    ]


def write() -> Path:
    """Calibrate, train what is missing, write docs/results.md and the picture."""
    calibrated, before, after = _calibrated()
    changed = changes(calibrated)
    draw(changed, _PICTURE)
    note = (
        "gatv2_arma (`experiment=rig_from_simulation`), trained on simulated rigs alone, answers "
        "the 2,195 real cycles that are no references. One training each, seed 42. In brackets: "
        f"95 % intervals over conditions. {how_measured('rig_from_simulation')}"
    )
    residual = (
        f"The residual of the file on the ten references is {before:.2f} % of the sensors' ranges, "
        f"that of the calibrated one {after:.2f} %."
    )
    lines = [
        note, "", *_by_component(_found(calibrated), _found(_FILE)), "", residual, "",
        *_by_change(changed),
    ]  # fmt: skip
    path = ROOT / "docs" / "results.md"
    replace_section(path, "rig_from_simulation", "\n".join(lines))
    return path


@cache
def _calibrated() -> tuple[Path, float, float]:
    """Return the calibrated machine file, and the residuals before and after."""
    folder = _RUNS / "calibrated"
    content = folder / "calibration.json"
    if not content.exists():
        build = read_build(_FILE, _FILE.with_name(DUTY_FILE))
        source = RecordedRig(str(_FILE))
        (name,) = source.machines()
        times = reference_windows(source.labels(name), LEAST_S)
        signals = tuple(source.read(name, each) for each in times)
        found = calibrate(build, signals, LEAST_S, SPREADS)
        write_files(folder, build, SoundWindows(name, tuple(times), signals, LEAST_S, 1), found)
    residual = json.loads(content.read_text("utf-8"))["residual_percent_of_range"]
    return folder / MACHINE_FILE, residual["before"], residual["after"]


@cache
def _found(machine_file: Path) -> dict[str, Figures]:
    """Return what a network reaches that was trained on rigs of a machine file."""
    folder = _RUNS / ("uncalibrated" if machine_file == _FILE else "from_calibrated")
    source = f"data.source.machine_file={machine_file}"
    store = _RUNS / "store"
    train(folder, "experiment=rig_from_simulation", source, store=store)
    answers = answer(folder / "checkpoints" / "best.ckpt", machine_file, store)
    return {component: figures(answers, component) for component in GRADES}


def _by_component(found: dict[str, Figures], without: dict[str, Figures]) -> Iterator[str]:
    yield (f"| component | AUROC, others in any condition, goal ≥ {LEAST_AUROC:g} | AUROC against "
           f"all four as new | rank correlation, goal ≥ {LEAST_RANK:g} | answered by grade, "
           "from new | without calibration: the same |")  # fmt: skip
    yield "|---" * 6 + "|"
    for name, each in found.items():
        other = without[name]
        plain = f"{other.others_any.value:.3f}, {other.all_new.value:.3f}, {other.rank.value:.3f}"
        grades = ", ".join(f"{value:.2f}" for value in each.by_grade)
        cells = " | ".join(map(_cell, (each.others_any, each.all_new, each.rank)))
        yield f"| {name} | {cells} | {grades} | {plain} |"


def _cell(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} – {figure.high:.3f})"


def _by_change(changed: list[Change]) -> Iterator[str]:
    yield ("| worst grade of | sensor | real change, mean | simulated change, mean | sizes, % of "
           "range: real, simulated | likeness of the shapes |")  # fmt: skip
    yield "|---" * 6 + "|"
    for fault in GRADES:
        own = sorted(
            (each for each in changed if each.fault == fault), key=lambda each: -each.sizes[1]
        )
        for each in own[:_SHOWN]:
            real, simulated = each.sizes
            yield (
                f"| {fault} | {each.sensor} | {each.real.mean():.2f} {each.unit} | "
                f"{each.simulated.mean():.2f} {each.unit} | {real:.2f}, {simulated:.2f} | "
                f"{each.likeness:.2f} |"
            )
