"""The solver: pressures, motions and temperatures of many machines, step by step, compiled.

A machine is a network. Its *nodes* hold oil under a pressure; what joins two nodes lets oil
through by a law Q(Δp). Every step solves, for the pressures p at its end, the implicit balance

    s(p) − s(p₀) = h Σ Q(p),   s(p) = V [ p / K + α p / (p + p_atm) ]

of every node by Newton's method. s is the oil that a volume V takes up under pressure, with the
compressibility of oil (bulk modulus K) and of the entrained air (isothermal, share α): so stiff
pressure waves settle within a step without limiting it. Actuators add their chambers' flows A v;
their speed v follows in closed form from the chambers' pressures, since inertia, viscous and
Coulomb friction and the end stops make a quadratic equation in v.

Flow through anything passive is the root of  Δp = a Q + b Q |Q|,  the sum of a laminar and a
turbulent drop, which is smooth at zero:  Q = 2 Δp / (a + √(a² + 4 b |Δp|)).

All quantities are in SI units, pressures above atmosphere. Each machine is solved by itself, so
its numbers do not depend on which others are in the batch.

Shapes: B machines, N nodes, K passive branches, P pumps, A actuators, G accumulators.
"""

# numba compiles this file; it has no types of its own.
# mypy: disable-error-code="no-untyped-def,untyped-decorator,no-any-return"

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hydrascope.simulation.fluid import (
    ATMOSPHERE_PA,
    BULK_MODULUS_PA,
    HEAT_CAPACITY_J_KG_K,
    KELVIN,
    WATER_DENSITY_KG_M3,
    WATER_VISCOSITY_PA_S,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LINE, RELIEF, CHECK, REDUCING = 0, 1, 2, 3
"""Kinds of passive branches."""

# Columns of the packed values of branches, pumps, actuators with their valves, and accumulators.
LAMINAR, TURBULENT, SETTING, SLOPE = range(4)
FLOW, LEAKAGE, CUTOFF, BAND, POWER, STANDBY, FILL, FRICTION, FRICTION_SHARE = range(9)
AREA_A, AREA_B, INERTIA, COULOMB, VISCOUS, LOAD, PROCESS, STROKE, SEAL, STILL = range(10)
EDGE, HOSE, CLOSED, RESPONSE, STICTION, GAIN, PORT = range(10, 17)
GAS, PRECHARGE, EXPONENT = range(3)

FAST = {"contract", "arcp", "reassoc", "nsz"}
"""Freedom for the compiler that leaves infinities what they are."""

MAX_ITERATIONS = 200
MAX_HALVINGS = 6
LARGEST_STEP_PA = 8e6
TOLERANCE = 1e-5
"""How far the nodes' balances may be off, as a share of what the pumps deliver in a step."""
CHECK_CONDUCTANCE = 3e-8
"""Of an open check valve, m³/(s Pa): 1.8 l/min at 0.01 bar."""
STOP_STIFFNESS = 2e9
"""Of an actuator's end stop, N/m (of a motor's, N m/rad)."""
NOTHING = 1e-12


class Wiring(NamedTuple):
    """What joins what: the same for all machines of a build. −1 is the tank."""

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


def signals_count(wiring: Wiring, plant: Plant) -> int:
    """Return the columns that `advance` records."""
    nodes, branches = plant.node_volume.shape[1], len(wiring.branch_kind)
    return nodes + branches + PUMP_SIGNALS * len(wiring.pump_inlet) + 3 * len(wiring.section) + 3


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _passive(dp, a, b):
    """Root of Δp = a Q + b Q|Q| and its slope."""
    root = math.sqrt(a * a + 4.0 * b * abs(dp))
    return 2.0 * dp / (a + root), 1.0 / root


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _branch(kind, dp, p_to, a, b, setting, slope):
    """Flow, its slope over Δp, and its further slope over the pressure behind."""
    if kind == 1:
        over = dp - setting
        if over > 0.0:
            return slope * over, slope, 0.0
        return NOTHING * dp, NOTHING, 0.0
    if kind == 2:
        if dp > 0.0:
            return slope * dp, slope, 0.0
        return NOTHING * dp, NOTHING, 0.0
    flow, gain = _passive(dp, a, b)
    if kind == 3:  # opens as the pressure behind falls below the setting
        opening = (setting - p_to) * slope
        if opening >= 1.0:
            return flow, gain, 0.0
        if opening <= 1e-4:
            return 1e-4 * flow, 1e-4 * gain, 0.0
        return opening * flow, opening * gain, -slope * flow
    if dp > setting:  # a filter's bypass
        return flow + slope * (dp - setting), gain + slope, 0.0
    return flow, gain, 0.0


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _uptake(p, volume, air):
    """Oil that a node takes up under pressure, m³, and its slope; below −0.9 bar a cavity."""
    low = -0.9e5
    q = p if p > low else low
    ratio = 1.0 / (q + ATMOSPHERE_PA)
    slope = volume * (1.0 / BULK_MODULUS_PA + air * ATMOSPHERE_PA * ratio * ratio)
    taken = volume * (q / BULK_MODULUS_PA + air * q * ratio)
    return taken + slope * (p - q), slope


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _gas_uptake(p, volume, precharge, exponent):
    """Oil in a polytropic accumulator, m³, and its slope."""
    if p <= precharge:
        return 1e-6 * volume * (p - precharge) / precharge, 1e-6 * volume / precharge
    share = ((precharge + ATMOSPHERE_PA) / (p + ATMOSPHERE_PA)) ** (1.0 / exponent)
    return volume * (1.0 - share), volume * share / (exponent * (p + ATMOSPHERE_PA))


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _speed(v_old, x, h, force, inertia, coulomb, viscous, still, stroke):
    """Speed at the end of a step and its slope over the force.

    Positive root of  m v² + (m v₀ + F_c − F) v − F v₀ = 0,  m = M/h + viscous, for the Coulomb
    friction F_c v / (|v| + v₀); a stop is a spring.
    """
    m = inertia / h + viscous
    f = force + inertia / h * v_old
    for contact in range(2):
        sign = 1.0 if f >= 0.0 else -1.0
        g = f * sign
        half = 0.5 * (m * still + coulomb - g)
        root = math.sqrt(half * half + m * g * still)
        # The form without cancellation.
        v = g * still / (half + root) if half > 0.0 else (root - half) / m
        slope = 1.0 / (m + coulomb * still / ((v + still) * (v + still)))
        v *= sign
        if contact == 0:
            ahead = x + h * v
            if ahead > stroke:
                f -= STOP_STIFFNESS * (x - stroke)
            elif ahead < 0.0 and stroke < 1e9:
                f -= STOP_STIFFNESS * x
            else:
                break
            m += STOP_STIFFNESS * h
    return v, slope


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _pattern(start, end, inlet, outlet, section, nodes):
    """Return where elimination meets other nodes than zero: counts [N], columns [N, N]."""
    joined = np.zeros((nodes, nodes), dtype=np.bool_)
    for k in range(len(start)):
        if start[k] >= 0 and end[k] >= 0:
            joined[start[k], end[k]] = joined[end[k], start[k]] = True
    for k in range(len(inlet)):
        joined[inlet[k], outlet[k]] = joined[outlet[k], inlet[k]] = True
    for k in range(len(section)):
        for i in section[k]:
            for j in section[k]:
                joined[i, j] = True
    count, column = np.zeros(nodes, dtype=np.int64), np.zeros((nodes, nodes), dtype=np.int64)
    for k in range(nodes):
        for i in range(k + 1, nodes):
            if joined[k, i]:
                column[k, count[k]] = i
                count[k] += 1
                for j in range(k + 1, nodes):
                    if joined[k, j]:
                        joined[i, j] = True
    return count, column


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _solve(matrix, right, count, column):
    """Gaussian elimination in place; diagonally dominant, so without pivots."""
    n = len(right)
    for k in range(n):
        inverse = 1.0 / matrix[k, k]
        for row in range(count[k]):
            i = column[k, row]
            factor = matrix[i, k] * inverse
            for each in range(count[k]):
                j = column[k, each]
                matrix[i, j] -= factor * matrix[k, j]
            right[i] -= factor * right[k]
        matrix[k, k] = inverse
    for k in range(n - 1, -1, -1):
        total = right[k]
        for each in range(count[k]):
            total -= matrix[k, column[k, each]] * right[column[k, each]]
        right[k] = total * matrix[k, k]


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _join(matrix, right, i, j, flow, gain, behind, h):
    """Add a branch from node i to node j."""
    if i >= 0:
        right[i] -= h * flow
        matrix[i, i] += h * gain
    if j >= 0:
        right[j] += h * flow
        matrix[j, j] += h * (gain - behind)
        if i >= 0:
            matrix[i, j] += h * (behind - gain)
            matrix[j, i] -= h * gain


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _pump(p_in, p_out, demand, flow, cutoff, band, power, fill_at):
    """Delivered flow, its slopes over inlet and outlet pressure, stroke and fill."""
    stroke, d_stroke = demand, 0.0
    compensated = (cutoff - p_out) / band
    if compensated < stroke:
        stroke, d_stroke = compensated, -1.0 / band
        if stroke < 0.0:
            stroke, d_stroke = 0.0, 0.0
    if p_out > 1e5:
        limited = power / (p_out * flow)
        if limited < stroke:
            stroke, d_stroke = limited, -limited / p_out
    fill = 0.5 * (1.0 + math.tanh((p_in - fill_at) / 1.2e4))
    d_fill = 0.5 * (1.0 - (2.0 * fill - 1.0) ** 2) / 1.2e4
    return flow * stroke * fill, flow * stroke * d_fill, flow * d_stroke * fill, stroke, fill


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _move_spools(act, x, spool, target, open_loop, h):
    """Let the spools follow what is asked for; return how much all valves are open together."""
    demand = 0.0
    for k in range(len(spool)):
        wanted = target[k]
        if open_loop[k] == 0:
            stroke = act[k, STROKE]
            wanted = act[k, GAIN] * (target[k] - (x[k] / stroke if stroke < 1e9 else x[k]))
            if abs(wanted) < 0.02:
                wanted = 0.0
        wanted = min(1.0, max(-1.0, wanted))
        if abs(wanted - spool[k]) > act[k, STICTION]:
            spool[k] += (wanted - spool[k]) * h / (h + act[k, RESPONSE])
        demand += abs(spool[k])
    return demand


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _stored(p, volume, air, tank_of_gas, gas, taken, matrix):
    """Fill `taken` with the oil that the nodes hold, and the diagonal with its slopes."""
    for k in range(len(p)):
        taken[k], matrix[k, k] = _uptake(p[k], volume[k], air)
    for g in range(len(tank_of_gas)):
        k = tank_of_gas[g]
        more, slope = _gas_uptake(p[k], gas[g, GAS], gas[g, PRECHARGE], gas[g, EXPONENT])
        taken[k] += more
        matrix[k, k] += slope


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _advance(kind, start, end, wet, cooler, inlet, outlet, pump_wet, section, tank_of_gas, volume,
             law, pump, act, gas, oil, thermal, p, x, v, spool, temperature, meter, target,
             process, open_loop, h, thermal_speed, every, record):  # fmt: skip
    """`advance` for one machine; the arrays are those of its arguments, without the axis B."""
    nodes, branches, pumps, actuators = len(p), len(kind), len(inlet), len(section)
    matrix, right, change = np.zeros((nodes, nodes)), np.zeros(nodes), np.zeros(nodes)
    before, taken, holds = np.zeros(nodes), np.zeros(nodes), np.zeros(nodes)
    v_new, branch_flow = np.zeros(actuators), np.zeros(branches)
    pump_now, edges = np.zeros((pumps, PUMP_SIGNALS)), np.zeros((actuators, 4, 2))
    mu, rho = np.zeros(2), np.zeros(2)
    mu[1], rho[1] = WATER_VISCOSITY_PA_S, WATER_DENSITY_KG_M3
    count, column = _pattern(start, end, inlet, outlet, section, nodes)
    air = oil[3]
    tolerance = (TOLERANCE * h * pump[:, FLOW].sum()) ** 2
    for step in range(len(target)):
        t = temperature[0]
        rho[0] = oil[2] - 0.6278 * (t - 15.0)
        walther = oil[0] - oil[1] * math.log10(t + KELVIN)
        mu[0] = 1e-6 * rho[0] * (10.0 ** (10.0**walther) - 0.7)
        demand = min(1.0, _move_spools(act, x, spool, target[step], open_loop, h))
        _stored(p, volume, air, tank_of_gas, gas, taken, matrix)
        _open_edges(act, spool, mu[0], rho[0], edges)
        before[:] = p
        off_before = np.inf
        halvings = 0
        solved = False
        for _ in range(MAX_ITERATIONS):
            meter[10] += 1.0
            matrix[:] = 0.0
            _stored(p, volume, air, tank_of_gas, gas, holds, matrix)
            for k in range(nodes):
                right[k] = taken[k] - holds[k]
            for k in range(branches):
                i, j, fluid = start[k], end[k], wet[k]
                p_to = p[j] if j >= 0 else 0.0
                dp = (p[i] if i >= 0 else 0.0) - p_to
                flow, gain, behind = _branch(
                    kind[k], dp, p_to, law[k, LAMINAR] * mu[fluid], law[k, TURBULENT] * rho[fluid],
                    law[k, SETTING], law[k, SLOPE],
                )  # fmt: skip
                branch_flow[k] = flow
                _join(matrix, right, i, j, flow, gain, behind, h)
            for k in range(pumps):
                i, j, standby = inlet[k], outlet[k], pump[k, STANDBY]
                flow, over_in, over_out, stroke, fill = _pump(
                    p[i], p[j], standby + (1.0 - standby) * demand, pump[k, FLOW],
                    pump[k, CUTOFF], pump[k, BAND], pump[k, POWER], pump[k, FILL],
                )  # fmt: skip
                right[i] -= h * flow
                right[j] += h * flow
                matrix[i, i] += h * over_in
                matrix[i, j] += h * over_out
                matrix[j, i] -= h * over_in
                matrix[j, j] -= h * over_out
                leak = pump[k, LEAKAGE] / mu[pump_wet[k]]
                _join(matrix, right, j, -1, leak * p[j], leak, 0.0, h)
                pump_now[k, 0], pump_now[k, 1] = flow, leak * p[j]
                pump_now[k, 2], pump_now[k, 3] = stroke, fill
            for k in range(actuators):
                _actuator(matrix, right, section, act, edges, k, p, x[k], v[k],
                          process[step, k], mu[0], h, v_new)  # fmt: skip
            off = 0.0
            for k in range(nodes):
                off += right[k] * right[k]
            if off < tolerance:
                solved = True
                break
            if off > off_before and halvings < MAX_HALVINGS:
                # The step jumped over a kink of some law: take half of it back.
                halvings += 1
                for k in range(nodes):
                    change[k] *= 0.5
                    p[k] -= change[k]
                continue
            halvings, off_before = 0, off
            _solve(matrix, right, count, column)
            largest = 0.0
            for k in range(nodes):
                largest = max(largest, abs(right[k]))
            share = min(1.0, LARGEST_STEP_PA / largest)
            for k in range(nodes):
                change[k] = share * right[k]
                p[k] += change[k]
        if not solved:
            meter[9] += 1.0
        _settle(start, end, wet, cooler, inlet, outlet, pump_wet, section, pump, act, edges,
                thermal, p, x, v, temperature, meter, process[step], h, thermal_speed, before,
                taken, holds, v_new, branch_flow, pump_now, mu, rho)  # fmt: skip
        if (step + 1) % every == 0:
            _write(record[step // every], p, branch_flow, pump_now, x, v, spool, temperature)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _write(row, p, branch_flow, pump_now, x, v, spool, temperature):
    """Record the signals of a moment."""
    column = 0
    for signals in (p, branch_flow, pump_now.ravel()):
        row[column : column + len(signals)] = signals
        column += len(signals)
    for k in range(len(x)):
        row[column], row[column + 1], row[column + 2] = x[k], v[k], spool[k]
        column += 3
    row[column:] = temperature


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _open_edges(act, spool, mu, rho, edges):
    """Fill laminar and turbulent factor of the four metering edges of each valve [A, 4, 2].

    Edges lead from supply to A, from B back, from supply to B, from A back; both 0 where closed.
    """
    for k in range(len(spool)):
        for path in range(4):
            opening = spool[k] if path < 2 else -spool[k]
            edges[k, path] = 0.0
            if opening > 1e-3:
                b = act[k, EDGE] * rho / (opening * opening)
                # Laminar below some 0.2 bar, as the edges of a spool are (and regular at zero).
                edges[k, path, 0], edges[k, path, 1] = act[k, HOSE] * mu + math.sqrt(b * 2e4), b


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _ends(section, k, path):
    """Nodes that an edge of a valve joins."""
    if path == 0:
        return section[k, 0], section[k, 2]
    if path == 1:
        return section[k, 3], section[k, 1]
    if path == 2:
        return section[k, 0], section[k, 3]
    return section[k, 2], section[k, 1]


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _edge(dp, a, b, leak):
    if b == 0.0:
        return leak * dp, leak
    flow, gain = _passive(dp, a, b)
    return flow + leak * dp, gain + leak


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _actuator(matrix, right, section, act, edges, k, p, x, v, process, mu, h, v_new):
    back, chamber_a, chamber_b = section[k, 1], section[k, 2], section[k, 3]
    for path in range(4):
        i, j = _ends(section, k, path)
        flow, gain = _edge(p[i] - p[j], edges[k, path, 0], edges[k, path, 1], act[k, CLOSED] / mu)
        _join(matrix, right, i, j, flow, gain, 0.0, h)
    for chamber in (chamber_a, chamber_b):
        dp = p[back] - p[chamber]
        if dp > 0.0:  # anti-cavitation check valve
            _join(matrix, right, back, chamber, CHECK_CONDUCTANCE * dp, CHECK_CONDUCTANCE, 0.0, h)
        over = p[chamber] - p[back] - act[k, PORT]
        if over > 0.0:
            _join(matrix, right, chamber, back, CHECK_CONDUCTANCE * over, CHECK_CONDUCTANCE, 0.0, h)
    leak = act[k, SEAL] / mu
    _join(matrix, right, chamber_a, chamber_b, leak * (p[chamber_a] - p[chamber_b]), leak, 0.0, h)
    area_a, area_b = act[k, AREA_A], act[k, AREA_B]
    force = p[chamber_a] * area_a - p[chamber_b] * area_b - act[k, LOAD]
    speed, slope = _speed(
        v, x, h, force, act[k, INERTIA],
        act[k, COULOMB] + process * act[k, PROCESS],
        act[k, VISCOUS], act[k, STILL], act[k, STROKE],
    )  # fmt: skip
    v_new[k] = speed
    right[chamber_a] -= h * area_a * speed
    right[chamber_b] += h * area_b * speed
    matrix[chamber_a, chamber_a] += h * area_a * area_a * slope
    matrix[chamber_b, chamber_b] += h * area_b * area_b * slope
    matrix[chamber_a, chamber_b] -= h * area_a * area_b * slope
    matrix[chamber_b, chamber_a] -= h * area_a * area_b * slope


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _settle(start, end, wet, cooler, inlet, outlet, pump_wet, section, pump, act, edges, thermal, p,
            x, v, temperature, meter, process, h, thermal_speed, before, taken, holds, v_new,
            branch_flow, pump_now, mu, rho):  # fmt: skip
    """Move the actuators, book energy and volume, warm the oil."""
    heat = coolant_heat = shaft = work = stored = 0.0
    suction, returned = np.zeros(2), np.zeros(2)
    for k in range(len(branch_flow)):
        i, j, flow = start[k], end[k], branch_flow[k]
        dp = (p[i] if i >= 0 else 0.0) - (p[j] if j >= 0 else 0.0)
        if i < 0:
            suction[wet[k]] += flow
        if j < 0:
            returned[wet[k]] += flow
        if wet[k]:
            coolant_heat += flow * dp
        else:
            heat += flow * dp
    for k in range(len(inlet)):
        p_in, p_out = p[inlet[k]], p[outlet[k]]
        water = pump_wet[k]
        friction = pump[k, FLOW] * (
            pump[k, FRICTION] * (0.5 + 0.5 * mu[water] / 0.04 if water == 0 else 1.0)
            + pump[k, FRICTION_SHARE] * abs(p_out - p_in)
        )
        power = pump_now[k, 0] * (p_out - p_in) + friction
        pump_now[k, 4] = power
        shaft += power
        lost = friction + pump_now[k, 1] * p_out
        returned[water] += pump_now[k, 1]
        if water:
            coolant_heat += lost
        else:
            heat += lost
    for k in range(len(x)):
        back, chamber_a, chamber_b = section[k, 1], section[k, 2], section[k, 3]
        for path in range(4):
            i, j = _ends(section, k, path)
            dp = p[i] - p[j]
            leak = act[k, CLOSED] / mu[0]
            heat += _edge(dp, edges[k, path, 0], edges[k, path, 1], leak)[0] * dp
        for chamber in (chamber_a, chamber_b):
            dp = p[back] - p[chamber]
            if dp > 0.0:
                heat += CHECK_CONDUCTANCE * dp * dp
            over = -dp - act[k, PORT]
            if over > 0.0:
                heat += CHECK_CONDUCTANCE * over * -dp
        dp = p[chamber_a] - p[chamber_b]
        heat += act[k, SEAL] / mu[0] * dp * dp
        speed = v_new[k]
        hydraulic = (p[chamber_a] * act[k, AREA_A] - p[chamber_b] * act[k, AREA_B]) * speed
        shape = abs(speed) / (abs(speed) + act[k, STILL])
        done = act[k, LOAD] * speed
        done += process[k] * act[k, PROCESS] * shape * abs(speed)
        inertia = act[k, INERTIA]
        kinetic = 0.5 * inertia * (speed * speed - v[k] * v[k]) / h
        work += done
        stored += kinetic
        heat += hydraulic - done - kinetic  # friction, stops, and what the step itself damps
        v[k] = speed
        x[k] += h * speed
    taken_up = 0.0
    for k in range(len(p)):
        change = (holds[k] - taken[k]) / h
        taken_up += change
        stored += 0.5 * (p[k] + before[k]) * change
        heat += 0.5 * (p[k] - before[k]) * change  # compression faster than the step
    capacity = HEAT_CAPACITY_J_KG_K * rho[0]
    through = 0.5 * (suction[0] + returned[0]) * capacity
    carried = through * (temperature[0] - temperature[1])
    cooled = 0.0
    temperature[2] = temperature[0]
    if cooler >= 0:
        stream = max(branch_flow[cooler], 1e-9) * capacity
        opening = min(1.0, max(0.05, (temperature[0] - thermal[3]) / 8.0))
        effectiveness = 1.0 - math.exp(-thermal[2] * opening / stream)
        cooled = effectiveness * stream * (temperature[0] - thermal[6])
        temperature[2] = temperature[0] - cooled / stream
    ambient = thermal[4] * (temperature[1] - thermal[5])
    fast = thermal_speed * h
    temperature[0] += fast * (heat - carried) / thermal[0]
    temperature[1] += fast * (carried - cooled - ambient) / thermal[1]
    for each, value in enumerate((
        shaft, heat + coolant_heat, work, stored, cooled, ambient,
        suction[0] + suction[1], returned[0] + returned[1], taken_up,
    )):  # fmt: skip
        meter[each] += h * value


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _advance_all(wiring, volume, law, pump, act, gas, oil, thermal, state, reference, h,
                 thermal_speed, every, record):  # fmt: skip
    for b in range(len(record)):
        _advance(
            wiring.branch_kind, wiring.branch_from, wiring.branch_to, wiring.branch_water,
            wiring.cooler, wiring.pump_inlet, wiring.pump_outlet, wiring.pump_water,
            wiring.section, wiring.accumulator, volume[b], law[b], pump[b], act[b], gas[b], oil[b],
            thermal[b], state.pressure[b], state.position[b], state.velocity[b], state.spool[b],
            state.temperature[b], state.meter[b], reference.target[b], reference.process[b],
            reference.open_loop, h, thermal_speed, every, record[b],
        )  # fmt: skip


def advance(
    wiring: Wiring,
    plant: Plant,
    state: State,
    reference: Reference,
    h: float,
    every: int,
    thermal_speed: float = 1.0,
) -> Floats:
    """Run all machines over `reference`, changing `state`.

    Args:
        wiring: What joins what.
        plant: Physical values.
        state: Where they are; changed in place.
        reference: What is asked for at each step.
        h: Step in s.
        every: Steps from one record to the next.
        thermal_speed: Heat capacities are divided by this, to warm a machine up soon.

    Returns:
        [B, steps // every, signals]: p, Q of branches, pumps, actuators (x, v, spool), T, at the
        end of a step.
    """
    machines, steps = reference.target.shape[:2]
    record = np.zeros((machines, steps // every, signals_count(wiring, plant)))
    law = np.stack(
        [plant.branch_laminar, plant.branch_turbulent, plant.branch_setting, plant.branch_slope], -1
    )
    pump = np.stack(
        [
            plant.pump_flow, plant.pump_leakage, plant.pump_cutoff, plant.pump_band,
            plant.pump_power, plant.pump_standby, plant.pump_fill,
            plant.pump_friction[..., 0], plant.pump_friction[..., 1],
        ],
        axis=-1,
    )  # fmt: skip
    act = np.stack(
        [
            plant.actuator_area[..., 0], plant.actuator_area[..., 1], plant.actuator_inertia,
            plant.actuator_friction[..., 0], plant.actuator_friction[..., 1], plant.actuator_load,
            plant.actuator_process, plant.actuator_stroke, plant.actuator_leakage,
            plant.actuator_speed, plant.valve_turbulent, plant.valve_line, plant.valve_leakage,
            plant.valve_response, plant.valve_stiction, plant.valve_gain, plant.port_relief,
        ],
        axis=-1,
    )  # fmt: skip
    gas = np.stack([plant.gas_volume, plant.gas_precharge, plant.gas_exponent], axis=-1)
    _advance_all(wiring, plant.node_volume, law, pump, act, gas, plant.oil, plant.thermal, state,
                 reference, h, thermal_speed, every, record)  # fmt: skip
    return record


def empty_state(plant: Plant, circuit_c: Floats, tank_c: Floats) -> State:
    """Return machines at rest: no pressure, actuators half way, oil at temperatures [B]."""
    machines, actuators = plant.actuator_stroke.shape
    stroke = plant.actuator_stroke
    zeros: Any = np.zeros((machines, actuators))
    return State(
        pressure=np.zeros_like(plant.node_volume),
        position=np.where(stroke < 1e9, 0.5 * np.minimum(stroke, 1e9), 0.0),
        velocity=zeros,
        spool=zeros.copy(),
        temperature=np.stack([circuit_c, tank_c, circuit_c], axis=-1),
        meter=np.zeros((machines, len(METERS))),
    )
