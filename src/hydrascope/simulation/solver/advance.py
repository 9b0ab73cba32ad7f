"""The loop over the steps: references in, signals out."""

# numba compiles the first half of this file; it has no types of its own.
# mypy: disable-error-code="no-untyped-def,untyped-decorator,no-any-return"

from pathlib import Path

import numpy as np
from numba import njit

from hydrascope.simulation.solver.balance import add_balance, add_uptake
from hydrascope.simulation.solver.compiled import FAST, inner
from hydrascope.simulation.solver.elimination import find_pattern, solve
from hydrascope.simulation.solver.motion import move_spools, open_edges
from hydrascope.simulation.solver.network import (
    ITERATIONS,
    PUMP_SIGNALS,
    UNSOLVED,
    Floats,
    Plant,
    Reference,
    State,
    Wiring,
)
from hydrascope.simulation.solver.packing import CUTOFF, FLOW, pack
from hydrascope.simulation.solver.update import update_fluid, update_state
from hydrascope.simulation.solver.workspace import new_workspace
from hydrascope.simulation.version import code_version

MAX_ITERATIONS = 200
MAX_HALVINGS = 6
LARGEST_STEP_PA = 8e6
TOLERANCE = 1e-5
"""The largest norm of the nodes' residuals, as a share of the pumps' theoretical flow."""


@inner
def _solve_step(wiring, values, state, work, process, demand, h, tolerance):
    """Solve for the pressures at the end of a step; return whether the iterations converged.

    Halved steps can end in a valley without a solution, where whole ones go through. Both can go
    round a sharp kink in a circle, which steps that are halved more often do not.
    """
    for halvings in (MAX_HALVINGS, 0, 3 * MAX_HALVINGS):
        for k in range(len(work.holds)):
            work.pressure[k] = work.before[k]
        if _iterate(wiring, values, state, work, process, demand, h, tolerance, halvings):
            return True
    return False


@inner
def _iterate(wiring, values, state, work, process, demand, h, tolerance, most_halvings):
    """Iterate by Newton's method; return whether it converged."""
    p, right, change = work.pressure, work.right, work.change
    nodes = len(work.holds)
    off_before, halvings = np.inf, 0
    for _ in range(MAX_ITERATIONS):
        state.meter[ITERATIONS] += 1.0
        off = add_balance(wiring, values, state, work, process, demand, h)
        if off < tolerance:
            return True
        if off > off_before and halvings < most_halvings:
            # The step jumped over a kink of some law: halve it.
            halvings += 1
            for k in range(nodes):
                change[k] *= 0.5
                p[k] -= change[k]
            continue
        halvings, off_before = 0, off
        solve(work.matrix, right, work.below, work.column)
        largest = 0.0
        for k in range(nodes):
            largest = max(largest, abs(right[k]))
        share = min(1.0, LARGEST_STEP_PA / largest)
        for k in range(nodes):
            change[k] = share * right[k]
            p[k] += change[k]
    add_balance(wiring, values, state, work, process, demand, h)
    return False


@inner
def _record(row, state, work):
    """Record the signals at the end of a step."""
    at = 0
    for k in range(len(work.holds)):
        row[at] = work.pressure[k]
        at += 1
    for k in range(len(work.branch)):
        row[at] = work.branch[k]
        at += 1
    for k in range(len(work.pump)):
        for signal in range(PUMP_SIGNALS):
            row[at] = work.pump[k, signal]
            at += 1
    for k in range(len(work.speed)):
        row[at], row[at + 1] = state.position[k], state.velocity[k]
        row[at + 2] = state.spool[k]
        at += 3
    for k in range(3):
        row[at + k] = state.temperature[k]


def _advance_one(
    wiring,
    values,
    state,
    work,
    target,
    process,
    open_loop,
    pumps,
    h,
    thermal_speedup,
    every,
    record,
):
    """Run one machine; the arguments are those of `advance`, without the axis B."""
    nodes = len(work.holds)
    pump = values.pump
    find_pattern(wiring, work.matrix, work.below, work.column)
    for k in range(nodes):
        work.pressure[k] = state.pressure[k]
    add_uptake(wiring, values, work, h)
    for k in range(nodes):
        work.taken[k] = work.holds[k]
    delivered = 0.0
    for k in range(len(pump)):
        delivered += pump[k, FLOW]
        work.pump_set[k, 0], work.pump_set[k, 1] = pump[k, CUTOFF], pump[k, FLOW]
    tolerance = (TOLERANCE * delivered) ** 2
    for step in range(len(target)):
        update_fluid(values.oil, state.temperature[0], work)
        demand = min(1.0, move_spools(values.act, state.position, state.spool, target[step],
                                      open_loop, h))  # fmt: skip
        open_edges(values.act, state.spool, work.viscosity[0], work.density[0], work.edge)
        for k in range(len(pump)):
            pump[k, CUTOFF] = pumps[step, k, 0] * work.pump_set[k, 0]
            pump[k, FLOW] = pumps[step, k, 1] * work.pump_set[k, 1]
        for k in range(nodes):
            work.before[k] = work.pressure[k]
        if not _solve_step(wiring, values, state, work, process[step], demand, h, tolerance):
            state.meter[UNSOLVED] += 1.0
        update_state(wiring, values, state, work, process[step], h, thermal_speedup)
        if (step + 1) % every == 0:
            _record(record[step // every], state, work)
    for k in range(nodes):
        state.pressure[k] = work.pressure[k]


# numba's cache notices changes of this file alone, not of the files whose functions it calls. The
# version, as part of the name of the cache's files, keeps those of other versions from being read.
_advance_one.__qualname__ += f"_{code_version(Path(__file__).parent)}"
_advance_compiled = njit(cache=True, error_model="numpy", fastmath=FAST, _nrt=False)(_advance_one)


def advance(
    wiring: Wiring,
    plant: Plant,
    state: State,
    reference: Reference,
    h: float,
    every: int,
    thermal_speedup: float = 1.0,
) -> Floats:
    """Run all machines over `reference`, and change `state` in place.

    Args:
        wiring: The connections of the nodes.
        plant: The physical values.
        state: The state of the machines; changed in place.
        reference: The commands and loads of each step.
        h: The length of a step in s.
        every: The number of steps from one record to the next.
        thermal_speedup: The divisor of all heat capacities, so that a machine warms up sooner.

    Returns:
        [B, steps // every, signals] at the end of a step: p of nodes, Q of branches, `PUMP_SIGNALS`
        of pumps, (x, v, spool) of actuators, T.
    """
    machines, steps = reference.target.shape[:2]
    nodes, branches = plant.node_volume.shape[1], len(wiring.branch_kind)
    signals = nodes + branches + PUMP_SIGNALS * len(wiring.pump_inlet) + 3 * len(wiring.section) + 3
    record = np.zeros((machines, steps // every, signals))
    packed = pack(plant)
    for machine in range(machines):
        _advance_compiled(
            wiring, packed.select(machine), State(*(each[machine] for each in state)),
            new_workspace(wiring, nodes), reference.target[machine], reference.process[machine],
            reference.open_loop, reference.pumps[machine], h, thermal_speedup, every,
            record[machine],
        )  # fmt: skip
    return record
