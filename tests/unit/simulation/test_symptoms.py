"""Each fault moves the sensors as published tables of symptoms say.

Sources: US Army FM 5-499 "Hydraulics" (1997), ch. 6 "Circuit diagrams and troubleshooting", tables
of no or low pressure, slow or erratic motion, excessive heat and noise; Eaton "Vickers Industrial
Hydraulics Manual" (5th ed. 2008), troubleshooting charts 1-5 (noise, heat, incorrect flow,
incorrect pressure, faulty operation); A. Parr, "Hydraulics and Pneumatics" (3rd ed. 2011), ch. 2
and 8.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hydrascope.simulation.build import load_kind
from hydrascope.simulation.faults import Fault
from hydrascope.simulation.fleet import draw_member
from hydrascope.simulation.recording import Run
from hydrascope.simulation.sensors import true_signal
from hydrascope.simulation.trajectory import Course, FaultCourse

KIND = "injection_moulding"

# fault, component, (sensor, statistic, sign, chart that says so)
SYMPTOMS = [
    # Incorrect pressure, low: relief valve or compensator set too low; slow actuators.
    (Fault.PRESSURE_DROP, "pump", [("pump_pressure", "mean", -1), ("supply_pressure", "mean", -1)]),
    # Excessive heat: cooler fouled; thin oil leaks more.
    (
        Fault.OVERHEATING,
        "cooler",
        [
            ("tank_temperature", "mean", +1),
            ("cooler_outlet_temperature", "mean", +1),
            ("oil_viscosity", "mean", -1),
            ("drain_flow", "mean", +1),
        ],
    ),
    # Excessive noise: clogged inlet strainer, pump cavitating; incorrect flow: low.
    (Fault.CAVITATION, "pump", [("pump_vibration", "mean", +1), ("pump_flow", "max", -1)]),
    # Incorrect flow and excessive heat: pump worn, oil slips back.
    (
        Fault.LEAKAGE,
        "pump",
        [
            ("drain_flow", "mean", +1),
            ("tank_temperature", "mean", +1),
            ("pump_pressure", "mean", -1),
        ],
    ),
    # Excessive noise: pump worn, misaligned, bearings; takes more power.
    (
        Fault.VIBRATION_ANOMALY,
        "pump",
        [("pump_vibration", "mean", +1), ("motor_power", "mean", +1)],
    ),
    # Incorrect pressure behind a restriction; heat from throttling.
    (Fault.FLOW_RESTRICTION, "valve", [("supply_pressure", "mean", -1), ("line_drop", "mean", +1)]),
    # Dirty oil: filter clogged (drop rises), pump wears.
    (
        Fault.CONTAMINATION,
        "return_filter",
        [("filter_drop", "mean", +1), ("drain_flow", "mean", +1)],
    ),
    # Faulty operation: worn piston seals; the actuator needs more oil for the same work.
    (
        Fault.SEAL_DEGRADATION,
        "injection",
        [("injection_command", "magnitude", +1), ("pump_flow", "mean", +1)],
    ),
    # Faulty operation: spool sticks; motion late, the command must grow before it acts.
    (
        Fault.VALVE_STICTION,
        "valve",
        [("clamp_command", "magnitude", +1), ("injection_command", "magnitude", +1)],
    ),
]  # fmt: skip


@cache
def statistics(fault: Fault | None, component: str = "") -> Mapping[tuple[str, str], float]:
    """Return mean, maximum and mean magnitude of every true signal over six minutes."""
    member = draw_member(load_kind(KIND), 0, seed=3, fault_rate=0.0, life_h=2_000.0)
    if fault is not None:
        course = FaultCourse(fault, component, Course.LINEAR, 0.0, 1_000.0)
        member = replace(member, courses=(course,))
    observations = list(Run(member, 0, 700.0).observations(360.0))
    topology = load_kind(KIND).machine.topology
    values = {}
    for number, sensor in topology.sensors:
        carrier = topology.components[number].id
        pieces = [true_signal(observation, carrier, sensor) for observation in observations]
        values[sensor.id] = np.concatenate(pieces)
    values["line_drop"] = values["pump_pressure"] - values["supply_pressure"]
    return {
        (name, statistic): float(of(signal))
        for name, signal in values.items()
        for statistic, of in {
            "mean": np.mean,
            "max": lambda x: np.quantile(x, 0.99),
            "magnitude": lambda x: np.abs(x).mean(),
        }.items()
    }


@pytest.mark.parametrize(("fault", "component", "symptoms"), SYMPTOMS)
def test_a_fault_moves_the_sensors_as_the_tables_say(
    fault: Fault, component: str, symptoms: list[tuple[str, str, int]]
) -> None:
    sound, faulty = statistics(None), statistics(fault, component)
    for sensor, statistic, sign in symptoms:
        change = faulty[sensor, statistic] - sound[sensor, statistic]
        assert sign * change > 0.02 * abs(sound[sensor, statistic]), (sensor, change)


def test_all_nine_are_tested_and_every_machine_can_have_them() -> None:
    assert [fault for fault, *_ in SYMPTOMS] == list(Fault)
    for kind in ("excavator", "injection_moulding", "machining_centre", "robot"):
        assert list(load_kind(kind).faults) == list(Fault)
