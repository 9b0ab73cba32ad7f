"""Steady states of a user's press, worked by hand, are met to 2 %.

The press: a pump of 40 cm³ at 1500 rpm (60 l/min, of which 5 % leak at 200 bar), a relief valve set
to 200 bar (10 bar more at 60 l/min), a valve with 10 bar over an edge at 60 l/min, a cylinder 100 ×
70 mm. Lines are 40 mm wide and 0.5 m long, so they hardly count.
"""

import math

import numpy as np
import pytest
from plants import STEP_S, meter
from presses import ALL, press, press_file

from hydrascope.schemas import Machine, validate
from hydrascope.simulation.circuit import Circuit, build_circuit
from hydrascope.simulation.faults import Fault, apply_fault
from hydrascope.simulation.fluid import HEAT_CAPACITY_J_KG_K
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.solver import Reference, State, advance, empty_state

BAR, L_MIN = 1e5, 1e-3 / 60
RHO = 879.0 - 0.6278 * (40 - 15)  # kg/m³ at 40 °C, ASTM D1250
MU = 46e-6 * RHO  # Pa s, ISO VG 46 at 40 °C
MU_0, RHO_0 = 0.04, 860.0  # for which nominal values hold
PISTON = math.pi / 4 * 0.1**2  # 78.54 cm²
RING = math.pi / 4 * (0.1**2 - 0.07**2)  # 40.06 cm²
THEORETICAL = 40e-6 * 1500 / 60  # 60 l/min
SIZES = {"diameter_mm": 40, "length_m": 0.5}


def edge_bar(share: float) -> float:
    """Return the drop of an open edge at a share of its rated flow.

    Its square law turns linear below 0.2 bar, where flow through a metering edge is laminar (H. E.
    Merritt, "Hydraulic Control Systems", 1967, ch. 3).
    """
    turbulent = 10 * share**2 * RHO / RHO_0
    return turbulent + math.sqrt(0.2 * turbulent)


def held(opening: float, steps: int, pump: tuple[float, float] = (1.0, 1.0)) -> Reference:
    """Return commands that do not change: of the valve, and pressure and speed of the pump."""
    return Reference(
        np.full((1, steps, 1), opening),
        np.zeros((1, steps, 1)),
        np.ones(1, dtype=np.int64),
        np.broadcast_to(pump, (1, steps, 1, 2)).copy(),
    )


def run(
    opening: float,
    seconds: float,
    begin_m: float = 0.1,
    pump: tuple[float, float] = (1.0, 1.0),
    nominal: dict[str, dict[str, float]] = ALL,
) -> tuple[Circuit, State]:
    """Run at 40 °C with a valve that is opened at once; the meters are of the last second."""
    circuit = build_circuit(press(ALL | nominal, sizes=SIZES))
    plant = build_plant(circuit)
    plant.thermal[:, :2] = 1e12
    state = empty_state(plant, np.array([40.0]), np.array([40.0]))
    state.position[:] = begin_m
    for length_s in (seconds, 1.0):
        state.meter[:] = 0.0
        reference = held(opening, round(length_s / STEP_S), pump)
        advance(circuit.wiring, plant, state, reference, STEP_S, 1)
    return circuit, state


def pressure_bar(circuit: Circuit, state: State, component: str, port: str) -> float:
    return float(state.pressure[0, circuit.node[component, port]] / BAR)


def test_a_ram_that_presses_out_has_the_pressure_and_speed_of_the_hand_calculation() -> None:
    circuit, state = run(1.0, 8.0)
    # Forces: load 0.6, friction 0.04 + 0.04 v / 0.12 of 150 bar on the piston. The pump leaks a
    # little, so start from v = 0.122 m/s and correct it once.
    v = 0.122
    for _ in range(3):
        ring_flow = v * RING
        back = edge_bar(ring_flow / (60 * L_MIN))  # to the tank
        back += 0.5 * ring_flow / (60 * L_MIN) * MU / MU_0  # of the filter
        work = 150 * (0.6 + 0.04 + 0.04 * v / 0.12)
        chamber = work + back * RING / PISTON
        pump = chamber + edge_bar(v * PISTON / (60 * L_MIN))
        leakage = 0.05 * THEORETICAL * (pump / 200) * MU_0 / MU
        v = (THEORETICAL - leakage) / PISTON
    assert 0.11 < v < 0.13
    assert float(state.velocity[0, 0]) == pytest.approx(v, rel=0.02)
    assert pressure_bar(circuit, state, "ram", "a") == pytest.approx(chamber, rel=0.02)
    assert pressure_bar(circuit, state, "pump", "outlet") == pytest.approx(pump, rel=0.02)
    assert pump < 200  # the relief valve is shut


def test_a_load_pushes_the_ram_back_as_fast_as_the_valve_lets_its_oil_out() -> None:
    circuit, state = run(-1.0, 4.0, begin_m=3.5)

    # The load pushes it back, faster than the pump fills the ring: oil of the return line fills
    # the rest through a check valve. So the outlet edge alone sets the speed:
    #   0.6 × 150 − (0.04 + 0.04 v / 0.12) × 150 bar = drop of edge and filter at A v
    # (the ring adds half of the filter's bar at most).
    def excess(v: float) -> float:
        flow = v * PISTON / (60 * L_MIN)
        filter_bar = 0.5 * (v * (PISTON - RING) + THEORETICAL) / (60 * L_MIN) * MU / MU_0
        chamber = 150 * (0.6 - 0.04 - 0.04 * v / 0.12) + filter_bar * RING / PISTON
        return chamber - edge_bar(flow) - filter_bar

    low, high = 0.1, 1.0
    while high - low > 1e-6:
        low, high = (middle, high) if excess(middle := 0.5 * (low + high)) > 0 else (low, middle)
    assert float(state.velocity[0, 0]) == pytest.approx(-low, rel=0.02)
    chamber = 150 * (0.6 - 0.04 - 0.04 * low / 0.12)
    assert pressure_bar(circuit, state, "ram", "a") == pytest.approx(chamber, rel=0.02)
    assert pressure_bar(circuit, state, "pump", "outlet") < 20


def test_a_ram_at_its_end_sends_the_pumps_flow_over_the_relief_valve() -> None:
    circuit, state = run(1.0, 60.0)
    assert float(state.position[0, 0]) == pytest.approx(4.0, rel=1e-3)
    # p = 200 + 10 × flow / 60, flow = 60 − 3 × p / 200 × μ₀ / μ (l/min)
    leak = 3 / 200 * MU_0 / MU
    pressure = (200 + 10) / (1 + 10 / 60 * leak)
    assert pressure_bar(circuit, state, "pump", "outlet") == pytest.approx(pressure, rel=0.02)
    relieved = 60 - leak * pressure
    branch = circuit.branch_of("relief")
    assert circuit.branches[branch].component == "relief"
    assert meter(state, "to_tank_m3") / L_MIN == pytest.approx(60, rel=0.02)
    assert relieved * L_MIN * pressure * BAR == pytest.approx(
        meter(state, "heat_j") - _pump_losses(pressure, leak * pressure), rel=0.02
    )


def _pump_losses(pressure: float, leakage: float) -> float:
    """Watts: what leaks loses the pressure; friction is 5 bar (half of it by viscosity) and 4 %."""
    friction = 60 * L_MIN * (5 * BAR * (0.5 + 0.5 * MU / MU_0) + 0.04 * pressure * BAR)
    return leakage * L_MIN * pressure * BAR + friction


def test_all_power_of_a_ram_at_its_end_warms_the_oil_and_what_leaves_is_the_tanks() -> None:
    _, state = run(1.0, 60.0)
    assert meter(state, "heat_j") == pytest.approx(meter(state, "shaft_j"), rel=0.02)
    # 60 l/min against 209 bar take 20.9 kW, friction 1.3 kW.
    assert meter(state, "shaft_j") == pytest.approx(60 * L_MIN * 209 * BAR + 1_300, rel=0.02)
    assert meter(state, "ambient_j") == pytest.approx(30 * (40 - 20), rel=0.02)


def test_the_oil_settles_where_the_heat_of_the_pump_leaves_through_the_tank() -> None:
    circuit = build_circuit(press(ALL | {"tank": {"volume_l": 2, "w_per_k": 400}}, sizes=SIZES))
    plant = build_plant(circuit)
    state = empty_state(plant, np.array([40.0]), np.array([40.0]))
    state.position[:] = 4.0
    steps = round(3600 / STEP_S)
    advance(circuit.wiring, plant, state, held(1.0, steps), STEP_S, steps)
    warm, tank = float(state.temperature[0, 0]), float(state.temperature[0, 1])
    state.meter[:] = 0.0
    advance(circuit.wiring, plant, state, held(1.0, 20), STEP_S, 20)
    # All of the shaft's power leaves the tank: P = 400 W/K × (T − 20 °C).
    assert tank - 20 == pytest.approx(meter(state, "shaft_j") / 400, rel=0.02)
    # The oil that runs through carries it there: P = ρ c Q (T − T of the tank).
    density = 879 - 0.6278 * (warm - 15)
    carried = density * HEAT_CAPACITY_J_KG_K * 60 * L_MIN * (warm - tank)
    assert carried == pytest.approx(meter(state, "shaft_j"), rel=0.02)


def test_a_pump_at_half_its_speed_moves_the_ram_half_as_fast() -> None:
    _, whole = run(1.0, 8.0)
    _, half = run(1.0, 8.0, pump=(1.0, 0.5))
    # Both leak the same 3 l/min × p / 200 at nearly the same pressure: 57.9 and 27.9 l/min.
    share = float(half.velocity[0, 0] / whole.velocity[0, 0])
    assert share == pytest.approx((30 - 2.0) / (60 - 2.1), rel=0.02)


def test_a_pump_is_held_at_the_pressure_that_is_commanded() -> None:
    compensated = ALL["pump"] | {"cutoff_bar": 180}
    circuit, state = run(1.0, 60.0, pump=(0.8, 1.0), nominal={"pump": compensated})
    # It stands at its end, so the pump only leaks: 2.4 l/min of the 60 that it has at 144 bar
    # less its band of 6 % of 180 bar.
    stroke = 0.05 * 144 / 180 * MU_0 / MU
    pressure = pressure_bar(circuit, state, "pump", "outlet")
    assert pressure == pytest.approx(144 - 0.06 * 180 * stroke, rel=0.02)


def test_dirt_wears_the_pumps_of_oil_and_a_restriction_is_that_of_the_valves_own_pump() -> None:
    data = press_file(ALL, sizes=SIZES)
    topology = data["topology"]
    line = {"kind": "pressure_line", **SIZES}
    # A coolant pump comes first, and a small pump of oil before the press's own.
    topology["components"][:0] = [
        {"id": "water", "kind": "pump",
         "nominal": {"displacement_cm3": 10, "speed_rpm": 1500, "water": 1}},
        {"id": "nozzle", "kind": "flow_control_valve", "nominal": {"flow_l_min": 15}},
        {"id": "basin", "kind": "tank", "nominal": {"volume_l": 50, "w_per_k": 0}},
        {"id": "small", "kind": "pump",
         "nominal": {"displacement_cm3": 8, "speed_rpm": 1500, "cutoff_bar": 100}},
        {"id": "flush", "kind": "filter", "nominal": {"flow_l_min": 12}},
    ]  # fmt: skip
    topology["edges"] += [
        {"source": "motor", "target": "water", "kind": "mechanical"},
        {"source": "basin", "target": "water", "kind": "suction_line", **SIZES},
        {"source": "water", "target": "nozzle", **line},
        {"source": "nozzle", "target": "basin", "kind": "return_line", **SIZES},
        {"source": "motor", "target": "small", "kind": "mechanical"},
        {"source": "tank", "target": "small", "kind": "suction_line", **SIZES},
        {"source": "small", "target": "flush", **line},
        {"source": "flush", "target": "tank", "kind": "return_line", **SIZES},
    ]
    circuit = build_circuit(validate(Machine, data))
    assert circuit.pumps == ("water", "small", "pump")
    severity = np.ones(1)
    plant, dirty = build_plant(circuit), build_plant(circuit)
    apply_fault(circuit, dirty, Fault.CONTAMINATION, "filter", severity)
    np.testing.assert_allclose(dirty.pump_leakage / plant.pump_leakage, [[1, 2, 2]])
    squeezed = build_plant(circuit)
    apply_fault(circuit, squeezed, Fault.FLOW_RESTRICTION, "valve", severity)
    # At half of 60 l/min it drops 0.11 × 200 bar.
    added = (squeezed.branch_turbulent - plant.branch_turbulent).max()
    drop_bar = added * RHO_0 * (30 * L_MIN) ** 2 / BAR
    assert drop_bar == pytest.approx(22, rel=1e-6)
