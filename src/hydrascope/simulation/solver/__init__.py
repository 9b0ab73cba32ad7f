"""The solver: pressures, motions and temperatures of many machines, step by step, compiled.

A machine is a network. Its *nodes* hold oil under a pressure; what joins two nodes lets oil
through by a law Q(Δp). Every step solves, for the pressures p at its end, the implicit balance

    (s(p) − s(p₀)) / h = Σ Q(p),   s(p) = V [ p / K + α p / (p + p_atm) ]

of every node by Newton's method. s is the oil that a volume V takes up under pressure, with the
compressibility of oil (bulk modulus K) and of the entrained air (isothermal, share α): so stiff
pressure waves settle within a step without limiting it. Actuators add their chambers' flows A v;
their speed v follows in closed form from the chambers' pressures, since inertia, viscous and
Coulomb friction and the end stops make a quadratic equation in v.

All quantities are in SI units, pressures above atmosphere. Each machine is solved by itself, so
its numbers do not depend on which others are in the batch.

    network        what is given and what changes
    laws           flow over pressure: lines, valves, pumps, what volumes take up
    motion         speed over force, spools
    balance        all of them, summed up at the nodes with their slopes
    elimination    the linear equations of a Newton step
    books          energy, volume and heat, once a step is solved
    advance        the steps
"""

from hydrascope.simulation.solver.advance import advance
from hydrascope.simulation.solver.network import (
    ENDLESS,
    LINE,
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
    "ENDLESS",
    "LINE",
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
