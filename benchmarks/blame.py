"""Measure how often a network blames the right component of a kind of machine it has not seen.

It is learned on simulated faults of the fleet's kinds and of builds drawn at random. Each kind of
the fleet is left out in turn, and a quarter of the random builds. `--write` also learns on all of
them, writes the weights into the package and the shares into docs/results.md. Simulated machines
are kept in outputs/blame, so that an interrupted run goes on.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks._blame_cases import RANDOM, Case
from benchmarks._blame_store import simulated
from benchmarks._blame_training import Cases, ranks, train
from benchmarks._document import ROOT, how_measured, write_rows
from benchmarks._rows import Row, at_least
from hydrascope.models.blame.places import FAMILIES
from hydrascope.simulation.fleet_settings import KINDS

MACHINES, WINDOWS = 200, 160
WEIGHTS = ROOT / "src" / "hydrascope" / "assets" / "blame" / "blame.safetensors"
_PARTS = 4
_PLACES = ("first", "among the first two")


def judge(found: Sequence[Case], left_out: Sequence[str] = (*KINDS, RANDOM)) -> list[Row]:
    """Return the shares of detected windows in which the right component is blamed.

    Those of the random builds that are left out are also given by family of component.

    Args:
        found: All cases.
        left_out: What is left out of the training in turn, and judged.
    """
    every = Cases.of(found)
    detected = torch.cat([case.detected for case in found])
    rows: list[Row] = []
    for name in left_out:
        mine = _left_out(found, name)
        known = Cases.of([case for case, own in zip(found, mine, strict=True) if not own])
        judged = (torch.tensor(mine)[every.case] & detected).nonzero().squeeze(1)
        rank = ranks(train(known), every, judged)
        rows += _shares(f"{name}, unseen", rank)
        if name == RANDOM:
            family = torch.tensor([case.family for case in found])[every.case[judged]]
            for number in family.unique().tolist():
                kind = FAMILIES[number][0].value.replace("_", " ")
                rows += _shares(f"{name} builds, unseen, {kind}", rank[family == number])
    return rows


def _left_out(found: Sequence[Case], name: str) -> list[bool]:
    """Return whether each case is left out; of the random builds, a part is."""
    mine = (case.machine // 2 % _PARTS == 0 or name != RANDOM for case in found)
    return [case.kind == name and own for case, own in zip(found, mine, strict=True)]


def _shares(name: str, rank: Tensor) -> list[Row]:
    return [
        at_least(f"{name}: right component {said}", float((rank <= place).double().mean()), "share")
        for place, said in enumerate(_PLACES)
    ]


def run() -> list[Row]:
    """Simulate, leave out kinds and builds in turn, and judge them."""
    return judge(simulated(MACHINES, WINDOWS))


def write() -> Path:
    """Learn on all machines, write the weights into the package, and judge what is left out."""
    found = simulated(MACHINES, WINDOWS)
    networks = train(Cases.of(found))
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{number}.{name}": tensor
        for number, network in enumerate(networks)
        for name, tensor in network.state_dict().items()
    }
    save_file(tensors, WEIGHTS)
    WEIGHTS.chmod(0o644)  # safetensors creates files that only their owner can read
    return document(judge(found))


def document(rows: Sequence[Row]) -> Path:
    """Write the rows of `judge` into docs/results.md."""
    note = (
        f"Simulated, {MACHINES} machines of {WINDOWS} windows; the share of detected windows of "
        f"kinds and builds that were left out. {how_measured('blame')}"
    )
    return write_rows("blame of unseen kinds", rows, note)
