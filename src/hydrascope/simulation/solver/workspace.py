"""The arrays of one machine that the solver allocates once and overwrites in every step."""

from typing import NamedTuple

import numpy as np

from hydrascope.simulation.fluid import WATER_DENSITY_KG_M3, WATER_VISCOSITY_PA_S
from hydrascope.simulation.solver.network import PUMP_SIGNALS, Floats, Ints, Wiring


class Workspace(NamedTuple):
    """Intermediate values of one machine; node N is the tank."""

    pressure: Floats
    """[N + 1] Pa at the end of the step; the tank's stays 0."""
    before: Floats
    """[N] Pa at the beginning of the step."""
    taken: Floats
    """[N] m³ of oil taken up by the nodes at the beginning of the step."""
    holds: Floats
    """[N] m³ of oil taken up by the nodes at the end of the step."""
    matrix: Floats
    """[N + 1, N + 1] m³/(s Pa), the negative slopes of `right` over the pressures."""
    right: Floats
    """[N + 1] m³/s, the residuals of the balances; once solved, Newton's change of pressures."""
    change: Floats
    """[N] Pa, the change of the pressures in an iteration."""
    below: Ints
    """[N], see `elimination.find_pattern`."""
    column: Ints
    """[N, N], see `elimination.find_pattern`."""
    branch: Floats
    """[K] m³/s, the flows through the branches."""
    pump: Floats
    """[P, 5], see `PUMP_SIGNALS`."""
    pump_set: Floats
    """[P, 2] Pa and m³/s, cut-off pressure and flow of the plant; commands are shares of them."""
    edge: Floats
    """[A, 2], the laminar and turbulent factor of the valve's two open edges; 0 where closed."""
    speed: Floats
    """[A] m/s or rad/s at the end of the step."""
    heat: Floats
    """[A] W dissipated in valve, ports and seals."""
    viscosity: Floats
    """[2] Pa s of oil and of coolant."""
    density: Floats
    """[2] kg/m³"""


def new_workspace(wiring: Wiring, nodes: int) -> Workspace:
    """Return the workspace of a machine of so many nodes."""
    branches, pumps = len(wiring.branch_kind), len(wiring.pump_inlet)
    actuators = len(wiring.section)
    return Workspace(
        pressure=np.zeros(nodes + 1),
        before=np.zeros(nodes),
        taken=np.zeros(nodes),
        holds=np.zeros(nodes),
        matrix=np.zeros((nodes + 1, nodes + 1)),
        right=np.zeros(nodes + 1),
        change=np.zeros(nodes),
        below=np.zeros(nodes, dtype=np.uintp),
        column=np.zeros((nodes, nodes), dtype=np.uintp),
        branch=np.zeros(branches),
        pump=np.zeros((pumps, PUMP_SIGNALS)),
        pump_set=np.zeros((pumps, 2)),
        edge=np.zeros((actuators, 2)),
        speed=np.zeros(actuators),
        heat=np.zeros(actuators),
        viscosity=np.array([0.0, WATER_VISCOSITY_PA_S]),
        density=np.array([0.0, WATER_DENSITY_KG_M3]),
    )
