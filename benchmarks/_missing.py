"""What sensors that are missing cost on the rig: the network beside the discriminant, pooled.

`python -m benchmarks._missing RUN_DIR` answers the test windows of a finished run
with sensors taken away, and keeps what the answers add up to in the run's folder.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from hydrascope.evaluation.calibrate import fit_calibration
from hydrascope.evaluation.missing import Situation, judge_missing
from hydrascope.evaluation.missing_report import of_size, summary
from hydrascope.evaluation.report import write_json
from hydrascope.evaluation.tally import Tally
from hydrascope.experiment.assemble import recipe_of
from hydrascope.experiment.model_settings import OUR_DISCRIMINANT, DiscriminantSettings
from hydrascope.experiment.restore import Restored, restore
from hydrascope.experiment.testing import QUICK_MODELS, answers_held_out
from hydrascope.models.calibration import Temperatures
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.kernel.model import KernelDiscriminant
from hydrascope.schemas.task import HeadSpec
from hydrascope.training.closed_form import fit_closed_form, fitted_rows, with_model

FILE = "missing_sensors.json"
DISCRIMINANT = "discriminant"
_SUMS = ("metric", "wrong", "bins")

Tallies = dict[Situation, dict[str, Tally]]
Measured = dict[str, Tallies]
"""By model."""


def measure(run_dir: Path) -> None:
    """Judge a run's network, and a discriminant of its fold, unless that was done.

    What one model's answers add up to is kept as soon as it is known.
    """
    known = {**measured(run_dir)}
    restored = restore(str(run_dir / "checkpoints" / "best.ckpt"))
    own = restored.settings.model.name
    for name in (own, DISCRIMINANT):
        if name not in known:
            diagnoser = restored.diagnoser if name == own else fitted_discriminant(restored)
            tallies = judge_missing(diagnoser, restored.data).tallies
            known[name] = [
                {
                    "missing": list(situation),
                    "heads": {head: written(tally) for head, tally in heads.items()},
                }
                for situation, heads in tallies.items()
            ]
            write_json(run_dir / FILE, known)


def measured(run_dir: Path) -> Mapping[str, object]:
    """Return what is kept of a run, by model; nothing where nothing is."""
    path = run_dir / FILE
    kept: dict[str, object] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return kept


def fitted_discriminant(restored: Restored) -> TensorDiagnoser:
    """Return a discriminant of the same fold, calibrated as one that is trained by itself."""
    settings, network, data = restored
    _, config = QUICK_MODELS[DISCRIMINANT]
    keys = {"_target_": OUR_DISCRIMINANT, "name": DISCRIMINANT, **config.model_dump()}
    settings = settings.model_copy(update={"model": DiscriminantSettings.model_validate(keys)})
    model = KernelDiscriminant(config, data.input_spec, settings.task.heads)
    diagnoser = with_model(network, model)
    fit_closed_form(diagnoser, data, fitted_rows(data), settings.seed)
    recipe = recipe_of(settings, data.input_spec)
    _, held_out = answers_held_out(recipe, data, diagnoser, settings.seed)
    spec = fit_calibration(diagnoser.heads, held_out)
    diagnoser.calibration = Temperatures(diagnoser.heads, spec)
    return diagnoser


def written(tally: Tally) -> dict[str, Any]:
    """Return a tally as plain data."""
    sums = {name: getattr(tally, name).tolist() for name in _SUMS}
    return {"rows": tally.rows, **sums}


def read(record: Mapping[str, Any]) -> Tally:
    """Return what `written` wrote down."""
    return Tally(record["rows"], *(np.array(record[name], np.float64) for name in _SUMS))


def added(one: Tally, other: Tally) -> Tally:
    """Return the tally of two sets of rows together; not of a regression."""
    sums = (getattr(one, name) + getattr(other, name) for name in _SUMS)
    return Tally(one.rows + other.rows, *sums)


def pooled(run_dirs: Sequence[Path]) -> Measured:
    """Return the sums over all runs, by model."""
    found: Measured = {}
    for name, situations in chain.from_iterable(measured(each).items() for each in run_dirs):
        own = found.setdefault(name, {})
        assert isinstance(situations, list)
        for each in situations:
            sums = own.setdefault(tuple(each["missing"]), {})
            for head, record in each["heads"].items():
                tally = read(record)
                sums[head] = added(sums[head], tally) if head in sums else tally
    return found


def as_markdown(models: Measured, heads: Sequence[HeadSpec]) -> str:
    """Return a table with a row for each model, of these heads; accuracies in %."""
    columns = (
        "model",
        "all sensors",
        "one of {ones} missing: mean",
        "lowest sensor and head",
        "confidence where wrong",
        "ECE with all",
        "ECE with one missing",
        "any two missing: mean",
    )
    rows = []
    for name, tallies in models.items():
        everything, one, two = (summary(heads, of_size(tallies, size)) for size in range(3))
        worst = one["worst"]
        (slot,) = worst["missing"]
        cells = [
            name,
            _percent(everything["mean"]),
            _percent(one["mean"]),
            f"{_percent(worst['value'])} ({worst['head']} without {slot.rpartition('/')[2]})",
            _share(one["wrong_confidence"]),
            _share(everything["ece"]),
            _share(one["ece"]),
            _percent(two["mean"]),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    head = "| " + " | ".join(columns).format(ones=one["situations"]) + " |"
    return "\n".join([head, "|---" * len(columns) + "|", *rows])


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
