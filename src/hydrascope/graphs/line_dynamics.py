"""The six dynamic features of each line, from the telemetry of its two ends.

Shapes: W windows, S sensors, T steps, L lines, E directed edges.
"""

import math
from datetime import UTC, date, datetime, time

import torch
from torch import Tensor

from hydrascope.graphs.flow import ROUGHNESS_MM, line_flow_m3_s
from hydrascope.graphs.fluid import HydraulicFluid
from hydrascope.graphs.quantities import INLET, OUTLET, mean_at, selection, sensors_at
from hydrascope.schemas import GraphTopology, Machine
from hydrascope.schemas.kinds import EdgeType, SensorKind

EDGE_DYNAMIC_SCALES = {
    "flow": 100.0,  # l/min
    "pressure_drop": 10.0,  # bar: lines are designed for small losses
    "temperature_difference": 10.0,  # K
    "vibration": 10.0,  # mm/s: close to where vibration damages any machine (ISO 20816)
    "age": 10.0,  # years
    "maintenance": 1.0,  # years since the last one
}
"""The divisor of each feature."""
EDGE_DYNAMIC_NAMES = tuple(EDGE_DYNAMIC_SCALES)
EDGE_DYNAMIC_LIMIT = 10.0
"""The limit (±) of scaled features, as a faulty pressure sensor can cause any flow."""

_YEAR_S = 365.25 * 86400
_M3_S_TO_L_MIN = 60_000.0
_BAR_PA = 1e5
_DRY = (EdgeType.MECHANICAL,)
_WITHOUT_OIL = (EdgeType.MECHANICAL, EdgeType.GAS_LINE, EdgeType.LINK)


class LineDynamics:
    """Flow, pressure drop, temperature difference, vibration, age and maintenance of each line.

    - pressure drop p_source - p_target and temperature difference T_source - T_target: from the
      sensors at the source's outlet and the target's inlet; not for shafts
    - flow: Darcy–Weisbach (`graphs.flow`) from that drop, for the machine's oil at the mean
      temperature of the two ends, or else of all components with oil; not for gas
      and links
    - vibration: mean velocity of the vibration sensors of both components
    - age: time from the machine's `commissioned` to the window's end
    - maintenance: time from the latest of its `maintenance` days to the window's end

    The reverse edge of a bidirectional line has the first three negated.
    """

    def __init__(self, machine: Machine) -> None:
        topology, equipment = machine.topology, machine.equipment
        lines, sensors = topology.edges, len(topology.sensors)
        index = topology.component_index

        def ends(kind: SensorKind) -> tuple[Tensor, Tensor]:
            source = [sensors_at(topology, index[line.source], kind, OUTLET) for line in lines]
            target = [sensors_at(topology, index[line.target], kind, INLET) for line in lines]
            return selection(source, sensors), selection(target, sensors)

        self._pressure = ends(SensorKind.PRESSURE)
        self._temperature = ends(SensorKind.TEMPERATURE)
        shaken = [
            [
                row
                for end in (line.source, line.target)
                for row in sensors_at(topology, index[end], SensorKind.VIBRATION, None)
            ]
            for line in lines
        ]
        self._vibration = selection(shaken, sensors)
        wetted = [
            row
            for component in sorted(_wetted(topology))
            for row in sensors_at(topology, component, SensorKind.TEMPERATURE, None)
        ]
        self._oil_temperature = selection([wetted], sensors)
        self._fluid = HydraulicFluid.of(equipment.nominal)
        # A line without sizes has no flow that could be computed, which NaN masks.
        self._diameter_m = _column([(line.diameter_mm or math.nan) / 1000 for line in lines])
        self._length_m = _column([line.length_m or math.nan for line in lines])
        roughness_mm = [ROUGHNESS_MM[m] if (m := line.material) else math.nan for line in lines]
        self._roughness_m = _column([each / 1000 for each in roughness_mm])
        self._dry = _column([line.kind in _DRY for line in lines])
        self._without_oil = _column([line.kind in _WITHOUT_OIL for line in lines])
        self._commissioned = [equipment.commissioned] if equipment.commissioned else []
        self._maintenance = sorted(equipment.maintenance)
        line, sign = _directions(topology)
        self._line = line
        self._sign = torch.ones(len(line), len(EDGE_DYNAMIC_NAMES))
        self._sign[:, :3] = sign.unsqueeze(-1)
        self._scale = torch.tensor(list(EDGE_DYNAMIC_SCALES.values()))

    def __call__(self, values: Tensor, end_s: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features of windows.

        Args:
            values: Means [W, S, T] of the sensors in canonical units, NaN where unknown.
            end_s: Unix times [W] float64 of the ends of the windows.

        Returns:
            Dimensionless features [W, E, T, 6], 0 where unknown, and a mask of known ones.
        """
        source_bar, target_bar = (mean_at(values, end) for end in self._pressure)
        source_c, target_c = (mean_at(values, end) for end in self._temperature)
        drop_bar = torch.where(self._dry, torch.nan, source_bar - target_bar)
        features = torch.stack(
            (
                self._flow_l_min(drop_bar, source_c, target_c, values),
                drop_bar,
                torch.where(self._dry, torch.nan, source_c - target_c),
                mean_at(values, self._vibration),
                _years_since(self._commissioned, end_s).to(values).expand_as(drop_bar),
                _years_since(self._maintenance, end_s).to(values).expand_as(drop_bar),
            ),
            dim=-1,
        )
        directed = features[:, self._line] * self._sign.unsqueeze(1) / self._scale
        known = torch.isfinite(directed)
        limited = directed.clamp(-EDGE_DYNAMIC_LIMIT, EDGE_DYNAMIC_LIMIT)
        return torch.where(known, limited, 0.0), known

    def _flow_l_min(
        self, drop_bar: Tensor, source_c: Tensor, target_c: Tensor, values: Tensor
    ) -> Tensor:
        ends_c = torch.stack((source_c, target_c)).nanmean(0)
        everywhere_c = mean_at(values, self._oil_temperature)
        oil_c = torch.where(torch.isfinite(ends_c), ends_c, everywhere_c)
        flow = line_flow_m3_s(
            drop_bar * _BAR_PA,
            diameter_m=self._diameter_m,
            length_m=self._length_m,
            roughness_m=self._roughness_m,
            density_kg_m3=self._fluid.density_kg_m3(oil_c),
            viscosity_m2_s=1e-6 * self._fluid.kinematic_viscosity_mm2_s(oil_c),
        )
        return torch.where(self._without_oil, torch.nan, flow * _M3_S_TO_L_MIN)


def _wetted(topology: GraphTopology) -> set[int]:
    """Return the components with oil; the temperature of a motor's winding is not the oil's."""
    return {
        topology.component_index[end]
        for line in topology.edges
        if line.kind not in _WITHOUT_OIL
        for end in (line.source, line.target)
    }


def _directions(topology: GraphTopology) -> tuple[Tensor, Tensor]:
    """Return line [E] int64 and sign [E] of the topology's directed edges."""
    number = {line: row for row, line in enumerate(topology.edges)}  # equal lines are the same
    index, edges = topology.component_index, topology.directed_edges()
    rows = torch.tensor([number[line] for _, _, line in edges], dtype=torch.int64)
    signs = [1.0 if source == index[line.source] else -1.0 for source, _, line in edges]
    return rows, torch.tensor(signs)


def _years_since(days: list[date], end_s: Tensor) -> Tensor:
    """Return the years [W, 1, 1] from the latest of ascending `days` to `end_s`, NaN if none."""
    past = torch.full_like(end_s, torch.nan)
    for day in days:
        passed = (end_s - datetime.combine(day, time(), UTC).timestamp()) / _YEAR_S
        past = torch.where(passed >= 0, passed, past)
    return past.reshape(-1, 1, 1)


def _column(values: list[float] | list[bool]) -> Tensor:
    """Return values [L] as [L, 1], to broadcast with [..., L, T]."""
    return torch.tensor(values).reshape(-1, 1)
