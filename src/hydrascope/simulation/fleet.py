"""The machines of a fleet, each drawn from a seed by itself."""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hydrascope.schemas import ComponentType, Machine
from hydrascope.simulation.build import Build
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.duty import Operator
from hydrascope.simulation.faults import Fault, apply_fault
from hydrascope.simulation.fluid import ISO_GRADES
from hydrascope.simulation.plant import oil_row
from hydrascope.simulation.solver import Plant
from hydrascope.simulation.trajectory import Course, FaultCourse

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
"""The standard deviations of the logarithms of values over machines of one build.

No sensor measures these values, so they limit how small a fault can be found. They were chosen for
that, not taken from manufacturers' data.
"""
_HYSTERESIS: Mapping[str, float] = {ComponentType.SERVO_VALVE: 0.015}
_USUAL_HYSTERESIS, _HYSTERESIS_SPREAD = 0.025, 0.12
"""The hysteresis of sound valves as a share of the stroke, and the standard deviation of its
logarithm. Data sheets give at most 0.05 for proportional valves without position feedback of the
spool (Rexroth 4WRA), 0.03 for servo valves (Moog G761)."""
FIRST_ONSET = -0.3
"""The earliest onset of a fault, as a share of the observed life. Faults of a machine that is
recorded from new begin at 0 or later."""
FILTER_LIFE_H = 500.0
_FILTER_LOAD = 0.2
"""The hours after which a filter is changed, and the growth of its pressure drop by then. Sound
machines are seen with filters of any age."""


@dataclass(frozen=True)
class Member:
    """One machine of a fleet."""

    equipment_id: str
    build: Build
    machine: Machine
    operator: Operator
    age: float
    """The wear at the start of the observed life, 0 to 1."""
    plant: Plant
    """The physical values as built and worn, without faults; [1, …] each."""
    filter_age_h: float
    """The age of the filters at hour 0."""
    courses: tuple[FaultCourse, ...]
    seed: tuple[int, ...]
    """The seed of everything random in its recordings."""

    @property
    def failure_h(self) -> float:
        """The operating hours at which the first component fails; infinite without faults."""
        ends = (course.onset_h + course.growth_h for course in self.courses)
        return min(ends, default=math.inf)

    def plant_at(self, hour: float) -> Plant:
        """Return the physical values at an operating hour."""
        plant = _copy(self.plant)
        circuit = self.build.circuit
        worn = (hour + self.filter_age_h) % FILTER_LIFE_H / FILTER_LIFE_H
        for number, branch in enumerate(circuit.branches):
            if circuit.kinds.get(branch.component or "") == ComponentType.FILTER:
                plant.branch_laminar[:, number] *= 1.0 + _FILTER_LOAD * worn**2
        for course in self.courses:
            severity = course.severity(np.array([hour]))
            if severity[0] > 0.0:
                apply_fault(circuit, plant, course.fault, course.component, severity)
        return plant


def draw_member(
    build: Build,
    number: int,
    *,
    seed: int,
    fault_rate: float,
    life_h: float,
    run_to_failure: bool = False,
) -> Member:
    """Return machine `number` of a build, whatever the others are.

    Args:
        build: What its file says.
        number: 0, 1, …
        seed: The seed of the fleet.
        fault_rate: The expected number of faults over the observed life.
        life_h: The observed life in operating hours.
        run_to_failure: Whether it is new at hour 0, so without wear, and has at least one fault.
            Its filters are of any age all the same, or they would tell the hours.
    """
    entropy = (seed, zlib.crc32(build.name.encode()), number)
    rng = np.random.default_rng(entropy)
    drawn_age = float(rng.uniform())
    age = 0.0 if run_to_failure else drawn_age
    plant = _as_built(build, age, rng)
    spread = build.duty.operator
    operator = Operator(
        pace=float(np.exp(rng.normal(0.0, spread.pace))),
        load=float(np.exp(rng.normal(0.0, spread.load))),
        scatter=spread.cycle,
    )
    equipment_id = f"{build.name}_{number:03d}"
    equipment = build.machine.equipment.model_copy(update={"equipment_id": equipment_id})
    return Member(
        equipment_id,
        build,
        build.machine.model_copy(update={"equipment": equipment}),
        operator,
        age,
        plant,
        float(rng.uniform(0.0, FILTER_LIFE_H)),
        _draw_courses(build, fault_rate, life_h, rng, run_to_failure),
        entropy,
    )


def _copy(plant: Plant) -> Plant:
    return Plant(*(values.copy() for values in plant))


def _as_built(build: Build, age: float, rng: np.random.Generator) -> Plant:
    plant = _copy(build.nominal)
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
    for number, usual in enumerate(usual_hysteresis(build.circuit)):
        plant.valve_stiction[0, number] = usual * np.exp(rng.normal(0.0, _HYSTERESIS_SPREAD))
    return plant


def usual_hysteresis(circuit: Circuit) -> list[float]:
    """Return the hysteresis of the sound valve of each actuator, as a share of the stroke."""
    valves = (circuit.kinds[section.valve] for section in circuit.sections)
    return [_HYSTERESIS.get(valve, _USUAL_HYSTERESIS) for valve in valves]


def _draw_courses(
    build: Build,
    fault_rate: float,
    life_h: float,
    rng: np.random.Generator,
    run_to_failure: bool,
) -> tuple[FaultCourse, ...]:
    courses = []
    taken = set()
    least, first = (1, 0.0) if run_to_failure else (0, FIRST_ONSET)
    for _ in range(max(least, rng.poisson(fault_rate)) if build.faults else 0):
        fault = Fault(rng.choice(list(build.faults)))
        component = str(rng.choice(build.faults[fault]))
        onset_h, growth_h = rng.uniform(first, 0.8) * life_h, rng.uniform(0.3, 1.0) * life_h
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
