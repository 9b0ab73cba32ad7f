"""The probability that each component of a machine is to blame for its windows' deviations.

Shapes: W windows, S sensors, N components.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hydrascope.models.blame.network import BlameInputs, BlameNetwork
from hydrascope.models.blame.places import MachinePlaces
from hydrascope.schemas.machine import GraphTopology


def inputs_of(topology: GraphTopology, evidence: Tensor, observed: Tensor) -> BlameInputs:
    """Return the network's inputs for windows of one machine.

    Args:
        topology: The machine.
        evidence: Of `HealthyEvidence.compare`, [W, S, 4], sensors in the order of the topology.
        observed: Whether the sensor was observed, [W, S] bool.

    Raises:
        ValueError: The evidence has another number of sensors than the topology.
    """
    if evidence.shape[1] != len(topology.sensors):
        raise ValueError(
            f"evidence of {evidence.shape[1]} sensors is not accepted; topology "
            f"{topology.id!r} has {len(topology.sensors)}"
        )
    places = MachinePlaces.of(topology)
    of_windows = (each.expand(len(evidence), *each.shape) for each in places)
    present = torch.ones(len(evidence), len(topology.components), dtype=torch.bool)
    return BlameInputs(evidence.float(), observed, MachinePlaces(*of_windows), present)


@torch.no_grad()
def blame(
    networks: Sequence[BlameNetwork], topology: GraphTopology, evidence: Tensor, observed: Tensor
) -> Tensor:
    """Return the probability that each component is to blame, given that one of them is.

    Args:
        networks: The networks to ask; the answer follows from the mean of their log-probabilities.
        topology: As in `inputs_of`, like the following.
        evidence: [W, S, 4]
        observed: [W, S] bool

    Returns:
        Probabilities [W, N], which sum to 1; NaN for windows in which no sensor was observed.

    Raises:
        ValueError: As in `inputs_of`.
    """
    probability = joint_logits(networks, inputs_of(topology, evidence, observed)).softmax(dim=-1)
    return torch.where(observed.any(dim=1, keepdim=True), probability, torch.nan)


def joint_logits(networks: Sequence[BlameNetwork], inputs: BlameInputs) -> Tensor:
    """Return the mean of the networks' log-probabilities, [W, N]."""
    return torch.stack([each(inputs).log_softmax(dim=-1) for each in networks]).mean(0)
