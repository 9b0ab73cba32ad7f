"""The blame of components: what it may not depend on, and what it can learn."""

import torch
from blame_loops import blame, inputs_of, loop
from torch import Tensor
from torch.nn.functional import cross_entropy

from hydrascope.models.blame.evidence import EVIDENCE
from hydrascope.models.blame.network import BlameNetwork
from hydrascope.schemas import GraphTopology

ORDER = (6, 2, 0, 5, 3, 1, 4)
"""Another order of the loop's components."""


def drawn(windows: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return random evidence of the loop's sensors, all observed."""
    sensors = len(loop().sensors)
    random = torch.Generator().manual_seed(seed)
    evidence = torch.randn(windows, sensors, len(EVIDENCE), generator=random)
    return evidence, torch.ones(windows, sensors, dtype=torch.bool)


def sensor_places(topology: GraphTopology, ids: list[str]) -> list[int]:
    own = [sensor.id for _, sensor in topology.sensors]
    return [own.index(each) for each in ids]


def network(seed: int = 1) -> BlameNetwork:
    torch.manual_seed(seed)
    return BlameNetwork(channels=8)


def test_the_order_of_components_and_sensors_makes_no_difference() -> None:
    usual, other = loop(), loop(order=ORDER)
    evidence, observed = drawn(5)
    moved = sensor_places(usual, [sensor.id for _, sensor in other.sensors])
    expected = blame([network()], usual, evidence, observed)[:, list(ORDER)]
    torch.testing.assert_close(
        blame([network()], other, evidence[:, moved], observed[:, moved]), expected
    )


def test_an_unobserved_sensor_says_nothing() -> None:
    evidence, observed = drawn(3)
    observed[:, 2] = False
    changed = evidence.clone()
    changed[:, 2] = 50.0
    torch.testing.assert_close(
        blame([network()], loop(), changed, observed),
        blame([network()], loop(), evidence, observed),
    )


def test_windows_do_not_depend_on_each_other() -> None:
    evidence, observed = drawn(4)
    alone = [blame([network()], loop(), evidence[n : n + 1], observed[n : n + 1]) for n in range(4)]
    torch.testing.assert_close(torch.cat(alone), blame([network()], loop(), evidence, observed))


def test_several_networks_answer_by_the_mean_of_their_log_probabilities() -> None:
    evidence, observed = drawn(3)
    first, second = (blame([network(seed)], loop(), evidence, observed) for seed in (1, 2))
    product = (first * second).sqrt()
    expected = product / product.sum(1, keepdim=True)
    both = blame([network(1), network(2)], loop(), evidence, observed)
    torch.testing.assert_close(both, expected)


FAULTS = {
    "accumulator": ("p_pump", "p_valve"),
    "pump": ("p_pump", "q_pump", "p_valve"),
    "valve": ("p_valve", "p_filter"),
}
"""The sensors that each fault of an imagined loop shows on: faults reach downstream, too."""


def windows_with_faults(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return evidence and the number of the faulty component in the loop's usual order."""
    evidence, _ = drawn(count, seed)
    names = [component.id for component in loop().components]
    faults = list(FAULTS)
    chosen = torch.randint(len(faults), (count,), generator=torch.Generator().manual_seed(seed))
    for row, fault in enumerate(chosen.tolist()):
        evidence[row, sensor_places(loop(), list(FAULTS[faults[fault]])), 0] += 4.0
    return evidence, torch.tensor([names.index(each) for each in faults])[chosen]


def test_faults_are_told_from_what_they_cause_downstream_even_without_own_sensors() -> None:
    evidence, faulty = windows_with_faults(512, seed=2)
    learner = network()
    inputs = inputs_of(loop(), evidence, torch.ones(evidence.shape[:2], dtype=torch.bool))
    optimiser = torch.optim.Adam(learner.parameters(), lr=2e-2)
    for _ in range(80):
        optimiser.zero_grad()
        loss = cross_entropy(learner(inputs), faulty)
        torch.autograd.backward(loss)
        optimiser.step()
    unseen, truth = windows_with_faults(300, seed=3)
    other = loop(order=ORDER)
    moved = sensor_places(loop(), [sensor.id for _, sensor in other.sensors])
    observed = torch.ones(300, len(moved), dtype=torch.bool)
    named = blame([learner], other, unseen[:, moved], observed).argmax(1)
    right = torch.tensor(ORDER)[named] == truth
    for component in torch.unique(truth):
        assert right[truth == component].float().mean() > 0.8
