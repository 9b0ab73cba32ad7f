"""The solver: pressures, motions and temperatures of many machines, step by step, compiled.

A machine is a network. Its *nodes* hold oil under a pressure; *branches*, pumps and valves join two
nodes, each by a law Q(Δp). Every step solves the implicit balance of every node

    (s(p) − s(p₀)) / h = Σ Q(p),   s(p) = V [ p / K + α p / (p + p_atm) ]

for the pressures p at the end of the step, by Newton's method. s is the oil that a volume V takes
up under pressure. It follows from the bulk modulus K of the oil and from the entrained air
(isothermal, share α). As the balance is implicit, stiff pressure waves do not limit the length of a
step. Actuators add the flows A v of their chambers. Their speed v follows from the pressures in
closed form: inertia, viscous and Coulomb friction and the end stops give a quadratic equation in v.

All quantities are in SI units; pressures are gauge pressures. Each machine is solved by itself, so
its numbers do not depend on the others in the batch.

    network        inputs and state
    packing        the physical values, arranged for the solver
    workspace      arrays that the solver overwrites in each step
    laws           flow over pressure: lines, valves, pumps, compressed volumes
    motion         speed over force; spools
    balance        flows and their slopes, summed up at the nodes
    elimination    the linear equations of a Newton step
    update         motion, energy, volume and temperatures, once a step is solved
    advance        the loop over the steps
"""

from hydrascope.simulation.solver.advance import advance
from hydrascope.simulation.solver.network import (
    LINE,
    MAX_STROKE,
    METERS,
    PUMP_SIGNALS,
    REDUCING,
    RELIEF,
    Plant,
    Reference,
    State,
    Wiring,
    empty_state,
)

__all__ = [
    "LINE",
    "MAX_STROKE",
    "METERS",
    "PUMP_SIGNALS",
    "REDUCING",
    "RELIEF",
    "Plant",
    "Reference",
    "State",
    "Wiring",
    "advance",
    "empty_state",
]
