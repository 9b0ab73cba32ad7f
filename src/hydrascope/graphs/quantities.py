"""Quantities at places in a machine, as means over the sensors there.

Shapes: S sensors, T steps, R places, `...` any batch axes (windows).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hydrascope.schemas import GraphTopology
from hydrascope.schemas.kinds import SensorKind
from hydrascope.schemas.units import Conversion, to_canonical

INLET, OUTLET = "inlet", "outlet"
"""The values of `SensorSpec.position` that name a port of the component."""

_UNDEFINED = Conversion(float("nan"), float("nan"))


class CanonicalUnits:
    """Converts the values of a machine's sensors to the canonical units of their kinds."""

    def __init__(self, topology: GraphTopology) -> None:
        rows = [
            to_canonical(sensor.kind, sensor.unit) or _UNDEFINED for _, sensor in topology.sensors
        ]
        table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 2)
        self.scale, self.offset = table.unsqueeze(-1).unbind(1)

    def __call__(self, values: Tensor, observed: Tensor) -> Tensor:
        """Convert values [..., S, T] from the sensors' units; NaN where not observed."""
        return torch.where(observed, values * self.scale + self.offset, torch.nan)


def sensors_at(
    topology: GraphTopology, component: int | None, kind: SensorKind, port: str | None
) -> list[int]:
    """Return the rows of a component's sensors of one kind; without a component, none.

    A sensor without a position counts for every port, one with a position only for that one, since
    a component such as a valve changes the quantity between its ports. With `port` None, all
    sensors count.
    """
    return [
        row
        for row, (owner, sensor) in enumerate(topology.sensors)
        if owner == component
        and sensor.kind == kind
        and (port is None or sensor.position in (None, port))
    ]


def selection(rows: Sequence[Sequence[int]], num_sensors: int) -> Tensor:
    """Return a matrix [R, S] float32 with 1 where a sensor is at a place."""
    chosen = torch.zeros(len(rows), num_sensors)
    for place, sensors in enumerate(rows):
        chosen[place, list(sensors)] = 1.0
    return chosen


def mean_at(values: Tensor, chosen: Tensor) -> Tensor:
    """Return the means [..., R, T] of known values [..., S, T] by `chosen` [R, S], or NaN."""
    known = torch.isfinite(values)
    total = torch.einsum("rs,...st->...rt", chosen, torch.where(known, values, 0.0))
    count = torch.einsum("rs,...st->...rt", chosen, known.to(values))
    return total / torch.where(count > 0, count, torch.nan)
