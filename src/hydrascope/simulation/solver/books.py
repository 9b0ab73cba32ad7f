"""What a solved step did: motion, energy and volume, the warmth of the oil."""

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
    STILL,
    SURFACE_W_K,
    TANK_J_K,
    THERMOSTAT_C,
    WALTHER_A,
    WALTHER_B,
)

THERMOSTAT_BAND_C = 8.0
"""From closed to open; some coolant always passes."""
FRICTION_VISCOSITY_PA_S = 0.04
"""Where a pump's friction pressure holds."""
OIL = 0
"""Of the two fluids; the other is coolant."""
_LN_10 = math.log(10.0)


@inner
def warm_oil(oil, temperature_c, work):
    """Set the oil's viscosity (Walther) and density at the circuit's temperature."""
    density = oil[DENSITY_15_C] - 0.6278 * (temperature_c - 15.0)
    walther = oil[WALTHER_A] - oil[WALTHER_B] * math.log10(temperature_c + KELVIN)
    kinematic = math.exp(_LN_10 * math.exp(_LN_10 * walther)) - 0.7
    work.viscosity[0], work.density[0] = 1e-6 * density * kinematic, density


@inner
def settle(wiring, values, state, work, process, h, thermal_speed):
    """Move the actuators, book energy and volume, warm the oil."""
    taken_up, stored_w, squeezed_w = _take_up(work, h)
    moved_w, done_w, kinetic_w = _move(wiring, values, state, work, process, h)
    meter = state.meter
    for fluid in range(2):
        lost_w, suction, returned = _through_branches(wiring, work, fluid)
        shaft_w, rubbed_w, leaked = _at_pumps(wiring, values.pump, work, fluid)
        heat_w, returned = lost_w + rubbed_w, returned + leaked
        if fluid == OIL:
            heat_w += moved_w + squeezed_w
            through = 0.5 * (suction + returned)
            cooled_w, ambient_w = _warm(
                wiring, values.thermal, state.temperature, work, heat_w, through, thermal_speed * h
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
def _through_branches(wiring, work, fluid):
    """Return a fluid's heat from branches, and its flow out of the tank and into it."""
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
def _at_pumps(wiring, pump, work, fluid):
    """Return shaft power, heat and leakage of a fluid's pumps."""
    p = work.pressure
    shaft_w = heat_w = leaked = 0.0
    for k in range(len(pump)):
        if wiring.pump_water[k] == fluid:
            p_in, p_out = p[wiring.pump_inlet[k]], p[wiring.pump_outlet[k]]
            thickness = 1.0
            if fluid == OIL:
                thickness = 0.5 + 0.5 * work.viscosity[OIL] / FRICTION_VISCOSITY_PA_S
            friction_w = pump[k, FLOW] * (
                pump[k, FRICTION] * thickness + pump[k, FRICTION_SHARE] * abs(p_out - p_in)
            )
            power_w = work.pump[k, 0] * (p_out - p_in) + friction_w
            work.pump[k, 4] = power_w
            shaft_w += power_w
            leaked += work.pump[k, 1]
            heat_w += friction_w + work.pump[k, 1] * p_out
    return shaft_w, heat_w, leaked


@inner
def _move(wiring, values, state, work, process, h):
    """Move the actuators; return heat, work done on loads, and growth of kinetic energy."""
    p, act = work.pressure, values.act
    heat_w = done_w = kinetic_w = 0.0
    for k in range(len(act)):
        speed = work.speed[k]
        force = p[wiring.section[k, 2]] * act[k, AREA_A] - p[wiring.section[k, 3]] * act[k, AREA_B]
        shape = abs(speed) / (abs(speed) + act[k, STILL])
        done = act[k, LOAD] * speed + process[k] * act[k, PROCESS] * shape * abs(speed)
        before = state.velocity[k]
        kinetic = 0.5 * act[k, INERTIA] * (speed * speed - before * before) / h
        done_w += done
        kinetic_w += kinetic
        # The rest is friction, stops, and what the step itself damps.
        heat_w += work.heat[k] + force * speed - done - kinetic
        state.velocity[k] = speed
        state.position[k] += h * speed
    return heat_w, done_w, kinetic_w


@inner
def _take_up(work, h):
    """Return what the nodes take up, m³/s, with the power stored and turned into heat by it."""
    p, taken_up, stored_w, heat_w = work.pressure, 0.0, 0.0, 0.0
    for k in range(len(work.holds)):
        change = (work.holds[k] - work.taken[k]) / h
        taken_up += change
        stored_w += 0.5 * (p[k] + work.before[k]) * change
        heat_w += 0.5 * (p[k] - work.before[k]) * change  # compression faster than the step
        work.taken[k] = work.holds[k]
    return taken_up, stored_w, heat_w


@inner
def _warm(wiring, thermal, temperature, work, heat_w, through, seconds):
    """Warm circuit and tank by what flows through; return power to coolant and to the air."""
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
