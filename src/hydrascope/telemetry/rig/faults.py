"""What the severities of the rig's four faults change in a simulated rig.

Their sizes follow from how the rig makes its faults (N. Helwig, E. Pignanelli, A. Schütze,
"Condition monitoring of a complex hydraulic system using multivariate statistics", I2MTC 2015) and
from physics. The paper was not at hand: its figures here are to be checked. No recording of a fault
set a size. That a valve closes in time was seen in recordings.
"""

from collections.abc import Mapping

from hydrascope.schemas import SpecError
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.plant import BAR, DENSITY_KG_M3, LITRE_MIN
from hydrascope.simulation.solver import Plant

BYPASS, COOLER, VALVE, ACCUMULATOR = "bypass", "cooler", "valve", "accumulator"
"""The components that a rig's machine file must have for these faults."""

COOLING_LOST = 0.73
"""The share of its transfer that the cooler has lost while its fan stands still: 0.6 of 2.2 kW are
left."""
LAG = 9.0
"""How many times its own response the worst valve opens late. The rig drives the valve with less
current, which delays its opening; a spring closes it. How late is not published, so this is by
judgement."""
BYPASS_L_MIN, BYPASS_BAR = 1.2, 190.0
"""The flow through the three orifices of 0.25 mm that make the pump leak, with a discharge
coefficient of 0.65, and the pressure that it holds for."""
PRECHARGE_LOST_BAR = 40.0
"""The gas pressure that is lost from 130 to 90 bar."""


def check_rig(circuit: Circuit, source: str) -> None:
    """Refuse a machine that is no rig.

    Args:
        circuit: The machine.
        source: Its file; begins the message of an error.

    Raises:
        SpecError: A component is missing that these faults change.
    """
    needed = (BYPASS, COOLER, VALVE, ACCUMULATOR)
    if missing := [name for name in needed if name not in circuit.kinds]:
        raise SpecError(
            f"topology.components: {missing[0]!r} is missing; expected the components of "
            f"examples/rig/rig.yaml: {', '.join(needed)}",
            source=source,
        )


def opens_late_s(circuit: Circuit, plant: Plant, severity: Mapping[str, float]) -> float:
    """Return how late the valve opens in s, by the severities of the components."""
    mine = next(n for n, each in enumerate(circuit.sections) if each.valve == VALVE)
    return LAG * float(plant.valve_response[0, mine]) * severity["valve"]


def degrade(circuit: Circuit, plant: Plant, severity: Mapping[str, float]) -> None:
    """Change `plant` in place by the severities of components; the valve's changes the duty.

    Args:
        circuit: The rig.
        plant: Its values, [1, …] each.
        severity: By component as in `severities.GRADES`.
    """
    plant.thermal[:, 2] *= 1.0 - COOLING_LOST * severity["cooler"]
    plant.gas_precharge[:] -= PRECHARGE_LOST_BAR * BAR * severity["accumulator"]
    if severity["pump"] > 0.0:
        flow = BYPASS_L_MIN * LITRE_MIN * severity["pump"]
        factor = BYPASS_BAR * BAR / DENSITY_KG_M3 / flow**2
        plant.branch_turbulent[:, circuit.branch_of(BYPASS)] = factor
