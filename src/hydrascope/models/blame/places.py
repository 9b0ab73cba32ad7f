"""Where the sensors of a machine are, seen from each of its components.

Shapes: S sensors, N components, Q quantities, K families of components, D distances.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.schemas import GraphTopology
from hydrascope.schemas.kinds import ComponentType, SensorKind

QUANTITIES = (
    SensorKind.PRESSURE,
    SensorKind.FLOW,
    SensorKind.TEMPERATURE,
    SensorKind.VIBRATION,
    SensorKind.POWER,
    SensorKind.EFFICIENCY,
    SensorKind.SPEED,
    SensorKind.POSITION,
    SensorKind.CONTROL_SIGNAL,
    SensorKind.VISCOSITY,
)
"""The quantities that the network knows; a sensor of another one has no mark."""
FAMILIES: tuple[tuple[ComponentType, ...], ...] = (
    (ComponentType.PUMP,),
    (ComponentType.HYDRAULIC_MOTOR,),
    (ComponentType.ELECTRIC_MOTOR,),
    (ComponentType.COMBUSTION_ENGINE,),
    (ComponentType.CYLINDER,),
    (
        ComponentType.DIRECTIONAL_VALVE,
        ComponentType.PROPORTIONAL_VALVE,
        ComponentType.SERVO_VALVE,
    ),
    (ComponentType.REDUCING_VALVE,),
    (ComponentType.FLOW_CONTROL_VALVE,),
    (ComponentType.ACCUMULATOR,),
    (ComponentType.FILTER,),
    (ComponentType.COOLER,),
    (ComponentType.TANK,),
)
"""The families of components that the network knows; a component of another kind has no mark."""
DISTANCES = (5, 5, 6)
"""The numbers of distances that are told apart downstream, upstream and either way; the last one
stands for all farther components, and for those that no line leads to."""


class MachinePlaces(NamedTuple):
    """The sensors and components of a machine, as the network sees them; all are 0 or 1."""

    distance: Tensor
    """The distance of the sensor's component from each component, [S, N, D] float."""
    sensor: Tensor
    """The quantity, and the family of the component that carries it, [S, Q + K] float."""
    component: Tensor
    """The family, [N, K] float."""
    own: Tensor
    """Whether the component carries the sensor, [S, N] bool."""

    @classmethod
    def of(cls, topology: GraphTopology) -> "MachinePlaces":
        """Return those of a machine."""
        kinds = [component.kind for component in topology.components]
        at = [number for number, _ in topology.sensors]
        component = _marks([family_of(kind) for kind in kinds], len(FAMILIES))
        quantity = _marks([_quantity(sensor.kind) for _, sensor in topology.sensors],
                          len(QUANTITIES))  # fmt: skip
        hops = hops_between(topology)[:, :, at].permute(0, 2, 1)
        distance = [
            torch.nn.functional.one_hot(each.clamp(max=count - 1), count)
            for each, count in zip(hops, DISTANCES, strict=True)
        ]
        own = torch.tensor(at)[:, None] == torch.arange(len(kinds))
        sensor = torch.cat([quantity, component[at]], dim=-1)
        return cls(torch.cat(distance, dim=-1).float(), sensor, component, own)


def hops_between(topology: GraphTopology) -> Tensor:
    """Return the number of lines from each component to each other, [3, N, N] int64.

    Downstream follows the lines from source to target, upstream backwards, and the third counts
    either way. No way leads on through a tank: it would make everything follow from everything.
    Components without a way are as far as the farthest that is told apart, or farther.
    """
    index, size = topology.component_index, len(topology.components)
    tanks = torch.tensor([each.kind == ComponentType.TANK for each in topology.components])
    down = torch.zeros(size, size)
    for edge in topology.edges:
        down[index[edge.source], index[edge.target]] = 1.0
    return torch.stack([_hops(lines, tanks) for lines in (down, down.T, down + down.T)])


def _hops(lines: Tensor, tanks: Tensor) -> Tensor:
    """Return the hops from all components to all, [N, N], by breadth-first search."""
    size = len(lines)
    far = max(size, *DISTANCES)
    front = torch.eye(size)
    hops = torch.where(front > 0, 0, far)
    for hop in range(1, size):
        reached = (front @ lines > 0) & (hops == far)
        if not reached.any():
            break
        hops[reached] = hop
        front = (reached & ~tanks).float()
    return hops


def family_of(kind: str) -> int:
    """Return the row of a component kind in `FAMILIES`; one past the end if it has none."""
    return next((n for n, kinds in enumerate(FAMILIES) if kind in kinds), len(FAMILIES))


def _quantity(kind: str) -> int:
    return next((n for n, known in enumerate(QUANTITIES) if kind == known), len(QUANTITIES))


def _marks(numbers: Sequence[int], size: int) -> Tensor:
    """Return a mark for each number, [n, size] float; none for a number of `size`."""
    at = torch.tensor(numbers, dtype=torch.int64)
    return torch.nn.functional.one_hot(at, size + 1)[:, :size].float()
