"""Builds of hydraulic machines drawn at random, with a duty: what the blame is learned on.

One or two valves with up to two actuators each stand behind a pump. An accumulator stands at the
pump, at the valve or between them. The oil is cooled on its way back, or by a pump of its own.
"""

import math
from typing import Any, NamedTuple, Self

import numpy as np

from hydrascope.schemas import ComponentType, EdgeType, Machine, validate
from hydrascope.schemas.duty import DutyCycle, SettingRange
from hydrascope.simulation.build import Build
from hydrascope.simulation.circuit import Circuit, build_circuit
from hydrascope.simulation.duty import CycleKnots
from hydrascope.simulation.duty_check import check_duty
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.solver import Plant

_SPEED_RPM = 1_450.0
_VALVES = (
    ComponentType.PROPORTIONAL_VALVE,
    ComponentType.SERVO_VALVE,
    ComponentType.DIRECTIONAL_VALVE,
)
_SETTING = dict.fromkeys(("pressure", "speed", "reach"), (0.6, 1.0))
"""Many jobs need less than the nominal values, as those of the fleet do."""
_M3_S = 1.0 / 60_000.0
"""One litre per minute."""
_VOLUME_LOG_S = (math.log(0.5), math.log(16.0))
"""The logarithm of an accumulator's volume, as seconds of the pump's flow. The loss of gas of small
ones can hardly be seen."""


class Kind(NamedTuple):
    """A build and its duty, from a file or drawn."""

    circuit: Circuit
    nominal: Plant
    """The values of a machine as designed, [1, …] each."""
    cycle: CycleKnots
    setting: SettingRange
    """Between which the settings of jobs lie."""

    @classmethod
    def of(cls, build: Build) -> Self:
        """Return that of a build from files."""
        return cls(build.circuit, build.nominal, build.cycle, build.duty.setting)


class BuildDraw:
    """Draws one build; the sizes follow from its pressure and flow.

    Args:
        rng: The source of all choices.
        name: The id of the build.
    """

    def __init__(self, rng: np.random.Generator, name: str) -> None:
        self._rng, self._name = rng, name
        self.pressure_bar = float(np.exp(rng.uniform(math.log(60.0), math.log(300.0))))
        self.flow_l_min = float(np.exp(rng.uniform(math.log(12.0), math.log(250.0))))
        # Oil flows at 5 m/s in pressure lines (D. Findeisen, "Oelhydraulik", 2006).
        self._line_mm = 1e3 * math.sqrt(self.flow_l_min * _M3_S / 5.0 * 4.0 / math.pi)
        self._components: list[dict[str, Any]] = []
        self._edges: list[dict[str, Any]] = []
        self._travel: dict[str, tuple[float, float]] = {}

    def build(self) -> Kind:
        """Return the build with its circuit, nominal values and duty."""
        self._add_power_unit()
        place = str(
            self._rng.choice(["none", "pump", "valve", "between"], p=[0.1, 0.25, 0.3, 0.35])
        )
        if place != "none":
            self._add_accumulator(place)
        for number in range(1 if self._rng.random() < 0.6 else 2):
            self._add_valve(number)
        self._add_return()
        machine = validate(
            Machine,
            {
                "equipment": {"equipment_id": self._name, "name": self._name},
                "topology": {
                    "id": self._name,
                    "components": self._components,
                    "edges": self._edges,
                },
            },
        )
        circuit = build_circuit(machine)
        duty = self._duty()
        check_duty(duty, circuit, self._name)
        cycle = CycleKnots.of(duty, circuit.actuators, circuit.pumps)
        return Kind(circuit, build_plant(circuit), cycle, duty.setting)

    def _add(self, name: str, kind: ComponentType, **nominal: float) -> None:
        self._components.append({"id": name, "kind": kind, "nominal": nominal})

    def _join(self, source: str, target: str, kind: EdgeType, wider: float = 1.0) -> None:
        sizes = {
            "diameter_mm": max(6.0, wider * self._line_mm),
            "length_m": float(self._rng.uniform(0.3, 3.0)),
            "material": "steel",
        }
        self._edges.append({"source": source, "target": target, "kind": kind, **sizes})

    def _draw(self, low: float, high: float) -> float:
        return float(self._rng.uniform(low, high))

    def _add_power_unit(self) -> None:
        power_kw = self.pressure_bar * self.flow_l_min / 600.0
        self._add(
            "motor",
            ComponentType.ELECTRIC_MOTOR,
            power_kw=1.1 * power_kw + 0.2,
            efficiency=self._draw(0.85, 0.95),
        )
        self._add(
            "pump",
            ComponentType.PUMP,
            displacement_cm3=1e3 * self.flow_l_min / _SPEED_RPM,
            speed_rpm=_SPEED_RPM,
            cutoff_bar=self.pressure_bar,
            strainer_share=self._draw(0.4, 1.0),
            volumetric_efficiency=self._draw(0.93, 0.985),
        )
        self._add(
            "tank",
            ComponentType.TANK,
            volume_l=self._draw(1.0, 3.0) * self.flow_l_min,
            w_per_k=10.0 + 1.75 * power_kw,
        )
        self._join("motor", "pump", EdgeType.MECHANICAL)
        self._join("tank", "pump", EdgeType.SUCTION_LINE, 2.0)

    def _add_accumulator(self, place: str) -> None:
        self._add(
            "accumulator",
            ComponentType.ACCUMULATOR,
            volume_l=self.flow_l_min / 60.0 * math.exp(self._draw(*_VOLUME_LOG_S)),
            precharge_bar=self.pressure_bar * self._draw(0.3, 0.9),
        )
        source = "valve_0" if place == "valve" else "pump"
        self._join(source, "accumulator", EdgeType.PRESSURE_LINE)
        if place == "between":
            self._join("accumulator", "valve_0", EdgeType.PRESSURE_LINE)

    def _add_valve(self, number: int) -> None:
        name, source, share = f"valve_{number}", "pump", 1.0
        if number == 1 and self._rng.random() < 0.25:
            source, share = "reducing_valve", 0.65
            self._add(
                source,
                ComponentType.REDUCING_VALVE,
                setting_bar=0.7 * self.pressure_bar,
                flow_l_min=self.flow_l_min,
                drop_bar=0.06 * self.pressure_bar,
            )
            self._join("pump", source, EdgeType.PRESSURE_LINE)
        self._add(
            name,
            _VALVES[int(self._rng.integers(len(_VALVES)))],
            flow_l_min=1.1 * self.flow_l_min,
            drop_bar=self._draw(0.03, 0.12) * self.pressure_bar,
            response_s=self._draw(0.03, 0.15),
            leakage_ml_min=1.5 * self.flow_l_min,
            relief_bar=1.1 * self.pressure_bar,
        )
        self._join(source, name, EdgeType.PRESSURE_LINE)
        self._join(name, "return_filter", EdgeType.RETURN_LINE, 1.4)
        for place in range(int(self._rng.integers(1, 3))):
            self._add_actuator(f"actuator_{number}_{place}", share)
            self._join(name, f"actuator_{number}_{place}", EdgeType.PRESSURE_LINE)

    def _add_actuator(self, name: str, pressure_share: float) -> None:
        flow_share = self._draw(0.3, 0.9)
        flow_m3_s = flow_share * self.flow_l_min * _M3_S
        work_bar = pressure_share * self.pressure_bar * self._draw(0.5, 0.75)
        common = {"work_bar": work_bar, "valve_share": flow_share}
        if self._rng.random() < 0.65:
            stroke_m = self._draw(0.2, 1.2)
            speed_m_s = stroke_m / self._draw(1.5, 4.0)
            area_m2 = flow_m3_s / speed_m_s
            bore_mm = 1e3 * math.sqrt(4.0 * area_m2 / math.pi)
            self._add(
                name,
                ComponentType.CYLINDER,
                bore_mm=bore_mm,
                rod_mm=0.6 * bore_mm,
                stroke_mm=1e3 * stroke_m,
                mass_kg=max(5.0, area_m2 * work_bar * 1e5 / self._draw(8.0, 40.0)),
                speed=speed_m_s,
                load_share=float(self._rng.choice([0.0, 0.3])),
                process_share=self._draw(0.1, 0.7),
                gain=self._draw(3.0, 7.0),
                **common,
            )
            self._travel[name] = (0.15, 0.85)
            return
        speed_rad_s = self._draw(1.0, 6.0)
        torque_nm = flow_m3_s / speed_rad_s * work_bar * 1e5
        self._add(
            name,
            ComponentType.HYDRAULIC_MOTOR,
            displacement_cm3=2e6 * math.pi * flow_m3_s / speed_rad_s,
            inertia_kg_m2=torque_nm / self._draw(2.0, 8.0),
            speed=speed_rad_s,
            process_share=self._draw(0.1, 0.6),
            gain=self._draw(1.0, 3.0),
            leakage_ml_min=300.0,
            **common,
        )
        self._travel[name] = (0.0, 2.5 * speed_rad_s)

    def _add_return(self) -> None:
        flow, own_pump = self.flow_l_min, self._rng.random() < 0.5
        self._add("return_filter", ComponentType.FILTER, flow_l_min=flow)
        if own_pump:
            flow *= self._draw(0.3, 0.8)
            self._add("cooling_motor", ComponentType.ELECTRIC_MOTOR, power_kw=2.0)
            self._add(
                "cooling_pump",
                ComponentType.PUMP,
                displacement_cm3=1e3 * flow / _SPEED_RPM,
                speed_rpm=_SPEED_RPM,
                cutoff_bar=20.0,
                volumetric_efficiency=0.9,
            )
            self._add("filter", ComponentType.FILTER, flow_l_min=flow)
            self._join("cooling_motor", "cooling_pump", EdgeType.MECHANICAL)
            self._join("tank", "cooling_pump", EdgeType.SUCTION_LINE, 1.4)
            self._join("cooling_pump", "filter", EdgeType.PRESSURE_LINE, 1.4)
            self._join("filter", "cooler", EdgeType.PRESSURE_LINE, 1.4)
            self._join("return_filter", "tank", EdgeType.RETURN_LINE, 1.4)
        else:
            self._join("return_filter", "cooler", EdgeType.RETURN_LINE, 1.4)
        heat_kw = 0.35 * self.pressure_bar * self.flow_l_min / 600.0
        self._add(
            "cooler",
            ComponentType.COOLER,
            flow_l_min=flow,
            kw_per_k=heat_kw / self._draw(10.0, 25.0),
            thermostat_c=self._draw(20.0, 40.0),
        )
        self._join("cooler", "tank", EdgeType.RETURN_LINE, 1.4)

    def _duty(self) -> DutyCycle:
        """Return a cycle that moves one actuator after the other, and then all back."""
        phases: list[dict[str, Any]] = []
        names = list(self._travel)
        for _ in range(int(self._rng.integers(1, 3))):
            for at in self._rng.permutation(len(names)):
                name = names[at]
                process = {name: self._draw(0.3, 1.0)}
                to = {name: self._travel[name][1]}
                seconds = self._draw(1.5, 4.0)
                phases.append({"name": "out", "duration_s": seconds, "to": to, "process": process})
                hold = self._draw(0.3, 2.0)
                phases.append({"name": "hold", "duration_s": hold, "process": process})
            back = {name: low for name, (low, _) in self._travel.items()}
            phases.append({"name": "back", "duration_s": self._draw(1.5, 4.0), "to": back})
        initial = {name: low for name, (low, _) in self._travel.items()}
        duty = {"initial": initial, "phases": phases, "setting": _SETTING}
        return validate(DutyCycle, duty, self._name)
