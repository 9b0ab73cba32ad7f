"""Trainings on the fleet with parts of the network switched off, each kept and not repeated."""

import argparse
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean

import torch

from benchmarks._fleet_runs import RUNS, Figures, figures, train

Variants = Mapping[str, tuple[str, ...]]
"""Name → overrides."""


def size_of_trainings(
    description: str | None, arguments: Sequence[str] | None, machines: int
) -> argparse.Namespace:
    """Return `machines` of a kind, `epochs` and `seeds`, as the command line gives them."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--machines", type=int, default=machines, help="of a kind")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    return parser.parse_args(arguments)


def trained(
    experiment: str, model: str, variants: Variants, folds: int, given: argparse.Namespace
) -> Mapping[str, Sequence[Figures]]:
    """Return the figures of each variant, fold after fold and seed after seed."""
    size = (f"data.source.machines_per_kind={given.machines}", f"trainer.max_epochs={given.epochs}")
    found: dict[str, list[Figures]] = {variant: [] for variant in variants}
    for variant, overrides in variants.items():
        words = "".join(c if c.isalnum() else "_" for c in f"{experiment} {variant}").strip("_")
        folder = RUNS / "parts" / f"{words}-machines{given.machines}-epochs{given.epochs}"
        for seed in given.seeds:
            for fold in range(folds):
                run = (experiment, *size, f"seed={seed}", f"data.fold={fold}", *overrides)
                results = train(folder / f"seed{seed}-fold{fold}", *run)
                found[variant].append(figures(results, model))
    return found


def table(found: Mapping[str, Sequence[Figures]]) -> str:
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


def how_measured(module: str, given: argparse.Namespace) -> str:
    """Return date, machine and command."""
    seeds = " ".join(map(str, given.seeds))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, torch "
        f"{torch.__version__}; `python -m benchmarks.{module} --machines {given.machines} "
        f"--epochs {given.epochs} --seeds {seeds}`."
    )
