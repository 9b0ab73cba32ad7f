"""What each part of the network is worth on machines never seen, and on kinds never seen.

`python -m benchmarks.fleet_parts` trains `experiment=fleet` and `experiment=fleet_unseen_kind` with
and without each part, on fewer machines than these have, and writes the tables into
docs/results.md. Finished trainings are kept under outputs/fleet/parts and not repeated.
"""

import argparse
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import torch

from benchmarks._document import ROOT, replace_section
from benchmarks._fleet_runs import EXPERIMENT, NETWORK, RUNS, Figures, figures, train
from benchmarks.fleet_unseen import ROLES
from hydrascope.simulation.fleet import KINDS

UNSEEN = "experiment=fleet_unseen_kind"
_BARE = (
    "model.states=linear",
    "model.use_ar=false",
    "model.use_ma=false",
    "model.token_layers=0",
    "model.spatial_layers=0",
)
_WHOLE = (
    "model.states=lstm",
    "model.use_ar=true",
    "model.use_ma=true",
    "model.token_layers=1",
    "model.spatial_layers=1",
    "model.hidden_channels=32",
)
KNOWN_BUILDS: Mapping[str, tuple[str, ...]] = {
    f"{NETWORK} (default)": (),
    "without the row": ("model.row_channels=0",),
    "row beside pooled sensors: no LSTM, AR, MA, attention, graph": _BARE,
    "without graph": ("model.spatial_layers=0",),
    "without attention between sensors": ("model.token_layers=0",),
    "without LSTM": ("model.states=linear",),
    "without AR and MA terms": ("model.use_ar=false", "model.use_ma=false"),
    "without transplants": ("data.transforms.transplants=0",),
}
UNKNOWN_KINDS: Mapping[str, tuple[str, ...]] = {
    f"{ROLES} (default)": (),
    "with graph": ("model.spatial_layers=1", "model.hidden_channels=32"),
    "with LSTM, AR, MA, attention and graph": _WHOLE,
    "the same without the row": (*_WHOLE, "model.row_channels=0"),
}
"""Overrides of each variant."""

Found = Mapping[str, Sequence[Figures]]
"""Variant → what each of its trainings found."""


def known_builds(machines: int, epochs: int, seeds: Sequence[int]) -> Found:
    """Train each variant with each seed on machines of four kinds, judged on others of these."""
    size = (f"data.source.machines_per_kind={machines}", f"trainer.max_epochs={epochs}")
    found: dict[str, list[Figures]] = {variant: [] for variant in KNOWN_BUILDS}
    for seed in seeds:
        for variant, overrides in KNOWN_BUILDS.items():
            folder = _folder("known", variant, machines, epochs, seed)
            results = train(folder, EXPERIMENT, *size, f"seed={seed}", *overrides)
            found[variant].append(figures(results, NETWORK))
    return found


def unknown_kinds(machines: int, epochs: int, seed: int) -> Found:
    """Train each variant on three kinds of machines, judged on the fourth, each in turn."""
    size = (f"data.source.machines_per_kind={machines}", f"trainer.max_epochs={epochs}")
    found: dict[str, list[Figures]] = {variant: [] for variant in UNKNOWN_KINDS}
    for variant, overrides in UNKNOWN_KINDS.items():
        for fold in range(len(KINDS)):
            folder = _folder("unknown", variant, machines, epochs, seed) / f"fold{fold}"
            given = (UNSEEN, *size, f"seed={seed}", f"data.fold={fold}", *overrides)
            found[variant].append(figures(train(folder, *given), ROLES))
    return found


def _folder(room: str, variant: str, machines: int, epochs: int, seed: int) -> Path:
    words = "".join(c if c.isalnum() else "_" for c in variant).strip("_")
    return RUNS / "parts" / room / f"{words}-machines{machines}-epochs{epochs}-seed{seed}"


def table(found: Found) -> str:
    """Return the means over the trainings; in brackets those of the least and the largest F1."""
    lines = [
        "| variant | trainings | macro-F1 of nine anomalies | health, MAE | faulty component named "
        "first |",
        "|---" * 5 + "|",
    ]
    for variant, each in found.items():
        f1 = [one.macro_f1 for one in each if one.macro_f1 is not None]
        health = [one.health for one in each if one.health is not None]
        located = [one.located for one in each if one.located is not None]
        spread = f" ({min(f1):.3f} – {max(f1):.3f})" if len(f1) > 1 else ""
        lines.append(
            f"| {variant} | {len(each)} | {fmean(f1):.3f}{spread} | {fmean(health):.3f} | "
            f"{fmean(located):.3f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=240, help="of a kind")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43])
    parser.add_argument("--root", type=Path, default=ROOT, help="of docs/results.md")
    given = parser.parse_args(arguments)
    seeds = " ".join(map(str, given.seeds))
    measured = (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, torch "
        f"{torch.__version__}; `python -m benchmarks.fleet_parts --machines {given.machines} "
        f"--epochs {given.epochs} --seeds {seeds}`."
    )
    of_kinds = unknown_kinds(given.machines, given.epochs, given.seeds[0])
    of_builds = known_builds(given.machines, given.epochs, given.seeds)
    parts = (
        f"{given.machines} machines of a kind and {given.epochs} epochs, otherwise the settings of",
        measured,
    )
    text = (
        f"Machines never seen, of known builds: {parts[0]} `experiment=fleet`; seeds {seeds}.\n\n"
        f"{table(of_builds)}\n\nKinds never seen, the mean of four held out in turn: {parts[0]} "
        f"`experiment=fleet_unseen_kind`; seed {given.seeds[0]}.\n\n{table(of_kinds)}\n\n{parts[1]}"
    )
    replace_section(given.root / "docs" / "results.md", "fleet parts", text)
    print(text)


if __name__ == "__main__":
    main()
