"""The motion of spools under commands and of actuators under forces."""

# numba compiles this file; it has no types of its own.
# mypy: disable-error-code="no-untyped-def,untyped-decorator,no-any-return"

import math

from hydrascope.simulation.solver.compiled import inner
from hydrascope.simulation.solver.network import MAX_STROKE
from hydrascope.simulation.solver.packing import EDGE, GAIN, HOSE, RESPONSE, STICTION, STROKE

STOP_STIFFNESS = 2e9
"""The stiffness of an actuator's end stop in N/m (N m/rad for a motor)."""
DEAD_BAND = 0.02
"""The dead band of a position controller: the valve stays closed for smaller commands."""
LAMINAR_PA = 2e4
"""The pressure drop below which flow over a metering edge is laminar, and so regular at zero."""


@inner
def move_spools(act, x, spool, target, open_loop, h):
    """Let the spools follow their commands; return the sum of the openings of all valves."""
    demand = 0.0
    for k in range(len(spool)):
        wanted = target[k]
        if open_loop[k] == 0:
            stroke = act[k, STROKE]
            wanted = act[k, GAIN] * (target[k] - (x[k] / stroke if stroke < MAX_STROKE else x[k]))
            if abs(wanted) < DEAD_BAND:
                wanted = 0.0
        wanted = min(1.0, max(-1.0, wanted))
        if abs(wanted - spool[k]) > act[k, STICTION]:
            spool[k] += (wanted - spool[k]) * h / (h + act[k, RESPONSE])
        demand += abs(spool[k])
    return demand


@inner
def open_edges(act, spool, mu, rho, edge):
    """Fill the laminar and turbulent factor of each valve's open edges [A, 2]; 0 where closed."""
    for k in range(len(spool)):
        opening = abs(spool[k])
        edge[k, 0], edge[k, 1] = 0.0, 0.0
        if opening > 1e-3:
            b = act[k, EDGE] * rho / (opening * opening)
            edge[k, 0], edge[k, 1] = act[k, HOSE] * mu + math.sqrt(b * LAMINAR_PA), b


@inner
def speed_under(v_old, x, h, force, inertia, coulomb, viscous, transition, stroke):
    """Return the speed at the end of a step and its slope over the force.

    The speed is the positive root of  m v² + (m v₀ + F_c − F) v − F v₀ = 0,  m = M/h + viscous. The
    Coulomb friction is F_c v / (|v| + v₀), with the transition speed v₀. An end stop is a spring.
    """
    m = inertia / h + viscous
    f = force + inertia / h * v_old
    v, slope = _sliding(m, f, coulomb, transition)
    ahead = x + h * v
    if ahead > stroke:
        v, slope = _sliding(
            m + STOP_STIFFNESS * h, f - STOP_STIFFNESS * (x - stroke), coulomb, transition
        )
    elif ahead < 0.0 and stroke < MAX_STROKE:
        v, slope = _sliding(m + STOP_STIFFNESS * h, f - STOP_STIFFNESS * x, coulomb, transition)
    return v, slope


@inner
def _sliding(m, f, coulomb, transition):
    size = abs(f)
    half = 0.5 * (m * transition + coulomb - size)
    root = math.sqrt(half * half + m * size * transition)
    # Of the two forms of the root, the one without cancellation.
    v = size * transition / (half + root) if half > 0.0 else (root - half) / m
    square = (v + transition) * (v + transition)
    return math.copysign(v, f), square / (m * square + coulomb * transition)
