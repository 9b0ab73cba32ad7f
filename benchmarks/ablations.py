"""What each part of the network is worth on the rig: trainings without it, paired with the whole.

`python -m benchmarks ablations --write` trains every variant on every fold and seed with the same
reduced budget and writes the table into docs/results.md. Finished trainings are kept under
outputs/ablations and not repeated, so it can be stopped and started again;
`python -m benchmarks.ablations --processes 2 --epochs 30 --seeds 42 43 44` asks for more.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from scipy.stats import t as student

from benchmarks._document import ROOT, replace_section
from benchmarks._fold_runs import FOLDS
from benchmarks._rows import Row, at_least
from benchmarks.zema_folds import TARGETS

WHOLE = "gatv2_arma (default)"
VARIANTS: Mapping[str, tuple[str, ...]] = {
    WHOLE: (),
    "without the row": ("model.row_channels=0",),
    "without attention between sensors": ("model.token_layers=0",),
    "without graph": ("model.spatial_layers=0",),
    "without edge features": ("model.edge_features=false",),
    "without LSTM": ("model.states=linear",),
    "without AR term": ("model.use_ar=false",),
    "without MA term (same value path)": ("model.use_ma=false",),
    "MLP of equal size for cross-task attention": ("model.cross_task=mlp",),
    "row beside pooled sensors: no LSTM, AR, MA, attention, graph": (
        "model.states=linear",
        "model.use_ar=false",
        "model.use_ma=false",
        "model.token_layers=0",
        "model.spatial_layers=0",
    ),
    "without recombination": ("data.transforms.recombination=0",),
    "without drift": ("data.transforms.drift=0",),
    "without sensor dropout": ("data.transforms.sensor_dropout=0",),
    "single-task": ("task=single",),
}
"""Overrides of each variant; `task=single` stands for one training for each component head."""
MISSING = "missing_sensors.json"
"""File in a training's folder: its accuracies with one sensor missing, by head."""

Scores = Mapping[tuple[int, int], float]
"""Mean accuracy of the four conditions by fold and seed."""


class Budget(NamedTuple):
    """How long and how often each variant is trained, and where results are kept."""

    epochs: int = 12
    seeds: tuple[int, ...] = (42, 43)
    folds: tuple[int, ...] = tuple(range(FOLDS))
    folder: Path = ROOT / "outputs" / "ablations"


DEFAULT = Budget()


class Training(NamedTuple):
    """One training; `head` is the only one it learns, None for all."""

    variant: str
    head: str | None
    fold: int
    seed: int
    budget: Budget

    @property
    def path(self) -> Path:
        """Where its accuracies are kept, by head."""
        words = "".join(c if c.isalnum() else "_" for c in f"{self.variant} {self.head or ''}")
        name = f"{words.strip('_')}-fold{self.fold}-seed{self.seed}-epochs{self.budget.epochs}"
        return self.budget.folder / name


def trainings(budget: Budget) -> Iterator[Training]:
    """Yield all of them, fold after fold, so that an unfinished table is paired as far as it is.

    Single tasks come last: they are four trainings each.
    """
    single = ("task=single",)
    for wanted, heads in (False, (None,)), (True, TARGETS):
        for seed, fold in product(budget.seeds, budget.folds):
            for variant, overrides in VARIANTS.items():
                if (overrides == single) == wanted:
                    yield from (Training(variant, head, fold, seed, budget) for head in heads)


def train(training: Training) -> None:
    """Train, and keep the test accuracies of the heads."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from hydrascope.experiment import train as job
    from hydrascope.experiment.job_settings import validate_train

    if (training.path / "results.json").exists():
        return
    training.path.mkdir(parents=True, exist_ok=True)
    overrides = [
        "experiment=zema",
        *(VARIANTS[training.variant] if training.head is None else ()),
        f"data.fold={training.fold}",
        f"seed={training.seed}",
        f"trainer.max_epochs={training.budget.epochs}",
        "trainer.refit_fraction=null",
        "trainer.progress_bar=false",
        "tracking=none",
        "baselines=false",
        f"run_dir={training.path}",
        f"data.store.folder={training.budget.folder / 'store'}",
    ]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", overrides), resolve=True)
    assert isinstance(config, dict)
    if training.head is not None:
        heads = config["task"]["heads"]
        config["task"]["heads"] = [head for head in heads if head["name"] == training.head]
    with (training.path / "log.txt").open("w", encoding="utf-8") as log, redirect_stdout(log):
        job.run(validate_train(config))


def judge_without_sensors(training: Training) -> None:
    """Keep the test accuracies of the heads with one sensor missing, means over the sensors."""
    from hydrascope.evaluation.missing import judge_missing
    from hydrascope.evaluation.missing_report import of_size, summary
    from hydrascope.evaluation.report import write_json
    from hydrascope.experiment.restore import restore

    if (kept := training.path / MISSING).exists():
        return
    _, diagnoser, data = restore(str(training.path / "checkpoints" / "best.ckpt"))
    found = judge_missing(diagnoser, data, pairs=False)
    write_json(kept, summary(diagnoser.heads, of_size(found.tallies, 1))["heads"])


def scores(budget: Budget) -> dict[str, Scores]:
    """Return the mean accuracy over the four conditions by variant and (fold, seed), if known."""
    return _means(budget, "results.json", _of_results)


def scores_without_sensors(budget: Budget) -> dict[str, Scores]:
    """Return the same with one sensor missing."""
    return _means(budget, MISSING, lambda heads: heads)


def _of_results(results: Any) -> Mapping[str, float]:
    (heads,) = results["test"].values()
    return {head: values["accuracy"] for head, values in heads.items()}


def _means(
    budget: Budget, name: str, accuracies: Callable[[Any], Mapping[str, float]]
) -> dict[str, Scores]:
    accuracy: dict[str, dict[tuple[int, int], dict[str, float]]] = {name: {} for name in VARIANTS}
    for training in trainings(budget):
        if (file := training.path / name).exists():
            known = accuracy[training.variant].setdefault((training.fold, training.seed), {})
            known |= accuracies(json.loads(file.read_text(encoding="utf-8")))
    return {
        variant: {
            pair: statistics.mean(heads[head] for head in TARGETS)
            for pair, heads in pairs.items()
            if heads.keys() >= set(TARGETS)
        }
        for variant, pairs in accuracy.items()
    }


def difference(
    ours: Mapping[tuple[int, int], float], whole: Mapping[tuple[int, int], float]
) -> str:
    """Return the mean of the paired differences with its 95 % interval (Student's t), in points."""
    paired = [100 * (ours[pair] - whole[pair]) for pair in ours if pair in whole]
    if len(paired) < 2:
        return "– | –"
    spread = statistics.stdev(paired) / len(paired) ** 0.5 * student.ppf(0.975, len(paired) - 1)
    mean = statistics.mean(paired)
    verdict = "no clear difference"
    if abs(mean) > spread:
        verdict = "better than the default" if mean > 0 else "worse than the default"
    return f"{mean:+.2f} [{mean - spread:+.2f}, {mean + spread:+.2f}] | {verdict}"


def table(budget: Budget) -> str:
    """Return the table of what has been trained so far."""
    by_variant, without = scores(budget), scores_without_sensors(budget)
    whole = by_variant[WHOLE]
    lines = [
        f"ZeMA rig, unseen conditions, mean accuracy of the four conditions in %; "
        f"every variant with the same {budget.epochs} epochs and no refit, otherwise the "
        f"settings of `experiment=zema`; folds {_words(budget.folds)}. Differences to the default "
        f"are paired by fold and seed, with 95 % intervals over the pairs; `python -m "
        f"benchmarks.ablations --epochs {budget.epochs} --seeds {_words(budget.seeds)} --folds "
        f"{_words(budget.folds)}`.",
        "",
        "| variant | trainings | mean of four | difference [95 %] | verdict | one of 17 sensors "
        "missing: mean | difference [95 %] | verdict |",
        "|---" * 8 + "|",
    ]
    for variant, pairs in by_variant.items():
        cells = [variant, str(len(pairs))]
        for ours, of_whole in ((pairs, whole), (without[variant], without[WHOLE])):
            cells.append(f"{100 * statistics.mean(ours.values()):.2f}" if ours else "–")
            cells.append("– | –" if variant == WHOLE else difference(ours, of_whole))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _words(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))


def run(budget: Budget = DEFAULT, processes: int = 1) -> list[Row]:
    """Train what is missing; a row for each variant."""
    for job, kept in (train, "results.json"), (judge_without_sensors, MISSING):
        missing = [each for each in trainings(budget) if not (each.path / kept).exists()]
        if processes == 1:
            for training in missing:
                job(training)
        else:
            with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
                list(pool.map(job, missing))
    return [
        at_least(variant, 100 * statistics.mean(pairs.values()), "%")
        for variant, pairs in scores(budget).items()
    ]


def write(budget: Budget = DEFAULT, processes: int = 1) -> Path:
    """Train what is missing and write the table."""
    run(budget, processes)
    path = ROOT / "docs" / "results.md"
    replace_section(path, "ablations", table(budget))
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing with a budget of one's choice and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=DEFAULT.epochs)
    parser.add_argument("--seeds", type=int, nargs="+", default=DEFAULT.seeds)
    parser.add_argument("--folds", type=int, nargs="+", default=DEFAULT.folds)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=DEFAULT.folder)
    given = parser.parse_args(arguments)
    budget = Budget(given.epochs, tuple(given.seeds), tuple(given.folds), given.folder)
    write(budget, given.processes)


if __name__ == "__main__":
    main()
