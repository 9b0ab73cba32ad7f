"""The network that blames components, trained on simulated cases.

Shapes: W windows, S sensors, N components, C candidates.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from benchmarks._blame_cases import Case
from hydrascope.models.blame.components import NETWORKS
from hydrascope.models.blame.network import BlameInputs, BlameNetwork, joint_logits
from hydrascope.models.blame.places import MachinePlaces

_STEPS, _BATCH, _RATE, _DECAY = 350, 256, 4e-3, 0.05
"""Chosen on kinds of machines left out: 2,000 steps and 32 channels learned the known machines
better and the others worse."""
SEEDS = tuple(range(NETWORKS))
"""One network for each: together they name the right component more often, and know better when
they do not."""
_CANDIDATES = 6
"""The components that a step compares: the faulty one and others, drawn anew."""
_MOST_LEFT_OUT = 0.4
"""The largest share of the sensors that a training window loses."""


_RARE = 0.75
"""A window's weight is the frequency of its fault to the power of minus this."""
_CHANGE_ALONE = 0.25
"""The share of training windows in which the change stands for the level, so that windows of a
single step, which have but one of the two, can be judged."""


class Cases(NamedTuple):
    """Windows of all cases, filled up to equal numbers of sensors and components."""

    evidence: Tensor
    """[W, S, 4]"""
    observed: Tensor
    """[W, S] bool"""
    faulty: Tensor
    """[W] int64"""
    case: Tensor
    """The case of each window, [W] int64; the rows of `places` and `present`."""
    places: MachinePlaces
    present: Tensor
    weight: Tensor
    """The weight of each window, [W]: rare faults count nearly as much as frequent ones; the same
    fault of another family of components is another one."""

    @classmethod
    def of(cls, cases: Sequence[Case]) -> "Cases":
        """Join cases."""
        sensors = max(case.evidence.shape[1] for case in cases)
        components = max(len(case.topology.components) for case in cases)
        evidence, observed, places, present = [], [], [], []
        for case in cases:
            missing = sensors - case.evidence.shape[1]
            absent = components - len(case.topology.components)
            at = MachinePlaces.of(case.topology)
            evidence.append(pad(case.evidence, (0, 0, 0, missing)))
            observed.append(pad(case.observed, (0, missing)))
            present.append(torch.arange(components) < len(case.topology.components))
            places.append(
                MachinePlaces(
                    pad(at.distance, (0, 0, 0, absent, 0, missing)),
                    pad(at.sensor, (0, 0, 0, missing)),
                    pad(at.component, (0, 0, 0, absent)),
                    pad(at.own, (0, absent, 0, missing)),
                )
            )
        windows = torch.tensor([len(case.evidence) for case in cases])
        number = torch.arange(len(cases)).repeat_interleave(windows)
        faults = [(case.family, fault) for case in cases for fault in case.faults]
        often = Counter(faults)
        return cls(
            torch.cat(evidence),
            torch.cat(observed),
            torch.tensor([case.faulty for case in cases])[number],
            number,
            MachinePlaces(*(torch.stack(each) for each in zip(*places, strict=True))),
            torch.stack(present),
            torch.tensor([often[fault] ** -_RARE for fault in faults]),
        )

    def inputs(self, rows: Tensor, candidates: Tensor | None = None) -> BlameInputs:
        """Return the network's inputs for windows, with all components or candidates [rows, C]."""
        case = self.case[rows]
        places = MachinePlaces(*(each[case] for each in self.places))
        present = self.present[case]
        if candidates is not None:
            at = torch.arange(len(rows)).unsqueeze(1)
            places = MachinePlaces(
                places.distance.transpose(1, 2)[at, candidates].transpose(1, 2),
                places.sensor,
                places.component[at, candidates],
                places.own.transpose(1, 2)[at, candidates].transpose(1, 2),
            )
            present = present[at, candidates]
        return BlameInputs(self.evidence[rows], self.observed[rows], places, present)


def train(cases: Cases) -> list[BlameNetwork]:
    """Return a network for each of `SEEDS`; the same for the same cases."""
    return [_train(cases, seed) for seed in SEEDS]


def _train(cases: Cases, seed: int) -> BlameNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = BlameNetwork()
        optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=_STEPS)
        for _ in range(_STEPS):
            rows = cases.weight.multinomial(_BATCH, replacement=True)
            loss = _loss(network, cases, rows)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return network.eval()


def _loss(network: BlameNetwork, cases: Cases, rows: Tensor) -> Tensor:
    """Return the cross-entropy of the faulty component among candidates."""
    present = cases.present[cases.case[rows]]
    order = torch.rand(present.shape).masked_fill(~present, -1.0)
    order.scatter_(1, cases.faulty[rows].unsqueeze(1), 2.0)
    candidates = order.topk(min(_CANDIDATES, order.shape[1]), dim=1).indices
    inputs = cases.inputs(rows, candidates)
    share = _MOST_LEFT_OUT * torch.rand(len(rows), 1)
    kept = inputs.observed & (torch.rand(inputs.observed.shape) >= share)
    enough = kept.any(dim=1, keepdim=True)
    kept = torch.where(enough, kept, inputs.observed)
    first = torch.zeros(len(rows), dtype=torch.int64)
    alone = torch.rand(len(rows), 1) < _CHANGE_ALONE
    evidence = inputs.evidence.clone()
    evidence[..., 1] = torch.where(alone, evidence[..., 0], evidence[..., 1])
    return cross_entropy(network(inputs._replace(observed=kept, evidence=evidence)), first)


@torch.no_grad()
def ranks(networks: Sequence[BlameNetwork], cases: Cases, rows: Tensor) -> Tensor:
    """Return how many components have a higher probability than the faulty one, [rows] int64."""
    found = []
    for part in torch.split(rows, _BATCH):
        logits = joint_logits(networks, cases.inputs(part))
        faulty = logits.gather(1, cases.faulty[part].unsqueeze(1))
        found.append((logits > faulty).sum(1))
    return torch.cat(found)
