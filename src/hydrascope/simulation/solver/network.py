"""What the solver is given and what it changes: wiring, physical values, state, references.

Shapes: B machines, N nodes, K passive branches, P pumps, A actuators, G accumulators.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.uintp]
"""Unsigned: numba asks of others whether they count from an array's end."""

LINE, RELIEF, REDUCING = 0, 1, 2
"""Kinds of passive branches."""
ENDLESS = 1e9
"""A stroke beyond it is a motor's: it has no ends."""


class Wiring(NamedTuple):
    """What joins what: the same for all machines of a build. Node N is the tank."""

    branch_kind: Ints
    """[K]"""
    branch_from: Ints
    """[K]"""
    branch_to: Ints
    """[K]"""
    branch_water: Ints
    """[K]; 1 where coolant flows and not oil."""
    cooler: int
    """The branch of the oil cooler, −1 without one."""
    pump_inlet: Ints
    """[P]"""
    pump_outlet: Ints
    """[P]"""
    pump_water: Ints
    """[P]"""
    section: Ints
    """[A, 4]: the nodes of supply, return, chamber A, chamber B of each actuator."""
    accumulator: Ints
    """[G]: node."""


class Plant(NamedTuple):
    """The physical values of B machines of one build."""

    node_volume: Floats
    """[B, N] m³"""
    branch_laminar: Floats
    """[B, K] 1/m³: a = this × μ."""
    branch_turbulent: Floats
    """[B, K] 1/m⁴: b = this × ρ."""
    branch_setting: Floats
    """[B, K] Pa: of a relief or reducing valve; of a filter, where its bypass opens (inf: none)."""
    branch_slope: Floats
    """[B, K] m³/(s Pa): of a relief valve or a filter's bypass; 1/Pa of a reducing valve."""
    pump_flow: Floats
    """[B, P] m³/s, displacement × speed."""
    pump_leakage: Floats
    """[B, P] m³: leakage = this × Δp / μ."""
    pump_cutoff: Floats
    """[B, P] Pa: the compensator has reduced the stroke to zero."""
    pump_band: Floats
    """[B, P] Pa below it where the compensator begins."""
    pump_power: Floats
    """[B, P] W: power limit."""
    pump_standby: Floats
    """[B, P]: share of the stroke without a command."""
    pump_friction: Floats
    """[B, P, 2]: friction pressure in Pa at 0.04 Pa s, and its share of Δp."""
    pump_fill: Floats
    """[B, P] Pa at the inlet where half of each stroke is filled."""
    pump_runout: Floats
    """[B, P]: how far the shaft runs out of true, 1 when new; the vibration sensor feels it."""
    actuator_area: Floats
    """[B, A, 2] m² of chambers A and B (m³/rad of a motor)."""
    actuator_inertia: Floats
    """[B, A] kg (kg m²)"""
    actuator_friction: Floats
    """[B, A, 2]: Coulomb, N; viscous, N s/m."""
    actuator_load: Floats
    """[B, A] N, constant, against A."""
    actuator_process: Floats
    """[B, A] N, against the motion, at full load."""
    actuator_stroke: Floats
    """[B, A] m; inf for a motor without stops."""
    actuator_leakage: Floats
    """[B, A] m³, between the chambers: Q = this × Δp / μ."""
    actuator_speed: Floats
    """[B, A] m/s where friction turns from sticking to sliding."""
    valve_turbulent: Floats
    """[B, A] 1/m⁴ of each metering edge, fully open."""
    valve_line: Floats
    """[B, A] 1/m³: laminar drop of the lines to the actuator."""
    valve_leakage: Floats
    """[B, A] m³ of each closed edge: Q = this × Δp / μ."""
    valve_response: Floats
    """[B, A] s"""
    valve_stiction: Floats
    """[B, A]: the spool stays until the command is so far away from it."""
    valve_gain: Floats
    """[B, A]: opening for each share of the stroke (each rad) that the actuator is off."""
    port_relief: Floats
    """[B, A] Pa"""
    gas_volume: Floats
    """[B, G] m³"""
    gas_precharge: Floats
    """[B, G] Pa above atmosphere"""
    gas_exponent: Floats
    """[B, G]"""
    oil: Floats
    """[B, 4]: Walther's A and B, ρ₁₅ in kg/m³, share of entrained air."""
    thermal: Floats
    """[B, 7]: heat capacity of circuit and of tank (J/K), cooler (W/K), thermostat (°C), tank
    surface (W/K), ambient and cooling medium (°C)."""


class State(NamedTuple):
    """What a step changes."""

    pressure: Floats
    """[B, N] Pa"""
    position: Floats
    """[B, A]"""
    velocity: Floats
    """[B, A]"""
    spool: Floats
    """[B, A], −1 to 1"""
    temperature: Floats
    """[B, 3] °C: circuit, tank, behind the cooler."""
    meter: Floats
    """[B, 11], see `METERS`."""


METERS = (
    "shaft_j", "heat_j", "work_j", "stored_j", "cooler_j", "ambient_j",
    "from_tank_m3", "to_tank_m3", "stored_m3", "unsolved", "iterations",
)  # fmt: skip
SHAFT, HEAT, WORK, STORED, COOLED, AMBIENT = range(6)
FROM_TANK, TO_TANK, STORED_VOLUME, UNSOLVED, ITERATIONS = range(6, 11)
"""What `State.meter` sums up since the start; `unsolved` counts steps that did not converge."""

PUMP_SIGNALS = 5
"""Per pump: flow, leakage, stroke, fill, shaft power."""


class Reference(NamedTuple):
    """What the operator asks for, step by step; C commands are at most one an actuator."""

    target: Floats
    """[B, steps, A]: position as a share of the stroke (rad), or opening where `open_loop`."""
    process: Floats
    """[B, steps, A]: share of the process load."""
    open_loop: Ints
    """[A]"""


def empty_state(plant: Plant, circuit_c: Floats, tank_c: Floats) -> State:
    """Return machines at rest: no pressure, actuators half way, oil at temperatures [B]."""
    machines, actuators = plant.actuator_stroke.shape
    stroke = plant.actuator_stroke
    return State(
        pressure=np.zeros_like(plant.node_volume),
        position=np.where(stroke < ENDLESS, 0.5 * np.minimum(stroke, ENDLESS), 0.0),
        velocity=np.zeros((machines, actuators)),
        spool=np.zeros((machines, actuators)),
        temperature=np.stack([circuit_c, tank_c, circuit_c], axis=-1),
        meter=np.zeros((machines, len(METERS))),
    )
