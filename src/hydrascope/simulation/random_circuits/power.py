"""Drives and pumps of a random circuit."""

from typing import NamedTuple

import numpy as np

from hydrascope.schemas import ComponentType, EdgeType
from hydrascope.simulation.estimation.pumps import EFFICIENCY
from hydrascope.simulation.estimation.series import MOTORS_KW, PREFERRED, at_least, nearest
from hydrascope.simulation.random_circuits.plan import Plan, PumpKind, PumpPlan
from hydrascope.simulation.random_circuits.sketch import Sketch

TANK = "tank"
_MOTOR_RPM = (970.0, 1_460.0, 1_475.0)
"""Asynchronous motors of six and four poles at 50 Hz, less their slip."""
_ENGINE_RPM = (1_800.0, 2_200.0)
_MARGIN = 1.1
"""Of a drive's power over that of its pumps at cut-off pressure."""


class Feed(NamedTuple):
    """Pumps that deliver to the same valves."""

    pumps: tuple[str, ...]
    kind: PumpKind
    pressure_bar: float
    flow_l_min: float
    """The theoretical flow of all of them."""

    @property
    def power_kw(self) -> float:
        """The hydraulic power at full pressure and flow."""
        return self.pressure_bar * self.flow_l_min / 600.0


def add_power(sketch: Sketch, plan: Plan, rng: np.random.Generator) -> list[Feed]:
    """Add drives and pumps; return the feeds in order of the plan's valves."""
    speed_rpm = round(float(rng.uniform(*_ENGINE_RPM) if plan.mobile else rng.choice(_MOTOR_RPM)))
    names, flows = [], []
    for number, pump in enumerate(plan.pumps):
        name = "pump" if len(plan.pumps) == 1 else f"pump_{number + 1}"
        displacement = nearest(PREFERRED, 1e3 * pump.flow_l_min / speed_rpm)
        names.append(name)
        flows.append(displacement * speed_rpm / 1e3)
    sizes = [flow * pump.pressure_bar / 600.0 for flow, pump in zip(flows, plan.pumps, strict=True)]
    drives = _add_drives(sketch, plan, sizes, rng)
    for name, pump, flow, drive in zip(names, plan.pumps, flows, drives, strict=True):
        limit_kw = sketch.nominal(drive)["power_kw"] * 0.85 if plan.mobile else None
        _add_pump(sketch, name, pump, (flow, speed_rpm, limit_kw), rng)
        torque_nm = 9_550.0 * flow * pump.pressure_bar / 600.0 / speed_rpm
        sketch.couple(drive, name, torque_nm)
    if plan.joined:
        return [Feed(tuple(names), plan.pumps[0].kind, plan.pumps[0].pressure_bar, sum(flows))]
    return [Feed((name,), pump.kind, pump.pressure_bar, flow)
            for name, pump, flow in zip(names, plan.pumps, flows, strict=True)]  # fmt: skip


def add_drive(sketch: Sketch, name: str, power_kw: float, rng: np.random.Generator) -> str:
    """Add the electric motor for a hydraulic power; return its name."""
    size = at_least(MOTORS_KW, _MARGIN * power_kw / EFFICIENCY)
    # IE3 motors have 0.85 at 1.5 kW and 0.95 at 100 kW (IEC 60034-30-1).
    efficiency = float(np.clip(0.84 + 0.024 * np.log(size) + rng.normal(0.0, 0.008), 0.75, 0.96))
    return sketch.add(name, ComponentType.ELECTRIC_MOTOR, power_kw=size, efficiency=efficiency)


def _add_drives(
    sketch: Sketch, plan: Plan, powers_kw: list[float], rng: np.random.Generator
) -> list[str]:
    """Add the drives; return that of each pump."""
    if plan.mobile:
        # Engines have less than all pumps could take together; their controller limits them.
        size = max(5.0, float(rng.uniform(0.5, 0.9)) * sum(powers_kw) / EFFICIENCY)
        engine = ComponentType.COMBUSTION_ENGINE
        return [sketch.add("engine", engine, power_kw=size, efficiency=0.95)] * len(powers_kw)
    if plan.one_drive or len(powers_kw) == 1:
        return [add_drive(sketch, "motor", sum(powers_kw), rng)] * len(powers_kw)
    return [add_drive(sketch, f"motor_{number + 1}", power, rng)
            for number, power in enumerate(powers_kw)]  # fmt: skip


def _add_pump(
    sketch: Sketch,
    name: str,
    pump: PumpPlan,
    sizes: tuple[float, float, float | None],
    rng: np.random.Generator,
) -> None:
    flow, speed_rpm, limit_kw = sizes
    nominal = {
        "displacement_cm3": 1e3 * flow / speed_rpm,
        "speed_rpm": speed_rpm,
        "strainer_share": float(rng.uniform(0.4, 1.0)),
        "volumetric_efficiency": float(rng.uniform(0.92, 0.98)),
    }
    if pump.kind is PumpKind.FIXED:
        nominal["rated_bar"] = pump.pressure_bar
    else:
        nominal["cutoff_bar"] = pump.pressure_bar
    if pump.kind is PumpKind.ON_DEMAND:
        nominal["standby"] = float(rng.uniform(0.1, 0.3))
    if limit_kw is not None and pump.kind is not PumpKind.FIXED:
        share = flow * pump.pressure_bar / 600.0
        nominal["power_kw"] = min(max(0.5 * share, limit_kw), share)
    sketch.add(name, ComponentType.PUMP, **nominal)
    sketch.join(TANK, name, EdgeType.SUCTION_LINE, flow)
