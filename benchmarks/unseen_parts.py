"""Measure what each part of the network is worth on kinds of machines never seen.

`python -m benchmarks.unseen_parts` trains `experiment=fleet_unseen_kind` with and without graph,
LSTM, ARMA attention and row, on fewer machines than it has, and writes the table into
docs/results.md. Finished trainings are kept under outputs/fleet/parts and not repeated.
"""

import argparse
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean

import torch

from benchmarks._document import ROOT, replace_section
from benchmarks._fleet_runs import RUNS, Figures, figures, train
from benchmarks.fleet_unseen import ROLES
from hydrascope.simulation.fleet import KINDS

EXPERIMENT = "experiment=fleet_unseen_kind"
_WHOLE = (
    "model.states=lstm",
    "model.use_ar=true",
    "model.use_ma=true",
    "model.token_layers=1",
    "model.spatial_layers=1",
    "model.hidden_channels=32",
)
VARIANTS: Mapping[str, tuple[str, ...]] = {
    f"{ROLES} (default)": (),
    "with graph": ("model.spatial_layers=1", "model.hidden_channels=32"),
    "with LSTM, AR, MA, attention and graph": _WHOLE,
    "the same without the row": (*_WHOLE, "model.row_channels=0"),
}
"""Overrides of each variant."""


def trained(machines: int, epochs: int, seed: int) -> Mapping[str, Sequence[Figures]]:
    """Train each variant on three kinds of machines, judged on the fourth, each in turn."""
    size = (f"data.source.machines_per_kind={machines}", f"trainer.max_epochs={epochs}")
    found: dict[str, list[Figures]] = {variant: [] for variant in VARIANTS}
    for variant, overrides in VARIANTS.items():
        words = "".join(c if c.isalnum() else "_" for c in variant).strip("_")
        folder = RUNS / "parts" / f"{words}-machines{machines}-epochs{epochs}-seed{seed}"
        for fold in range(len(KINDS)):
            given = (EXPERIMENT, *size, f"seed={seed}", f"data.fold={fold}", *overrides)
            found[variant].append(figures(train(folder / f"fold{fold}", *given), ROLES))
    return found


def table(found: Mapping[str, Sequence[Figures]]) -> str:
    """Return the mean over the kinds; in brackets the lowest and the highest F1."""
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=240, help="of a kind")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=42)
    given = parser.parse_args(arguments)
    found = trained(given.machines, given.epochs, given.seed)
    text = (
        f"The mean of four kinds held out in turn, in brackets the lowest and the highest; "
        f"{given.machines} machines of a kind and {given.epochs} epochs, otherwise the settings of "
        f"`{EXPERIMENT}`; one training a fold. {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, "
        f"{os.cpu_count()} cores, torch {torch.__version__}; `python -m benchmarks.unseen_parts "
        f"--machines {given.machines} --epochs {given.epochs} --seed {given.seed}`.\n\n"
        f"{table(found)}"
    )
    replace_section(ROOT / "docs" / "results.md", "unseen parts", text)
    print(text)


if __name__ == "__main__":
    main()
