"""The physical values of a plant, arranged as the solver reads them.

Shapes: B machines, N nodes, K passive branches, P pumps, A actuators, G accumulators.
"""

from typing import NamedTuple

import numpy as np

from hydrascope.simulation.solver.network import Floats, Plant

LAMINAR, TURBULENT, SETTING, SLOPE = range(4)
FLOW, LEAKAGE, CUTOFF, BAND, POWER, STANDBY, FILL, FRICTION, FRICTION_SHARE = range(9)
AREA_A, AREA_B, INERTIA, COULOMB, VISCOUS, LOAD, PROCESS, STROKE, SEAL, TRANSITION_SPEED = range(10)
EDGE, HOSE, CLOSED, RESPONSE, STICTION, GAIN, PORT = range(10, 17)
GAS, PRECHARGE, EXPONENT = range(3)
WALTHER_A, WALTHER_B, DENSITY_15_C, AIR = range(4)
CIRCUIT_J_K, TANK_J_K, COOLER_W_K, THERMOSTAT_C, SURFACE_W_K, AMBIENT_C, COOLANT_C = range(7)
"""The columns of the fields of `Packed`."""


class Packed(NamedTuple):
    """The values of B machines, those used together side by side; one machine has no axis B."""

    volume: Floats
    """[B, N]"""
    law: Floats
    """[B, K, 4], passive branches."""
    pump: Floats
    """[B, P, 9]"""
    act: Floats
    """[B, A, 17], actuators with their valves."""
    gas: Floats
    """[B, G, 3]"""
    oil: Floats
    """[B, 4]"""
    thermal: Floats
    """[B, 7]"""

    def select(self, machine: int) -> "Packed":
        """Return the values of one machine."""
        return Packed(*(each[machine] for each in self))


def pack(plant: Plant) -> Packed:
    """Return the values of a plant, side by side."""
    return Packed(
        volume=np.ascontiguousarray(plant.node_volume),
        law=_columns(
            plant.branch_laminar, plant.branch_turbulent, plant.branch_setting, plant.branch_slope
        ),
        pump=_columns(
            plant.pump_flow, plant.pump_leakage, plant.pump_cutoff, plant.pump_band,
            plant.pump_power, plant.pump_standby, plant.pump_fill, plant.pump_friction,
        ),
        act=_columns(
            plant.actuator_area, plant.actuator_inertia, plant.actuator_friction,
            plant.actuator_load, plant.actuator_process, plant.actuator_stroke,
            plant.actuator_leakage, plant.actuator_transition_speed, plant.valve_turbulent,
            plant.valve_line, plant.valve_leakage, plant.valve_response, plant.valve_stiction,
            plant.valve_gain, plant.port_relief,
        ),
        gas=_columns(plant.gas_volume, plant.gas_precharge, plant.gas_exponent),
        oil=np.ascontiguousarray(plant.oil),
        thermal=np.ascontiguousarray(plant.thermal),
    )  # fmt: skip


def _columns(*values: Floats) -> Floats:
    """Put arrays [B, M] and [B, M, 2] side by side on a last axis."""
    return np.concatenate([v if v.ndim == 3 else v[..., None] for v in values], axis=-1)
