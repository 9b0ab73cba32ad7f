"""Steady states of any circuit against closed forms, each from another textbook formula.

All at 40 °C, with valves that do not leak.
"""

import math
from typing import NamedTuple

import numpy as np

from hydrascope.schemas import ComponentType, EdgeType
from hydrascope.simulation.build import Build
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.solver import (
    METERS,
    RELIEF,
    Reference,
    State,
    advance,
    empty_state,
)

BAR, L_MIN = 1e5, 1e-3 / 60
RHO = 879.0 - 0.6278 * (40 - 15)  # kg/m³ at 40 °C, ASTM D1250
MU = 46e-6 * RHO  # Pa s, ISO VG 46 at 40 °C
MU_0, RHO_0 = 0.04, 860.0  # for which nominal values hold
_STEP_S = 0.05
_SETTLED_S = 60.0


class Steady(NamedTuple):
    """Relative errors of steady states against closed forms, the worst of a circuit each."""

    pressure: float
    """Of pumps behind closed valves: at cut-off, or with all flow over a relief valve."""
    power: float
    """Of the shafts then."""
    force: float
    """Of an actuator in motion: pressures times areas against load and friction."""
    edge: float
    """Of the metering edge through which it is filled: its drop against the square of the flow."""


def steady(build: Build) -> Steady:
    """Compare the steady states of a build with closed forms."""
    state = _settle(build, np.zeros(len(build.circuit.actuators)))
    bars = _standstill_bar(build, state)
    at = [build.circuit.node[pump, "outlet"] for pump in bars]
    seen = state.pressure[0, at] / BAR
    expected = np.array(list(bars.values()))
    shaft_w = sum(
        _shaft_w(build, pump, _outlet_bar(build, state, pump, bars),
                 _closed_m3_s(build, state, pump))
        for pump in build.circuit.pumps
    )  # fmt: skip
    power = float(state.meter[0, METERS.index("shaft_j")]) / shaft_w - 1.0
    return Steady(float(np.abs(seen / expected - 1.0).max()), abs(power), *_motion(build))


def _settle(build: Build, opening: np.ndarray) -> State:
    """Hold openings of the valves until nothing changes; the meters are of the last second."""
    circuit = build.circuit
    plant = build_plant(circuit)
    plant.thermal[:, :2] = 1e12  # the oil keeps its temperature
    plant.valve_leakage[:] = 0.0
    plant.actuator_stroke[:] = 1e8
    state = empty_state(plant, np.array([40.0]), np.array([40.0]))
    for length_s in (_SETTLED_S, 1.0):
        state.meter[:] = 0.0
        steps = round(length_s / _STEP_S)
        target = np.broadcast_to(opening, (1, steps, len(opening))).copy()
        pumps = np.ones((1, steps, len(circuit.pumps), 2))
        open_loop = np.ones(len(opening), dtype=np.int64)
        reference = Reference(target, np.zeros_like(target), open_loop, pumps)
        advance(circuit.wiring, plant, state, reference, _STEP_S, 1)
    return state


def _flow(build: Build, pump: str) -> float:
    values = build.circuit.values[pump]
    return values["displacement_cm3"] * 1e-6 * values["speed_rpm"] / 60.0


def _leakage(build: Build, pump: str, bar: float) -> float:
    values = build.circuit.values[pump]
    rated = min(values["cutoff_bar"], values["rated_bar"], 350.0)
    share = (1.0 - values["volumetric_efficiency"]) * bar / rated * MU_0 / MU
    return share * _flow(build, pump)


def _standstill_bar(build: Build, state: State) -> dict[str, float]:
    """Return the outlet pressure of each pump whose oil can go nowhere but over a relief valve."""
    circuit = build.circuit
    found = {}
    for pump in circuit.pumps:
        cutoff = circuit.values[pump]["cutoff_bar"]
        if pump == "loop_pump":
            continue
        if math.isfinite(cutoff):
            # Stroke (p_c − p) / (0.06 p_c) times Q equals what leaks.
            own = _leakage(build, pump, 1.0) / _flow(build, pump)
            others = _closed_m3_s(build, state, pump) / _flow(build, pump)
            found[pump] = cutoff * (1.0 - 0.06 * others) / (1.0 + 0.06 * cutoff * own)
        else:
            found[pump] = _relieved_bar(build, state, pump)
    return found


def _closed_m3_s(build: Build, state: State, pump: str) -> float:
    """Return the share of a pump in what leaks past closed relief valves, 1 l/min at 167 bar."""
    circuit, behind = build.circuit, _behind(build, pump)
    open_one = _relief_of(build, pump) if math.isinf(circuit.values[pump]["cutoff_bar"]) else ""
    lost = 0.0
    for branch in circuit.branches:
        if branch.kind == RELIEF and branch.component in behind and branch.component != open_one:
            end = float(state.pressure[0, branch.end]) if branch.end >= 0 else 0.0
            lost += 1e-12 * (float(state.pressure[0, branch.start]) - end)
    sharing = [each for each in circuit.pumps if set(_behind(build, each)) & set(behind)]
    return lost * _flow(build, pump) / sum(_flow(build, each) for each in sharing)


def _relieved_bar(build: Build, state: State, pump: str) -> float:
    """Return p = setting + override × flow / rated flow, and what lines before and behind drop."""
    circuit = build.circuit
    relief = _relief_of(build, pump)
    values = circuit.values[relief]
    pumps = [each for each in circuit.pumps if relief in _behind(build, each)]
    outlet_bar = float(state.pressure[0, circuit.node[pump, "outlet"]]) / BAR
    flow = sum(
        _flow(build, each) - _leakage(build, each, outlet_bar) - _closed_m3_s(build, state, each)
        for each in pumps
    )
    branch = circuit.branches[circuit.branch_of(relief)]
    behind = float(state.pressure[0, branch.end]) / BAR if branch.end >= 0 else 0.0
    before = outlet_bar - float(state.pressure[0, branch.start]) / BAR
    share = flow / (values["flow_l_min"] * L_MIN)
    return values["setting_bar"] + values["override_bar"] * share + behind + before


def _relief_of(build: Build, pump: str) -> str:
    """Return the nearest relief valve behind a pump of fixed displacement."""
    kinds = build.circuit.kinds
    return next(n for n in _behind(build, pump) if kinds[n] == ComponentType.RELIEF_VALVE)


def _behind(build: Build, pump: str) -> list[str]:
    """Return the components behind a pump, nearest first, as far as pressure lines lead."""
    here = [pump]
    for each in here:
        here += [edge.target for edge in build.machine.topology.edges if edge.source == each
                 and edge.kind == EdgeType.PRESSURE_LINE and edge.target not in here]  # fmt: skip
    return here[1:]


def _outlet_bar(build: Build, state: State, pump: str, expected: dict[str, float]) -> float:
    seen = float(state.pressure[0, build.circuit.node[pump, "outlet"]]) / BAR
    return expected.get(pump, seen)


def _shaft_w(build: Build, pump: str, bar: float, closed: float) -> float:
    """Return delivered power and friction (half of its pressure by viscosity) of a pump."""
    values, flow = build.circuit.values[pump], _flow(build, pump)
    if math.isinf(values["cutoff_bar"]):
        delivered = flow
    elif pump == "loop_pump":
        delivered = min(1.0, (values["cutoff_bar"] - bar) / (0.06 * values["cutoff_bar"])) * flow
    else:
        delivered = _leakage(build, pump, bar) + closed
    friction = values["friction_bar"] * (0.5 + 0.5 * MU / MU_0) + values["friction_share"] * bar
    return (delivered * bar + flow * friction) * BAR


def _motion(build: Build) -> tuple[float, float]:
    """Return the errors of force and metering edge of the first actuator, moving out."""
    opening = np.zeros(len(build.circuit.actuators))
    opening[0] = 0.7
    state = _settle(build, opening)
    circuit, section = build.circuit, build.circuit.sections[0]
    actuator, valve = circuit.values[section.actuator], circuit.values[section.valve]
    a, b = (float(state.pressure[0, circuit.node[section.actuator, port]]) for port in "ab")
    speed = float(state.velocity[0, 0])
    if "bore_mm" in actuator:
        piston = actuator["count"] * math.pi / 4.0 * (1e-3 * actuator["bore_mm"]) ** 2
        ring = piston - actuator["count"] * math.pi / 4.0 * (1e-3 * actuator["rod_mm"]) ** 2
    else:
        piston = ring = actuator["displacement_cm3"] * 1e-6 / (2.0 * math.pi)
    work_n = piston * actuator["work_bar"] * BAR
    resisted = actuator["load_share"] + actuator["friction_share"] * (
        1.0 / (1.0 + 0.01 * actuator["speed"] / speed) + speed / actuator["speed"]
    )
    force = (a * piston - b * ring) / work_n - resisted
    # What passes the edge moves the piston, or leaks past its seals.
    seals = actuator["leakage_ml_min"] * 1e-6 / 60.0 * MU_0 / 1e7 / MU * (a - b)
    flow = speed * piston + seals
    supply = float(state.pressure[0, circuit.node[section.valve, "supply"]])
    line = section.line
    assert line.diameter_mm is not None
    assert line.length_m is not None
    bore, area = 1e-3 * line.diameter_mm, math.pi / 4.0 * (1e-3 * line.diameter_mm) ** 2
    rated = 0.7 * actuator["valve_share"] * valve["flow_l_min"] * L_MIN
    turbulent = valve["drop_bar"] * BAR * RHO / RHO_0 * (flow / rated) ** 2
    # Both hoses are counted as one resistance of each edge; its hydraulic opening scales them, too.
    hoses = 2.0 * (0.03 * line.length_m / bore + 2.0) * RHO / 2.0 * (flow / area / 0.7) ** 2
    square = turbulent + hoses
    laminar = 128.0 * MU * line.length_m * flow / (math.pi * bore**4)
    # Flow over an edge is laminar below 0.2 bar (Merritt, "Hydraulic Control Systems", ch. 3).
    drop = square + laminar + math.sqrt(2e4 * square)
    return abs(force), abs(drop - (supply - a)) / supply
