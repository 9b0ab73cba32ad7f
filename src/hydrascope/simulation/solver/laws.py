"""Laws of flow over pressure, each with its slope: lines, valves, pumps, compressed volumes.

The flow through a passive component is the root of  Δp = a Q + b Q |Q|,  the sum of a laminar and a
turbulent drop:  Q = 2 Δp / (a + √(a² + 4 b |Δp|)),  which is smooth at zero.
"""

# numba compiles this file; it has no types of its own.
# mypy: disable-error-code="no-untyped-def,untyped-decorator,no-any-return"

import math

from hydrascope.simulation.fluid import ATMOSPHERE_PA, BULK_MODULUS_PA
from hydrascope.simulation.solver.compiled import inner
from hydrascope.simulation.solver.network import REDUCING, RELIEF

CHECK_CONDUCTANCE = 3e-8
"""The conductance of an open check valve in m³/(s Pa): 1.8 l/min at 0.01 bar."""
CLOSED_CONDUCTANCE = 1e-12
"""The conductance of a closed relief valve in m³/(s Pa)."""
CAVITY_PA = -0.9e5
"""The pressure below which a volume cavitates: its compliance stays what it is there."""
FILL_BAND_PA = 6e3
"""The width of the transition from a filled to an empty stroke as the inlet pressure falls: the
filled share is 1 / (1 + e^(−Δp / band))."""


@inner
def passive_flow(dp, a, b):
    """Return the root of Δp = a Q + b Q|Q| and its slope."""
    root = math.sqrt(a * a + 4.0 * b * abs(dp))
    return 2.0 * dp / (a + root), 1.0 / root


@inner
def branch_flow(kind, dp, p_to, a, b, setting, slope):
    """Return flow, its slope over Δp, and its additional slope over the downstream pressure."""
    if kind == RELIEF:
        over = dp - setting
        if over > 0.0:
            return slope * over, slope, 0.0
        return CLOSED_CONDUCTANCE * dp, CLOSED_CONDUCTANCE, 0.0
    flow, gain = passive_flow(dp, a, b)
    if kind == REDUCING:  # opens as the downstream pressure falls below the setting
        opening = (setting - p_to) * slope
        if opening >= 1.0 or dp < 0.0:  # its check valve lets oil back
            return flow, gain, 0.0
        if opening <= 1e-4:
            return 1e-4 * flow, 1e-4 * gain, 0.0
        return opening * flow, opening * gain, -slope * flow
    if dp > setting:  # a filter's bypass
        return flow + slope * (dp - setting), gain + slope, 0.0
    return flow, gain, 0.0


@inner
def port_flow(dp, relief, leak):
    """Return the flow from a chamber to the return line, and its slope.

    Closed metering edges leak, an anti-cavitation check valve lets oil in, a port relief valve lets
    oil out.
    """
    if dp < 0.0:
        return (leak + CHECK_CONDUCTANCE) * dp, leak + CHECK_CONDUCTANCE
    if dp > relief:
        return leak * dp + CHECK_CONDUCTANCE * (dp - relief), leak + CHECK_CONDUCTANCE
    return leak * dp, leak


@inner
def pump_flow(p_in, p_out, demand, flow, cutoff, band, power, fill_at):
    """Return delivered flow, its slopes over inlet and outlet pressure, stroke and filled share."""
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
    fill = 1.0 / (1.0 + math.exp((fill_at - p_in) / FILL_BAND_PA))
    d_fill = fill * (1.0 - fill) / FILL_BAND_PA
    return flow * stroke * fill, flow * stroke * d_fill, flow * d_stroke * fill, stroke, fill


@inner
def uptake(p, volume, air):
    """Return the oil in m³ that a node takes up under pressure, and its slope."""
    q = max(p, CAVITY_PA)
    ratio = 1.0 / (q + ATMOSPHERE_PA)
    slope = volume * (1.0 / BULK_MODULUS_PA + air * ATMOSPHERE_PA * ratio * ratio)
    taken = volume * (q / BULK_MODULUS_PA + air * q * ratio)
    return taken + slope * (p - q), slope


@inner
def gas_uptake(p, volume, precharge, exponent):
    """Return the oil in m³ in an accumulator with polytropic gas, and its slope."""
    if p <= precharge:
        return 1e-6 * volume * (p - precharge) / precharge, 1e-6 * volume / precharge
    share = ((precharge + ATMOSPHERE_PA) / (p + ATMOSPHERE_PA)) ** (1.0 / exponent)
    return volume * (1.0 - share), volume * share / (exponent * (p + ATMOSPHERE_PA))
