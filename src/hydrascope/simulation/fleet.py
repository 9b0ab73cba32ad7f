"""Who the machines of a fleet are: drawn from a seed, each by itself."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from hydrascope.schemas import ComponentType, Machine, validate
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.simulation.circuit import Circuit, build_circuit
from hydrascope.simulation.duty import DutyCycle, Operator
from hydrascope.simulation.faults import Fault, apply_fault, candidates
from hydrascope.simulation.fluid import ISO_GRADES
from hydrascope.simulation.plant import build_plant, oil_row
from hydrascope.simulation.solver import Plant
from hydrascope.simulation.trajectory import Course, FaultCourse

KINDS = ("excavator", "injection_moulding", "machining_centre", "robot")
ASSETS = resources.files("hydrascope") / "assets" / "fleet"

_SPREAD: Mapping[str, float] = {
    "branch_laminar": 0.05,
    "branch_turbulent": 0.05,
    "pump_flow": 0.01,
    "pump_leakage": 0.08,
    "pump_cutoff": 0.01,
    "pump_power": 0.03,
    "pump_friction": 0.06,
    "pump_runout": 0.08,
    "actuator_inertia": 0.1,
    "actuator_friction": 0.1,
    "actuator_load": 0.04,
    "actuator_leakage": 0.3,
    "valve_turbulent": 0.03,
    "valve_leakage": 0.15,
    "valve_response": 0.1,
    "valve_gain": 0.05,
    "gas_precharge": 0.06,
}
"""Standard deviations of the logarithms of values over machines of one build.

No sensor tells them, so they bound how small a fault can be found. They were chosen for that, not
taken from data of makers.
"""
_HYSTERESIS: Mapping[str, float] = {ComponentType.SERVO_VALVE: 0.015}
_USUAL_HYSTERESIS, _HYSTERESIS_SPREAD = 0.025, 0.12
"""Of sound valves, share of the stroke. Data sheets give at most 0.05 for proportional valves
without feedback of the spool (Rexroth 4WRA), 0.03 for servo valves (Moog G761)."""
FIRST_ONSET = -0.3
"""No fault begins earlier, in shares of the observed life."""
FILTER_LIFE_H = 500.0
_FILTER_LOAD = 0.2
"""A filter is changed so often, and at its end has gained so much of its first drop: sound machines
are seen with all states of it."""


@dataclass(frozen=True)
class Kind:
    """A build: its machine file, its network and what it is asked to do."""

    machine: Machine
    circuit: Circuit
    duty: DutyCycle


@dataclass(frozen=True)
class Member:
    """One machine of a fleet."""

    equipment_id: str
    kind: str
    machine: Machine
    operator: Operator
    age: float
    """Wear at the start of its record, 0 to 1."""
    plant: Plant
    """As built and worn, without faults; [1, …] each."""
    filter_age_h: float
    """Of the filters at hour 0."""
    courses: tuple[FaultCourse, ...]
    seed: tuple[int, ...]
    """Of all that is random about it."""

    def at(self, hour: float) -> Plant:
        """Return its physical values at an operating hour."""
        plant = Plant(*(values.copy() for values in self.plant))
        circuit = load_kind(self.kind).circuit
        worn = (hour + self.filter_age_h) % FILTER_LIFE_H / FILTER_LIFE_H
        for number, branch in enumerate(circuit.branches):
            if circuit.kinds.get(branch.component or "") == ComponentType.FILTER:
                plant.branch_laminar[:, number] *= 1.0 + _FILTER_LOAD * worn**2
        for course in self.courses:
            severity = course.severity(np.array([hour]))
            if severity[0] > 0.0:
                apply_fault(circuit, plant, course.fault, course.component, severity)
        return plant


@cache
def load_kind(kind: str) -> Kind:
    """Return one of `KINDS` from its files in the package.

    Raises:
        SpecError: A file is wrong.
    """
    with resources.as_file(ASSETS / kind) as folder:
        machine = Machine.from_yaml(folder / "machine.yaml")
        circuit = build_circuit(machine, str(folder / "machine.yaml"))
        duty = validate(DutyCycle, load_yaml(folder / "duty.yaml"), str(folder / "duty.yaml"))
        duty.check(circuit, str(folder / "duty.yaml"))
    return Kind(machine, circuit, duty)


def draw_member(kind: str, number: int, *, seed: int, fault_rate: float, life_h: float) -> Member:
    """Return machine `number` of a kind; the others do not matter to it.

    Args:
        kind: One of `KINDS`.
        number: 0, 1, …
        seed: Of the fleet.
        fault_rate: Faults to be expected over the observed life.
        life_h: Operating hours observed.
    """
    entropy = (seed, zlib.crc32(kind.encode()), number)
    rng = np.random.default_rng(entropy)
    build = load_kind(kind)
    age = float(rng.uniform())
    plant = _as_built(build.circuit, age, rng)
    operator = Operator(
        pace=float(np.exp(rng.normal(0.0, 0.12))),
        load=float(np.exp(rng.normal(0.0, 0.15))),
        scatter=0.08,
    )
    equipment_id = f"{kind}_{number:03d}"
    equipment = build.machine.equipment.model_copy(update={"equipment_id": equipment_id})
    return Member(
        equipment_id,
        kind,
        build.machine.model_copy(update={"equipment": equipment}),
        operator,
        age,
        plant,
        float(rng.uniform(0.0, FILTER_LIFE_H)),
        _draw_courses(build.circuit, fault_rate, life_h, rng),
        entropy,
    )


def _as_built(circuit: Circuit, age: float, rng: np.random.Generator) -> Plant:
    plant = build_plant(circuit)
    for name, deviation in _SPREAD.items():
        values = getattr(plant, name)
        values *= np.exp(deviation * rng.standard_normal(values.shape))
    plant.pump_leakage[:] *= 1.0 + 0.2 * age
    plant.actuator_leakage[:] *= 1.0 + age
    at_40, at_100 = ISO_GRADES[int(rng.choice(list(ISO_GRADES)))]
    plant.oil[0] = oil_row({"viscosity_40_c_mm2_s": at_40 * np.exp(rng.normal(0.0, 0.03)),
                            "viscosity_100_c_mm2_s": at_100})  # fmt: skip
    plant.oil[0, 3] = rng.uniform(0.003, 0.02)
    plant.thermal[0, 2] *= np.exp(rng.normal(0.0, 0.05))
    for number, section in enumerate(circuit.sections):
        usual = _HYSTERESIS.get(circuit.kinds[section.valve], _USUAL_HYSTERESIS)
        plant.valve_stiction[0, number] = usual * np.exp(rng.normal(0.0, _HYSTERESIS_SPREAD))
    return plant


def _draw_courses(
    circuit: Circuit, fault_rate: float, life_h: float, rng: np.random.Generator
) -> tuple[FaultCourse, ...]:
    courses = []
    taken = set()
    for _ in range(rng.poisson(fault_rate)):
        fault = Fault(rng.choice(list(Fault)))
        component = str(rng.choice(candidates(circuit, fault)))
        onset_h, growth_h = rng.uniform(FIRST_ONSET, 0.8) * life_h, rng.uniform(0.3, 1.0) * life_h
        course = Course(rng.choice(list(Course), p=[0.4, 0.25, 0.2, 0.15]))
        if fault not in taken:
            courses.append(
                FaultCourse(
                    fault, component, course, float(onset_h), float(growth_h),
                    float(rng.uniform(0.0, FaultCourse.PERIOD_H)),
                )
            )  # fmt: skip
        taken.add(fault)
    return tuple(courses)
