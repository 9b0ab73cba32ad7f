"""What the solver works in while it steps one machine; made once, overwritten at every step."""

from typing import NamedTuple

import numpy as np

from hydrascope.simulation.fluid import WATER_DENSITY_KG_M3, WATER_VISCOSITY_PA_S
from hydrascope.simulation.solver.network import PUMP_SIGNALS, Floats, Ints, Wiring


class Work(NamedTuple):
    """Of one machine; node N is the tank."""

    pressure: Floats
    """[N + 1] Pa at the end of the step; the tank's stays 0."""
    before: Floats
    """[N] Pa at its beginning."""
    taken: Floats
    """[N] m³ that the nodes held at its beginning."""
    holds: Floats
    """[N] m³ that they hold at its end."""
    matrix: Floats
    """[N + 1, N + 1]: of `right` over pressure, with the opposite sign."""
    right: Floats
    """[N + 1] m³/s: what a node's balance is off by; then Newton's change of the pressures."""
    change: Floats
    """[N] Pa of the iteration."""
    below: Ints
    """[N], see `elimination.find_pattern`."""
    column: Ints
    """[N, N]"""
    branch: Floats
    """[K] m³/s"""
    pump: Floats
    """[P, 5], see `PUMP_SIGNALS`."""
    edge: Floats
    """[A, 2]: laminar and turbulent factor of the valve's two open edges; 0 where closed."""
    speed: Floats
    """[A] at the end of the step."""
    heat: Floats
    """[A] W from valve, ports and seals."""
    viscosity: Floats
    """[2] Pa s of oil and of coolant."""
    density: Floats
    """[2] kg/m³"""


def new_work(wiring: Wiring, nodes: int) -> Work:
    """Return room for a machine of so many nodes."""
    branches, pumps = len(wiring.branch_kind), len(wiring.pump_inlet)
    actuators = len(wiring.section)
    return Work(
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
        edge=np.zeros((actuators, 2)),
        speed=np.zeros(actuators),
        heat=np.zeros(actuators),
        viscosity=np.array([0.0, WATER_VISCOSITY_PA_S]),
        density=np.array([0.0, WATER_DENSITY_KG_M3]),
    )
