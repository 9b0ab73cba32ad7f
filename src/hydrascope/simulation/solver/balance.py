"""The balance of every node: its inflow less the oil that it takes up, with all slopes.

Every function adds flows in m³/s to `work.right` and their slopes to `work.matrix`. Row and column
N are the tank's. Its pressure is given, so they are not solved for.
"""

# numba compiles this file; it has no types of its own.
# mypy: disable-error-code="no-untyped-def,untyped-decorator,no-any-return"

from hydrascope.simulation.solver.compiled import inner
from hydrascope.simulation.solver.laws import (
    branch_flow,
    gas_uptake,
    passive_flow,
    port_flow,
    pump_flow,
    uptake,
)
from hydrascope.simulation.solver.motion import speed_under
from hydrascope.simulation.solver.packing import (
    AIR,
    AREA_A,
    AREA_B,
    BAND,
    CLOSED,
    COULOMB,
    CUTOFF,
    EXPONENT,
    FILL,
    FLOW,
    GAS,
    INERTIA,
    LAMINAR,
    LEAKAGE,
    LOAD,
    PORT,
    POWER,
    PRECHARGE,
    PROCESS,
    SEAL,
    SETTING,
    SLOPE,
    STANDBY,
    STROKE,
    TRANSITION_SPEED,
    TURBULENT,
    VISCOUS,
)


@inner
def add_balance(wiring, values, state, work, process, demand, h):
    """Fill `right`, `matrix` and all flows of `work`; return the sum of the squares of `right`."""
    work.matrix[:] = 0.0
    work.right[:] = 0.0
    add_uptake(wiring, values, work, h)
    _add_branches(wiring, values, work)
    _add_pumps(wiring, values, work, demand)
    _add_actuators(wiring, values, state, work, process, h)
    off = 0.0
    for k in range(len(work.taken)):
        off += work.right[k] * work.right[k]
    return off


@inner
def add_uptake(wiring, values, work, h):
    """Compute the oil taken up by the nodes; subtract its rate of change since `work.taken`."""
    p, holds, right, matrix = work.pressure, work.holds, work.right, work.matrix
    rate = 1.0 / h
    for k in range(len(holds)):
        holds[k], slope = uptake(p[k], values.volume[k], values.oil[AIR])
        matrix[k, k] += rate * slope
    for g in range(len(wiring.accumulator)):
        k, gas = wiring.accumulator[g], values.gas
        more, slope = gas_uptake(p[k], gas[g, GAS], gas[g, PRECHARGE], gas[g, EXPONENT])
        holds[k] += more
        matrix[k, k] += rate * slope
    for k in range(len(holds)):
        right[k] += rate * (work.taken[k] - holds[k])


@inner
def _join(work, i, j, flow, gain):
    """Add a flow from node i to node j; return the power in W that it dissipates."""
    work.right[i] -= flow
    work.right[j] += flow
    work.matrix[i, i] += gain
    work.matrix[j, j] += gain
    work.matrix[i, j] -= gain
    work.matrix[j, i] -= gain
    return flow * (work.pressure[i] - work.pressure[j])


@inner
def _add_branches(wiring, values, work):
    p, law = work.pressure, values.law
    for k in range(len(work.branch)):
        i, j, fluid = wiring.branch_from[k], wiring.branch_to[k], wiring.branch_water[k]
        flow, gain, behind = branch_flow(
            wiring.branch_kind[k], p[i] - p[j], p[j], law[k, LAMINAR] * work.viscosity[fluid],
            law[k, TURBULENT] * work.density[fluid], law[k, SETTING], law[k, SLOPE],
        )  # fmt: skip
        work.branch[k] = flow
        _join(work, i, j, flow, gain)
        work.matrix[i, j] += behind
        work.matrix[j, j] -= behind


@inner
def _add_pumps(wiring, values, work, demand):
    p, pump, tank = work.pressure, values.pump, len(work.holds)
    for k in range(len(pump)):
        i, j, standby = wiring.pump_inlet[k], wiring.pump_outlet[k], pump[k, STANDBY]
        flow, over_in, over_out, stroke, fill = pump_flow(
            p[i], p[j], standby + (1.0 - standby) * demand, pump[k, FLOW],
            pump[k, CUTOFF], pump[k, BAND], pump[k, POWER], pump[k, FILL],
        )  # fmt: skip
        work.right[i] -= flow
        work.right[j] += flow
        work.matrix[i, i] += over_in
        work.matrix[i, j] += over_out
        work.matrix[j, i] -= over_in
        work.matrix[j, j] -= over_out
        leak = pump[k, LEAKAGE] / work.viscosity[wiring.pump_water[k]]
        _join(work, j, tank, leak * p[j], leak)
        work.pump[k, 0], work.pump[k, 1] = flow, leak * p[j]
        work.pump[k, 2], work.pump[k, 3] = stroke, fill


@inner
def _add_actuators(wiring, values, state, work, process, h):
    p, act, rate = work.pressure, values.act, 1.0 / work.viscosity[0]
    for k in range(len(act)):
        supply, outlet = wiring.section[k, 0], wiring.section[k, 1]
        a, b = wiring.section[k, 2], wiring.section[k, 3]
        leak, heat = act[k, CLOSED] * rate, 0.0
        if work.edge[k, 1] > 0.0:
            filled, emptied = (a, b) if state.spool[k] > 0.0 else (b, a)
            flow, gain = passive_flow(p[supply] - p[filled], work.edge[k, 0], work.edge[k, 1])
            heat += _join(work, supply, filled, flow, gain)
            flow, gain = passive_flow(p[emptied] - p[outlet], work.edge[k, 0], work.edge[k, 1])
            heat += _join(work, emptied, outlet, flow, gain)
        for chamber in (a, b):
            heat += _join(work, supply, chamber, leak * (p[supply] - p[chamber]), leak)
            flow, gain = port_flow(p[chamber] - p[outlet], act[k, PORT], leak)
            heat += _join(work, chamber, outlet, flow, gain)
        seal = act[k, SEAL] * rate
        heat += _join(work, a, b, seal * (p[a] - p[b]), seal)
        area_a, area_b = act[k, AREA_A], act[k, AREA_B]
        speed, slope = speed_under(
            state.velocity[k], state.position[k], h, p[a] * area_a - p[b] * area_b - act[k, LOAD],
            act[k, INERTIA], act[k, COULOMB] + process[k] * act[k, PROCESS], act[k, VISCOUS],
            act[k, TRANSITION_SPEED], act[k, STROKE],
        )  # fmt: skip
        work.right[a] -= area_a * speed
        work.right[b] += area_b * speed
        work.matrix[a, a] += area_a * area_a * slope
        work.matrix[b, b] += area_b * area_b * slope
        work.matrix[a, b] -= area_a * area_b * slope
        work.matrix[b, a] -= area_a * area_b * slope
        work.speed[k], work.heat[k] = speed, heat
