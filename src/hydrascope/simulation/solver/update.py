"""Updates once a step is solved: positions, meters of energy and volume, temperatures."""

# numba compiles this file; it has no types of its own.
# mypy: disable-error-code="no-untyped-def,untyped-decorator,no-any-return"

import math

from hydrascope.simulation.fluid import HEAT_CAPACITY_J_KG_K, KELVIN
from hydrascope.simulation.solver.compiled import inner
from hydrascope.simulation.solver.network import (
    AMBIENT,
    COOLED,
    FROM_TANK,
    HEAT,
    SHAFT,
    STORED,
    STORED_VOLUME,
    TO_TANK,
    WORK,
)
from hydrascope.simulation.solver.packing import (
    AMBIENT_C,
    AREA_A,
    AREA_B,
    CIRCUIT_J_K,
    COOLANT_C,
    COOLER_W_K,
    DENSITY_15_C,
    FLOW,
    FRICTION,
    FRICTION_SHARE,
    INERTIA,
    LOAD,
    PROCESS,
    SURFACE_W_K,
    TANK_J_K,
    THERMOSTAT_C,
    TRANSITION_SPEED,
    WALTHER_A,
    WALTHER_B,
)

THERMOSTAT_BAND_C = 8.0
"""The temperature range over which the thermostat opens; some coolant always passes."""
FRICTION_VISCOSITY_PA_S = 0.04
"""The viscosity at which a pump's friction pressure holds."""
OIL = 0
"""The index of oil among the two fluids; coolant is 1."""
_LN_10 = math.log(10.0)


@inner
def update_fluid(oil, temperature_c, work):
    """Set the oil's viscosity (Walther) and density at the circuit's temperature."""
    density = oil[DENSITY_15_C] - 0.6278 * (temperature_c - 15.0)
    walther = oil[WALTHER_A] - oil[WALTHER_B] * math.log10(temperature_c + KELVIN)
    kinematic = math.exp(_LN_10 * math.exp(_LN_10 * walther)) - 0.7
    work.viscosity[0], work.density[0] = 1e-6 * density * kinematic, density


@inner
def update_state(wiring, values, state, work, process, h, speedup):
    """Update actuators, meters and temperatures after a step of `h` seconds."""
    taken_up, stored_w, compression_w = _compress(work, h)
    moved_w, done_w, kinetic_w = _move_actuators(wiring, values, state, work, process, h)
    meter = state.meter
    for fluid in range(2):
        lost_w, suction, returned = _sum_branches(wiring, work, fluid)
        shaft_w, friction_w, leaked = _sum_pumps(wiring, values.pump, work, fluid)
        heat_w, returned = lost_w + friction_w, returned + leaked
        if fluid == OIL:
            heat_w += moved_w + compression_w
            through = 0.5 * (suction + returned)
            cooled_w, ambient_w = _update_temperatures(
                wiring, values.thermal, state.temperature, work, heat_w, through, speedup * h
            )
            meter[COOLED] += h * cooled_w
            meter[AMBIENT] += h * ambient_w
        meter[SHAFT] += h * shaft_w
        meter[HEAT] += h * heat_w
        meter[FROM_TANK] += h * suction
        meter[TO_TANK] += h * returned
    meter[WORK] += h * done_w
    meter[STORED] += h * (stored_w + kinetic_w)
    meter[STORED_VOLUME] += h * taken_up


@inner
def _sum_branches(wiring, work, fluid):
    """Return the power dissipated in a fluid's branches, and its flow from and to the tank."""
    p, tank = work.pressure, len(work.holds)
    heat_w = suction = returned = 0.0
    for k in range(len(work.branch)):
        if wiring.branch_water[k] == fluid:
            i, j, flow = wiring.branch_from[k], wiring.branch_to[k], work.branch[k]
            heat_w += flow * (p[i] - p[j])
            if i == tank:
                suction += flow
            if j == tank:
                returned += flow
    return heat_w, suction, returned


@inner
def _sum_pumps(wiring, pump, work, fluid):
    """Return shaft power, dissipated power and leakage of a fluid's pumps."""
    p = work.pressure
    shaft_w = heat_w = leaked = 0.0
    for k in range(len(pump)):
        if wiring.pump_water[k] == fluid:
            p_in, p_out = p[wiring.pump_inlet[k]], p[wiring.pump_outlet[k]]
            viscous = 1.0
            if fluid == OIL:
                viscous = 0.5 + 0.5 * work.viscosity[OIL] / FRICTION_VISCOSITY_PA_S
            friction_w = pump[k, FLOW] * (
                pump[k, FRICTION] * viscous + pump[k, FRICTION_SHARE] * abs(p_out - p_in)
            )
            power_w = work.pump[k, 0] * (p_out - p_in) + friction_w
            work.pump[k, 4] = power_w
            shaft_w += power_w
            leaked += work.pump[k, 1]
            heat_w += friction_w + work.pump[k, 1] * p_out
    return shaft_w, heat_w, leaked


@inner
def _move_actuators(wiring, values, state, work, process, h):
    """Move the actuators; return power dissipated, done on loads, and stored as kinetic energy."""
    p, act = work.pressure, values.act
    heat_w = done_w = kinetic_w = 0.0
    for k in range(len(act)):
        speed = work.speed[k]
        force = p[wiring.section[k, 2]] * act[k, AREA_A] - p[wiring.section[k, 3]] * act[k, AREA_B]
        shape = abs(speed) / (abs(speed) + act[k, TRANSITION_SPEED])
        done = act[k, LOAD] * speed + process[k] * act[k, PROCESS] * shape * abs(speed)
        before = state.velocity[k]
        kinetic = 0.5 * act[k, INERTIA] * (speed * speed - before * before) / h
        done_w += done
        kinetic_w += kinetic
        # The rest is friction, end stops, and the numerical damping of the step.
        heat_w += work.heat[k] + force * speed - done - kinetic
        state.velocity[k] = speed
        state.position[k] += h * speed
    return heat_w, done_w, kinetic_w


@inner
def _compress(work, h):
    """Return the oil that the nodes take up in m³/s, the power stored and the power dissipated."""
    p, taken_up, stored_w, heat_w = work.pressure, 0.0, 0.0, 0.0
    for k in range(len(work.holds)):
        change = (work.holds[k] - work.taken[k]) / h
        taken_up += change
        stored_w += 0.5 * (p[k] + work.before[k]) * change
        heat_w += 0.5 * (p[k] - work.before[k]) * change  # of compression within the step
        work.taken[k] = work.holds[k]
    return taken_up, stored_w, heat_w


@inner
def _update_temperatures(wiring, thermal, temperature, work, heat_w, through, seconds):
    """Update temperatures of circuit and tank; return power to the cooler and to the air."""
    capacity = HEAT_CAPACITY_J_KG_K * work.density[0]
    carried_w = through * capacity * (temperature[0] - temperature[1])
    cooled_w = 0.0
    temperature[2] = temperature[0]
    if wiring.cooler >= 0:
        stream = max(work.branch[wiring.cooler], 1e-9) * capacity
        opening = min(1.0, max(0.05, (temperature[0] - thermal[THERMOSTAT_C]) / THERMOSTAT_BAND_C))
        effectiveness = 1.0 - math.exp(-thermal[COOLER_W_K] * opening / stream)
        cooled_w = effectiveness * stream * (temperature[0] - thermal[COOLANT_C])
        temperature[2] = temperature[0] - cooled_w / stream
    ambient_w = thermal[SURFACE_W_K] * (temperature[1] - thermal[AMBIENT_C])
    temperature[0] += seconds * (heat_w - carried_w) / thermal[CIRCUIT_J_K]
    temperature[1] += seconds * (carried_w - cooled_w - ambient_w) / thermal[TANK_J_K]
    return cooled_w, ambient_w
