"""The sensors that give a machine's operating point, found from the topology.

| role | sensors |
|---|---|
| upstream pressure | pressure at the outlet of the main pump |
| downstream pressure | pressure at both ends of the return lines: the source's outlet, the target's inlet |
| inlet and outlet temperature | the oil leaves the machine at the inlet of the cooler and comes back at its outlet; without those two, at the inlet and the outlet of the tank |
| measured flow | flow at the outlet of the main pump |
| theoretical flow | `displacement_cm3` of the main pump times the speed of the pump or of what drives it through a shaft, or else times the pump's `speed_rpm` |

The main pump is the first one in the file with a pressure sensor at its outlet, or else the first
pump. A role without sensors is unknown, and features that depend on it are masked.

Shapes: W windows, S sensors, T steps.
"""  # noqa: E501

from typing import NamedTuple

import torch
from torch import Tensor

from hydrascope.features.hydraulic import OperatingPoint, hydraulic_features
from hydrascope.graphs.quantities import INLET, OUTLET, mean_at, selection, sensors_at
from hydrascope.schemas import GraphTopology
from hydrascope.schemas.kinds import ComponentType, EdgeType, SensorKind

ATMOSPHERE_BAR = 1.01325
"""Standard atmosphere (ISO 2533); hydraulic pressure sensors measure gauge pressure."""


class Roles(NamedTuple):
    """The rows of the sensors in each role, and the main pump's nominal values (NaN if unknown)."""

    upstream_pressure: list[int]
    downstream_pressure: list[int]
    inlet_temperature: list[int]
    outlet_temperature: list[int]
    flow: list[int]
    speed: list[int]
    displacement_cm3: float
    speed_rpm: float


def find_roles(topology: GraphTopology) -> Roles:
    """Find the sensors of each role; see the table above."""
    pump = _main_pump(topology)
    cold, warm = _temperatures(topology)
    nominal = {} if pump is None else topology.components[pump].nominal
    return Roles(
        upstream_pressure=sensors_at(topology, pump, SensorKind.PRESSURE, OUTLET),
        downstream_pressure=_return_pressure(topology),
        inlet_temperature=cold,
        outlet_temperature=warm,
        flow=sensors_at(topology, pump, SensorKind.FLOW, OUTLET),
        speed=_speed(topology, pump),
        displacement_cm3=nominal.get("displacement_cm3", float("nan")),
        speed_rpm=nominal.get("speed_rpm", float("nan")),
    )


class MachineFeatures:
    """Computes the hydraulic features of a machine for each step."""

    def __init__(self, topology: GraphTopology) -> None:
        self.roles = find_roles(topology)
        self._chosen = selection(self.roles[:6], len(topology.sensors))

    def __call__(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features of windows.

        Args:
            values: Means [W, S, T] of the sensors in canonical units, NaN where unknown.

        Returns:
            Features [W, T, 4] of `hydraulic_features`, 0 where unknown, and a mask of known ones.
        """
        upstream, downstream, inlet, outlet, flow, speed = mean_at(values, self._chosen).unbind(-2)
        speed = torch.where(torch.isfinite(speed), speed, self.roles.speed_rpm)
        return hydraulic_features(
            OperatingPoint(
                upstream_pressure_bar=upstream + ATMOSPHERE_BAR,
                downstream_pressure_bar=downstream + ATMOSPHERE_BAR,
                inlet_temperature_c=inlet,
                outlet_temperature_c=outlet,
                measured_flow_l_min=flow,
                theoretical_flow_l_min=self.roles.displacement_cm3 * speed / 1000,
            )
        )


def _of_kind(topology: GraphTopology, kind: ComponentType) -> list[int]:
    return [row for row, component in enumerate(topology.components) if component.kind == kind]


def _main_pump(topology: GraphTopology) -> int | None:
    pumps = _of_kind(topology, ComponentType.PUMP)
    measured = [p for p in pumps if sensors_at(topology, p, SensorKind.PRESSURE, OUTLET)]
    return next(iter([*measured, *pumps]), None)


def _return_pressure(topology: GraphTopology) -> list[int]:
    index = topology.component_index
    rows: set[int] = set()
    for line in topology.edges:
        if line.kind is EdgeType.RETURN_LINE:
            rows.update(
                sensors_at(topology, index[line.source], SensorKind.PRESSURE, OUTLET),
                sensors_at(topology, index[line.target], SensorKind.PRESSURE, INLET),
            )
    return sorted(rows)


def _temperatures(topology: GraphTopology) -> tuple[list[int], list[int]]:
    """Return the rows of the inlet and the outlet temperature."""
    for kind in (ComponentType.COOLER, ComponentType.TANK):
        for component in _of_kind(topology, kind):
            # Positions are required, since one sensor for both ports would give a difference of 0.
            at_port = [
                [
                    row
                    for row in sensors_at(topology, component, SensorKind.TEMPERATURE, port)
                    if topology.sensors[row][1].position == port
                ]
                for port in (OUTLET, INLET)
            ]
            if all(at_port):
                return at_port[0], at_port[1]
    return [], []


def _speed(topology: GraphTopology, pump: int | None) -> list[int]:
    own = sensors_at(topology, pump, SensorKind.SPEED, None)
    index = topology.component_index
    drives = {
        end
        for line in topology.edges
        if line.kind is EdgeType.MECHANICAL
        for end in (index[line.source], index[line.target])
        if pump in (index[line.source], index[line.target])
    }
    of_drives = [
        row for d in sorted(drives) for row in sensors_at(topology, d, SensorKind.SPEED, None)
    ]
    return own or of_drives
