"""The physical values of a machine as its file describes it.

Shapes: as in `solver.network`, with B = 1.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import EdgeSpec
from hydrascope.simulation.circuit import Circuit
from hydrascope.simulation.fluid import HEAT_CAPACITY_J_KG_K, ISO_GRADES, Oils
from hydrascope.simulation.solver import LINE, MAX_STROKE, REDUCING, RELIEF, Plant

BAR = 1e5
LITRE_MIN = 1e-3 / 60.0
VISCOSITY_PA_S = 0.04
"""The viscosity of ISO VG 46 at 40 °C, at which nominal drops and leakages hold."""
DENSITY_KG_M3 = 860.0
_FRICTION_FACTOR = 0.03
"""The Darcy friction factor of turbulent flow in drawn tubes at Re ≈ 10⁴ (Blasius: 0.316/Re¼)."""
_FITTINGS = 2.0
"""The resistance coefficient ζ of the bends and couplings of a line."""
_NO_CUTOFF_BAR = 1e4
"""A cut-off pressure that a pump of fixed displacement never comes near."""
_MOTOR_RAD = 0.3
"""The turn of the load in rad that displaces the oil in a chamber of its motor and gear."""
_HOSE_SWELL = 1.5
"""The compliance of a line over that of its oil: walls and hoses expand (Murrenhoff, ch. 2)."""


def build_plant(circuit: Circuit) -> Plant:
    """Return the physical values of one machine, [1, …] each."""
    nodes, branches = len(circuit.node), circuit.branches
    volume = _node_volumes(circuit, nodes)
    laws = np.array([_law(circuit, number) for number in range(len(branches))])
    pumps = [circuit.values[name] for name in circuit.pumps]
    flows = [pump["displacement_cm3"] * 1e-6 * pump["speed_rpm"] / 60.0 for pump in pumps]
    cutoffs = [min(pump["cutoff_bar"], _NO_CUTOFF_BAR) for pump in pumps]
    actuators = [circuit.values[name] for name in circuit.actuators]
    motions = [_motion(actuator) for actuator in actuators]
    valves = [circuit.values[section.valve] for section in circuit.sections]
    gases = [circuit.values[name] for name in circuit.accumulators]
    tank_l = sum(
        circuit.values[each.id]["volume_l"]
        for each in circuit.machine.topology.components
        if each.kind == "tank" and not _is_water(circuit, each.id)
    )
    lines = [_line(section.line)[0] for section in circuit.sections]
    edges = [
        valve["drop_bar"] * BAR
        / (actuator["valve_share"] * valve["flow_l_min"] * LITRE_MIN) ** 2 / DENSITY_KG_M3
        + 2.0 * _line(section.line)[1]
        for valve, section, actuator in zip(valves, circuit.sections, actuators, strict=True)
    ]  # fmt: skip
    arrays: Mapping[str, object] = {
        "node_volume": volume,
        "branch_laminar": laws[:, 0],
        "branch_turbulent": laws[:, 1],
        "branch_setting": laws[:, 2],
        "branch_slope": laws[:, 3],
        "pump_flow": flows,
        "pump_leakage": [_pump_leakage(p, flow) for p, flow in zip(pumps, flows, strict=True)],
        "pump_cutoff": [cutoff_bar * BAR for cutoff_bar in cutoffs],
        "pump_band": [0.06 * cutoff_bar * BAR for cutoff_bar in cutoffs],
        "pump_power": [min(pump["power_kw"], 1e6) * 1e3 for pump in pumps],
        "pump_standby": [pump["standby"] for pump in pumps],
        "pump_friction": [[pump["friction_bar"] * BAR, pump["friction_share"]] for pump in pumps],
        "pump_runout": [1.0 for _ in pumps],
        "pump_fill": [-0.5 * BAR for _ in pumps],
        **{
            f"actuator_{name}": [getattr(motion, name) for motion in motions]
            for name in _Motion._fields
        },
        "valve_turbulent": edges,
        "valve_line": lines,
        "valve_leakage": [_leakage(valve["leakage_ml_min"]) for valve in valves],
        "valve_response": [valve["response_s"] for valve in valves],
        "valve_stiction": [0.0 for _ in valves],
        "valve_gain": [actuator["gain"] for actuator in actuators],
        "port_relief": [min(valve["port_relief_bar"], 1e4) * BAR for valve in valves],
        "gas_volume": [gas["volume_l"] * 1e-3 for gas in gases],
        "gas_precharge": [gas["precharge_bar"] * BAR for gas in gases],
        "gas_exponent": [gas["polytropic_exponent"] for gas in gases],
        "oil": oil_row(circuit.machine.equipment.nominal),
        "thermal": _thermal(circuit, float(volume.sum()), tank_l),
    }
    values = {name: np.array(arrays[name], dtype=np.float64)[None] for name in Plant._fields}
    for name in ("actuator_area", "actuator_friction"):
        values[name] = values[name].reshape(1, -1, 2)  # also where there is no actuator
    return Plant(**values)


def oil_row(nominal: Mapping[str, float]) -> list[float]:
    """Return the row `Plant.oil` of an oil from its data sheet; of ISO VG 46 by default."""
    default = ISO_GRADES[46]
    oils = Oils(
        np.array([nominal.get("viscosity_40_c_mm2_s", default[0])]),
        np.array([nominal.get("viscosity_100_c_mm2_s", default[1])]),
        np.array([nominal.get("density_15_c_kg_m3", 879.0)]),
        np.array([0.01]),
    )
    a, b = oils.walther()
    return [float(each[0]) for each in (a, b, oils.density_15_c_kg_m3, oils.air_fraction)]


def _node_volumes(circuit: Circuit, nodes: int) -> np.ndarray:
    """Return the volumes: half of every line at either end, chambers at half stroke."""
    volume = np.full(nodes, 2e-5)
    for branch in circuit.branches:
        if branch.line is not None:
            half = 0.5 * _HOSE_SWELL * _volume_m3(branch.line)
            for end in (branch.start, branch.end):
                if end >= 0:
                    volume[end] += half
    for section in circuit.sections:
        motion = _motion(circuit.values[section.actuator])
        for port, area in zip("ab", motion.area, strict=True):
            hose = _HOSE_SWELL * _volume_m3(section.line)
            swept = area * (0.5 * motion.stroke if motion.stroke < MAX_STROKE else _MOTOR_RAD)
            volume[circuit.node[section.actuator, port]] += hose + swept
    return volume


def _law(circuit: Circuit, number: int) -> tuple[float, float, float, float]:
    """Return the laminar and turbulent factor, the setting and the slope of a branch."""
    branch = circuit.branches[number]
    laminar, turbulent = _line(branch.line) if branch.line else (0.0, 0.0)
    setting, slope = math.inf, 0.0
    values = circuit.values[branch.component] if branch.component else {}
    kind = circuit.kinds.get(branch.component or "")
    if branch.kind in (LINE, REDUCING) and values:
        flow, drop = values["flow_l_min"] * LITRE_MIN, values["drop_bar"] * BAR
        if kind == "filter":
            laminar += drop / flow / VISCOSITY_PA_S
            setting, slope = values["bypass_bar"] * BAR, flow / BAR
        else:
            turbulent += drop / flow**2 / DENSITY_KG_M3
    if branch.kind == REDUCING:
        setting = values["setting_bar"] * BAR
        slope = 1.0 / (0.1 * setting)
    if branch.kind == RELIEF:
        setting = values.get("setting_bar", values.get("relief_bar", 0.0)) * BAR
        slope = values["flow_l_min"] * LITRE_MIN / (values.get("override_bar", 10.0) * BAR)
    return laminar, turbulent, setting, slope


def _line(edge: EdgeSpec) -> tuple[float, float]:
    """Return the laminar (Hagen–Poiseuille) and turbulent (Darcy–Weisbach) factor of a line."""
    diameter, length = _sizes_m(edge)
    laminar = 128.0 * length / (math.pi * diameter**4)
    loss = _FRICTION_FACTOR * length / diameter + _FITTINGS
    return laminar, loss / (2.0 * _section_m2(diameter) ** 2)


def _volume_m3(edge: EdgeSpec) -> float:
    diameter, length = _sizes_m(edge)
    return _section_m2(diameter) * length


def _section_m2(diameter: float) -> float:
    return math.pi / 4.0 * diameter**2


def _sizes_m(edge: EdgeSpec) -> tuple[float, float]:
    """Return the diameter and the length; only links can lack them, and none of those is here."""
    assert edge.diameter_mm is not None
    assert edge.length_m is not None
    return edge.diameter_mm * 1e-3, edge.length_m


class _Motion(NamedTuple):
    """The mechanics of an actuator; the fields of `Plant` that begin with `actuator_`."""

    area: tuple[float, float]
    inertia: float
    stroke: float
    friction: tuple[float, float]
    load: float
    process: float
    leakage: float
    transition_speed: float


def _motion(values: Mapping[str, float]) -> _Motion:
    """Return the mechanics of a cylinder or a motor; `work_bar` gives the reference force."""
    if "bore_mm" in values:
        bore, rod = values["bore_mm"] * 1e-3, values["rod_mm"] * 1e-3
        area_a = values["count"] * math.pi / 4.0 * bore**2
        area_b = values["count"] * math.pi / 4.0 * (bore**2 - rod**2)
        inertia, stroke = values["mass_kg"], values["stroke_mm"] * 1e-3
    else:
        area_a = area_b = values["displacement_cm3"] * 1e-6 / (2.0 * math.pi)
        inertia, stroke = values["inertia_kg_m2"], 1e12
    force = area_a * values["work_bar"] * BAR
    friction = values["friction_share"] * force
    return _Motion(
        area=(area_a, area_b),
        inertia=inertia,
        stroke=stroke,
        friction=(friction, friction / values["speed"]),
        load=values["load_share"] * force,
        process=values["process_share"] * force,
        leakage=_leakage(values["leakage_ml_min"]),
        transition_speed=0.01 * values["speed"],
    )


def rated_bar(pump: Mapping[str, float]) -> float:
    """Return the pressure for which a pump of these values is made."""
    return min(pump["cutoff_bar"], pump["rated_bar"])


def _pump_leakage(pump: Mapping[str, float], flow: float) -> float:
    """Return the factor (Q = this × Δp / μ) of a pump's leakage by its volumetric efficiency."""
    pressure = min(rated_bar(pump), 350.0) * BAR
    return (1.0 - pump["volumetric_efficiency"]) * flow * VISCOSITY_PA_S / pressure


def _leakage(ml_min: float) -> float:
    """Return the factor (Q = this × Δp / μ) of a gap by its leakage at 100 bar and 0.04 Pa s."""
    return ml_min * 1e-6 / 60.0 * VISCOSITY_PA_S / 1e7


def _thermal(circuit: Circuit, volume_m3: float, tank_l: float) -> list[float]:
    """Return the row `Plant.thermal`; the circuit's metal has as much heat capacity as its oil."""
    capacity = HEAT_CAPACITY_J_KG_K * DENSITY_KG_M3
    coolers = [v for v in circuit.values.values() if "kw_per_k" in v]
    cooler = coolers[0] if coolers else {"kw_per_k": 0.0, "thermostat_c": 0.0}
    surface = sum(v.get("w_per_k", 0.0) for v in circuit.values.values())
    return [
        2.0 * capacity * volume_m3 + 2e4,
        1.2 * capacity * tank_l * 1e-3,
        cooler["kw_per_k"] * 1e3,
        cooler["thermostat_c"],
        surface,
        20.0,
        20.0,
    ]


def _is_water(circuit: Circuit, tank: str) -> bool:
    return any(
        branch.water
        for branch in circuit.branches
        if branch.line and tank in (branch.line.source, branch.line.target)
    )
