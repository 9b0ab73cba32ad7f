"""Measure how often a network blames the right component of a kind of machine it has not seen.

It is learned on simulated faults of the fleet's kinds and of builds drawn at random. Each kind of
the fleet is left out in turn. `--write` also learns on all of them and writes the weights into the
package. Machines are simulated anew each time, some seconds each.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmarks._blame_cases import Case, cases
from benchmarks._blame_training import Cases, ranks, train
from benchmarks._document import ROOT
from benchmarks._rows import Row, at_least
from hydrascope.simulation.fleet_settings import KINDS

MACHINES, WINDOWS = 400, 320
WEIGHTS = ROOT / "src" / "hydrascope" / "assets" / "blame" / "blame.safetensors"


def simulate(machines: int = MACHINES, windows: int = WINDOWS) -> list[Case]:
    """Return the cases of so many machines with so many windows each."""
    return [case for number in range(machines) for case in cases(number, windows)]


def judge(found: Sequence[Case]) -> list[Row]:
    """Return the shares of detected windows in which the right component is blamed."""
    every = Cases.of(found)
    detected = torch.cat([case.detected for case in found])
    rows = []
    for kind in KINDS:
        mine = torch.tensor([case.kind == kind for case in found])
        known = Cases.of([case for case in found if case.kind != kind])
        judged = (mine[every.case] & detected).nonzero().squeeze(1)
        rank = ranks(train(known), every, judged)
        for place, name in enumerate(("first", "among the first two")):
            share = float((rank <= place).double().mean())
            rows.append(at_least(f"{kind}, unseen: right component {name}", share, "share"))
    return rows


def run() -> list[Row]:
    """Simulate, leave out each kind in turn and judge it."""
    return judge(simulate())


def write() -> Path:
    """Learn on all machines and write the weights into the package."""
    networks = train(Cases.of(simulate()))
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{number}.{name}": tensor
        for number, network in enumerate(networks)
        for name, tensor in network.state_dict().items()
    }
    save_file(tensors, WEIGHTS)
    return WEIGHTS
