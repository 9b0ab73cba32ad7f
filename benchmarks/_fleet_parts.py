"""Trainings on the fleet with parts of the network switched off, each kept and not repeated."""

import argparse
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import NamedTuple

import torch

from benchmarks._document import ROOT, replace_section
from benchmarks._fleet_runs import RUNS, Figures, figures, train

Variants = Mapping[str, tuple[str, ...]]
"""Name → overrides."""


class Study(NamedTuple):
    """Trainings of an experiment with parts of its network switched off.

    Attributes:
        name: Of the module; with spaces, of the section in docs/results.md.
        about: What is measured, in words; `{…}` are the arguments of the command.
        experiment: The override that names it.
        model: The name of its model in the results.
        variants: What is switched off.
        folds: How many are trained.
        machines: How many of a kind, unless the command says otherwise.
    """

    name: str
    about: str
    experiment: str
    model: str
    variants: Variants
    folds: int
    machines: int


def measure(study: Study, description: str | None) -> None:
    """Train what is missing, write the table and print it."""
    given = _arguments(description, study.machines)
    about = study.about.format(**vars(given), trainings=len(given.seeds))
    text = f"{about} {_how_measured(study, given)}\n\n{_table(_trained(study, given))}"
    replace_section(ROOT / "docs" / "results.md", study.name.replace("_", " "), text)
    print(text)


def _arguments(description: str | None, machines: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--machines", type=int, default=machines, help="of a kind")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    return parser.parse_args()


def _trained(study: Study, given: argparse.Namespace) -> Mapping[str, Sequence[Figures]]:
    """Return the figures of each variant, fold after fold and seed after seed."""
    size = (f"data.source.machines_per_kind={given.machines}", f"trainer.max_epochs={given.epochs}")
    found: dict[str, list[Figures]] = {variant: [] for variant in study.variants}
    for variant, overrides in study.variants.items():
        text = f"{study.experiment} {variant}"
        words = "".join(c if c.isalnum() else "_" for c in text).strip("_")
        folder = RUNS / "parts" / f"{words}-machines{given.machines}-epochs{given.epochs}"
        for seed in given.seeds:
            for fold in range(study.folds):
                run = (study.experiment, *size, f"seed={seed}", f"data.fold={fold}", *overrides)
                results = train(folder / f"seed{seed}-fold{fold}", *run)
                found[variant].append(figures(results, study.model))
    return found


def _table(found: Mapping[str, Sequence[Figures]]) -> str:
    """Return the mean over the trainings; in brackets the lowest and the highest F1."""
    lines = [
        "| variant | macro-F1 of nine anomalies | health, MAE | faulty component named first |",
        "|---" * 4 + "|",
    ]
    for variant, each in found.items():
        f1 = [one.macro_f1 for one in each if one.macro_f1 is not None]
        health = [one.health for one in each if one.health is not None]
        located = [one.located for one in each if one.located is not None]
        lines.append(
            f"| {variant} | {fmean(f1):.3f} ({min(f1):.3f} – {max(f1):.3f}) | "
            f"{fmean(health):.3f} | {fmean(located):.3f} |"
        )
    return "\n".join(lines)


def _how_measured(study: Study, given: argparse.Namespace) -> str:
    """Return date, machine and command."""
    seeds = " ".join(map(str, given.seeds))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, torch "
        f"{torch.__version__}; `python -m benchmarks.{study.name} --machines {given.machines} "
        f"--epochs {given.epochs} --seeds {seeds}`."
    )
