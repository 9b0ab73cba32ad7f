"""Cylinders and hydraulic motors of a random circuit."""

import math
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import ComponentType
from hydrascope.simulation.estimation.series import BORES_MM, PREFERRED, RODS_MM, nearest
from hydrascope.simulation.random_circuits.sketch import Sketch

_AREA_RATIOS = (1.25, 1.4, 1.6, 2.0)
"""Usual ratios of piston to ring area (ISO 3320)."""
_STROKES_MM = [each for each in PREFERRED if 25.0 <= each <= 3_150.0]
_LEAKAGE_SHARE = (0.01, 0.03)
"""The leakage of a hydraulic motor at 100 bar, as a share of its usual flow."""


class Actuator(NamedTuple):
    """An actuator that has been drawn."""

    name: str
    flow_l_min: float
    """What it takes up at its usual speed, with chamber A filling."""
    seconds: float
    """The time of a full travel at that speed."""
    travel: tuple[float, float]
    """The positions between which it works: shares of the stroke, or rad."""
    opens: bool
    """Whether its duty is given as openings of the valve."""


def add_actuator(
    sketch: Sketch, name: str, limit_bar: float, flow_l_min: float, rng: np.random.Generator
) -> tuple[Actuator, float]:
    """Add an actuator.

    Args:
        sketch: The machine.
        name: Its number, behind its kind.
        limit_bar: The highest pressure at its valve.
        flow_l_min: What it should take up, roughly.
        rng: The source of its values.

    Returns:
        The actuator, and the pressure in bar that is left for its valve at full load.
    """
    work_bar = limit_bar * float(rng.uniform(0.55, 0.78))
    friction = float(rng.uniform(0.03, 0.08))
    # Gravity needs what it needs, also at the lowest pressure that is set for a job.
    load = float(rng.choice([0.0, rng.uniform(0.1, 0.4), rng.uniform(-0.15, 0.0)],
                            p=[0.5, 0.35, 0.15]))  # fmt: skip
    common = {
        "work_bar": work_bar,
        "friction_share": friction,
        "load_share": load,
        "process_share": float(rng.uniform(0.1, 0.95)) * (1.0 - friction - max(load, 0.0)),
    }
    if rng.random() < 0.68:
        actuator = _add_cylinder(sketch, f"cylinder_{name}", flow_l_min, common, rng)
    else:
        actuator = _add_motor(sketch, f"hydraulic_motor_{name}", flow_l_min, common, rng)
    return actuator, limit_bar - work_bar


def _add_cylinder(
    sketch: Sketch,
    name: str,
    flow_l_min: float,
    common: dict[str, float],
    rng: np.random.Generator,
) -> Actuator:
    seconds = float(rng.uniform(1.0, 5.0))
    count = int(rng.choice([1, 2], p=[0.8, 0.2]))
    volume_m3 = flow_l_min / 6e4 * seconds / count
    slender = float(rng.uniform(2.5, 10.0))  # stroke over bore
    bore_mm = nearest(BORES_MM, 1e3 * (4.0 * volume_m3 / (math.pi * slender)) ** (1.0 / 3.0))
    area_m2 = count * math.pi / 4.0 * (1e-3 * bore_mm) ** 2
    stroke_mm = nearest(_STROKES_MM, 1e3 * volume_m3 * count / area_m2)
    speed_m_s = flow_l_min / 6e4 / area_m2
    seconds = 1e-3 * stroke_mm / speed_m_s
    ratio = float(rng.choice(_AREA_RATIOS))
    force_n = area_m2 * common["work_bar"] * 1e5
    sketch.add(
        name,
        ComponentType.CYLINDER,
        bore_mm=bore_mm,
        rod_mm=nearest(RODS_MM, bore_mm * math.sqrt(1.0 - 1.0 / ratio)),
        stroke_mm=stroke_mm,
        count=count,
        mass_kg=max(5.0, force_n / float(rng.uniform(8.0, 40.0))),
        speed=speed_m_s,
        gain=min(max(float(rng.uniform(1.5, 3.0)) * seconds, 1.5), 8.0),
        leakage_ml_min=float(rng.uniform(0.1, 0.3)) * bore_mm,
        **common,
    )
    low, high = rng.uniform(0.05, 0.2), rng.uniform(0.75, 0.95)
    travel = (low, high) if rng.random() < 0.75 else (high, low)
    return Actuator(name, flow_l_min, seconds, (float(travel[0]), float(travel[1])), False)


def _add_motor(
    sketch: Sketch,
    name: str,
    flow_l_min: float,
    common: dict[str, float],
    rng: np.random.Generator,
) -> Actuator:
    turns = bool(rng.random() < 0.5)  # on and on, as a screw or a fan does; others swing
    speed_rad_s = float(rng.uniform(5.0, 60.0) if turns else rng.uniform(0.5, 4.0))
    wanted_cm3 = 1e6 * 2.0 * math.pi * flow_l_min / 6e4 / speed_rad_s
    displacement = nearest(PREFERRED, wanted_cm3)  # of motor and gear
    speed_rad_s *= wanted_cm3 / displacement
    torque_nm = displacement * 1e-6 / (2.0 * math.pi) * common["work_bar"] * 1e5
    gain = float(rng.uniform(1.5, 3.0)) / speed_rad_s
    sketch.add(
        name,
        ComponentType.HYDRAULIC_MOTOR,
        displacement_cm3=displacement,
        inertia_kg_m2=max(1e-3, torque_nm * float(rng.uniform(0.2, 0.8)) / speed_rad_s),
        speed=speed_rad_s,
        gain=gain,
        leakage_ml_min=min(1e3 * float(rng.uniform(*_LEAKAGE_SHARE)) * flow_l_min, 2e4),
        **(common | {"load_share": 0.0}),
    )
    seconds = float(rng.uniform(2.0, 5.0))
    opening = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.0))
    travel = (0.0, opening if turns else seconds * speed_rad_s)
    return Actuator(name, flow_l_min, seconds, travel, turns)
