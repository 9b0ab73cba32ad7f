"""The inputs and the state of the solver: wiring, physical values, references.

Shapes: B machines, N nodes, K passive branches, P pumps, A actuators, G accumulators.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.uintp]
"""Unsigned, because numba checks signed indices for being negative."""

LINE, RELIEF, REDUCING = 0, 1, 2
"""The kinds of passive branches."""
MAX_STROKE = 1e9
"""The longest stroke of an actuator with end stops; motors, which have none, have longer ones."""


class Wiring(NamedTuple):
    """The connections of the nodes, the same for all machines of a build. Node N is the tank."""

    branch_kind: Ints
    """[K]"""
    branch_from: Ints
    """[K]"""
    branch_to: Ints
    """[K]"""
    branch_water: Ints
    """[K], 1 where coolant flows, 0 for oil."""
    cooler: int
    """The branch of the oil cooler; −1 without one."""
    pump_inlet: Ints
    """[P]"""
    pump_outlet: Ints
    """[P]"""
    pump_water: Ints
    """[P]"""
    section: Ints
    """[A, 4], the nodes of supply, return, chamber A and chamber B of each actuator."""
    accumulator: Ints
    """[G], the node of each accumulator."""


class Plant(NamedTuple):
    """The physical values of B machines of one build."""

    node_volume: Floats
    """[B, N] m³"""
    branch_laminar: Floats
    """[B, K] 1/m³: a = this × μ."""
    branch_turbulent: Floats
    """[B, K] 1/m⁴: b = this × ρ."""
    branch_setting: Floats
    """[B, K] Pa, the setting of a relief or reducing valve, or of a filter's bypass (inf: none)."""
    branch_slope: Floats
    """[B, K] m³/(s Pa) for a relief valve or a filter's bypass; 1/Pa for a reducing valve."""
    pump_flow: Floats
    """[B, P] m³/s, displacement × speed."""
    pump_leakage: Floats
    """[B, P] m³: leakage = this × Δp / μ."""
    pump_cutoff: Floats
    """[B, P] Pa, the cut-off pressure, at which the pressure compensator has destroked the pump."""
    pump_band: Floats
    """[B, P] Pa, the range below the cut-off pressure over which the compensator acts."""
    pump_power: Floats
    """[B, P] W, the limit of the power controller."""
    pump_standby: Floats
    """[B, P], the share of the stroke without a command."""
    pump_friction: Floats
    """[B, P, 2], the friction pressure in Pa at 0.04 Pa s, and a share of Δp."""
    pump_fill: Floats
    """[B, P] Pa, the inlet pressure at which half of each stroke is filled."""
    pump_runout: Floats
    """[B, P], the shaft's run-out, 1 when new; it shows in the vibration only."""
    actuator_area: Floats
    """[B, A, 2] m², the areas of chambers A and B (m³/rad for a motor)."""
    actuator_inertia: Floats
    """[B, A] kg (kg m² for a motor)"""
    actuator_friction: Floats
    """[B, A, 2], Coulomb friction in N and viscous friction in N s/m."""
    actuator_load: Floats
    """[B, A] N, constant, against the pressure in chamber A."""
    actuator_process: Floats
    """[B, A] N, the full process load, against the motion."""
    actuator_stroke: Floats
    """[B, A] m; beyond `MAX_STROKE` for a motor."""
    actuator_leakage: Floats
    """[B, A] m³, between the chambers: Q = this × Δp / μ."""
    actuator_transition_speed: Floats
    """[B, A] m/s, the speed at which friction turns from sticking to sliding."""
    valve_turbulent: Floats
    """[B, A] 1/m⁴, for each metering edge, fully open: b = this × ρ."""
    valve_line: Floats
    """[B, A] 1/m³, for the lines to the actuator: a = this × μ."""
    valve_leakage: Floats
    """[B, A] m³, for each closed metering edge: Q = this × Δp / μ."""
    valve_response: Floats
    """[B, A] s, the time constant of the spool."""
    valve_stiction: Floats
    """[B, A], the distance between spool and command from which on the spool moves."""
    valve_gain: Floats
    """[B, A], the valve opening for each unit of position error (share of the stroke, or rad)."""
    port_relief: Floats
    """[B, A] Pa, the setting of the port relief valves."""
    gas_volume: Floats
    """[B, G] m³"""
    gas_precharge: Floats
    """[B, G] Pa, gauge"""
    gas_exponent: Floats
    """[B, G], the polytropic exponent."""
    oil: Floats
    """[B, 4], Walther's A and B, ρ₁₅ in kg/m³, share of entrained air."""
    thermal: Floats
    """[B, 7], heat capacities of circuit and tank (J/K), cooler (W/K), thermostat (°C), tank
    surface (W/K), ambient and cooling medium (°C)."""


class State(NamedTuple):
    """The state of B machines, which each step changes."""

    pressure: Floats
    """[B, N] Pa"""
    position: Floats
    """[B, A] m (rad for a motor)"""
    velocity: Floats
    """[B, A] m/s (rad/s for a motor)"""
    spool: Floats
    """[B, A], the openings of the valves, −1 to 1."""
    temperature: Floats
    """[B, 3] °C, in the circuit, in the tank, and at the cooler's outlet."""
    meter: Floats
    """[B, 11], see `METERS`."""


METERS = (
    "shaft_j", "heat_j", "work_j", "stored_j", "cooler_j", "ambient_j",
    "from_tank_m3", "to_tank_m3", "stored_m3", "unsolved", "iterations",
)  # fmt: skip
SHAFT, HEAT, WORK, STORED, COOLED, AMBIENT = range(6)
FROM_TANK, TO_TANK, STORED_VOLUME, UNSOLVED, ITERATIONS = range(6, 11)
"""The columns of `State.meter`, sums since the start; `unsolved` are steps without convergence."""

PUMP_SIGNALS = 5
"""The number of signals of a pump: flow, leakage, stroke, filled share, shaft power."""


class Reference(NamedTuple):
    """The commands and loads of every step."""

    target: Floats
    """[B, steps, A], positions as shares of the stroke (rad for a motor); valve openings where
    `open_loop`."""
    process: Floats
    """[B, steps, A], shares of the process load."""
    open_loop: NDArray[np.int64]
    """[A], 1 where the valve's opening is commanded, 0 where the position is."""
    pumps: Floats
    """[B, steps, P, 2], cut-off pressure and speed as shares of those of the plant."""


def empty_state(plant: Plant, circuit_c: Floats, tank_c: Floats) -> State:
    """Return machines at rest, without pressure, at half stroke; temperatures [B] in °C."""
    machines, actuators = plant.actuator_stroke.shape
    stroke = plant.actuator_stroke
    return State(
        pressure=np.zeros_like(plant.node_volume),
        position=np.where(stroke < MAX_STROKE, 0.5 * np.minimum(stroke, MAX_STROKE), 0.0),
        velocity=np.zeros((machines, actuators)),
        spool=np.zeros((machines, actuators)),
        temperature=np.stack([circuit_c, tank_c, circuit_c], axis=-1),
        meter=np.zeros((machines, len(METERS))),
    )
