"""How spools follow their commands, and how actuators move under force."""

# numba compiles this file; it has no types of its own.
# mypy: disable-error-code="no-untyped-def,untyped-decorator,no-any-return"

import math

from hydrascope.simulation.solver.compiled import inner
from hydrascope.simulation.solver.network import ENDLESS
from hydrascope.simulation.solver.packing import EDGE, GAIN, HOSE, RESPONSE, STICTION, STROKE

STOP_STIFFNESS = 2e9
"""Of an actuator's end stop, N/m (of a motor's, N m/rad)."""
DEAD_BAND = 0.02
"""Of a position controller: the valve stays closed for less."""
LAMINAR_PA = 2e4
"""An edge of a spool is laminar below some 0.2 bar (and regular at zero)."""


@inner
def move_spools(act, x, spool, target, open_loop, h):
    """Let the spools follow what is asked for; return how much all valves are open together."""
    demand = 0.0
    for k in range(len(spool)):
        wanted = target[k]
        if open_loop[k] == 0:
            stroke = act[k, STROKE]
            wanted = act[k, GAIN] * (target[k] - (x[k] / stroke if stroke < ENDLESS else x[k]))
            if abs(wanted) < DEAD_BAND:
                wanted = 0.0
        wanted = min(1.0, max(-1.0, wanted))
        if abs(wanted - spool[k]) > act[k, STICTION]:
            spool[k] += (wanted - spool[k]) * h / (h + act[k, RESPONSE])
        demand += abs(spool[k])
    return demand


@inner
def open_edges(act, spool, mu, rho, edge):
    """Fill laminar and turbulent factor of each valve's open edges [A, 2]; 0 where closed."""
    for k in range(len(spool)):
        opening = abs(spool[k])
        edge[k, 0], edge[k, 1] = 0.0, 0.0
        if opening > 1e-3:
            b = act[k, EDGE] * rho / (opening * opening)
            edge[k, 0], edge[k, 1] = act[k, HOSE] * mu + math.sqrt(b * LAMINAR_PA), b


@inner
def speed_under(v_old, x, h, force, inertia, coulomb, viscous, still, stroke):
    """Return the speed at the end of a step and its slope over the force.

    Positive root of  m v² + (m v₀ + F_c − F) v − F v₀ = 0,  m = M/h + viscous, for the Coulomb
    friction F_c v / (|v| + v₀); a stop is a spring.
    """
    m = inertia / h + viscous
    f = force + inertia / h * v_old
    v, slope = _sliding(m, f, coulomb, still)
    ahead = x + h * v
    if ahead > stroke:
        v, slope = _sliding(
            m + STOP_STIFFNESS * h, f - STOP_STIFFNESS * (x - stroke), coulomb, still
        )
    elif ahead < 0.0 and stroke < ENDLESS:
        v, slope = _sliding(m + STOP_STIFFNESS * h, f - STOP_STIFFNESS * x, coulomb, still)
    return v, slope


@inner
def _sliding(m, f, coulomb, still):
    size = abs(f)
    half = 0.5 * (m * still + coulomb - size)
    root = math.sqrt(half * half + m * size * still)
    # The form without cancellation.
    v = size * still / (half + root) if half > 0.0 else (root - half) / m
    square = (v + still) * (v + still)
    return math.copysign(v, f), square / (m * square + coulomb * still)
