"""Steady states equal closed forms to 1 %, each from another textbook formula."""

import math

import pytest
from plants import meter, power_unit, run_steady

from hydrascope.simulation.fluid import ISO_GRADES
from hydrascope.simulation.plant import BAR, DENSITY_KG_M3, LITRE_MIN
from hydrascope.simulation.solver import REDUCING
from hydrascope.simulation.solver.laws import branch_flow, passive_flow

MU = 46e-6 * (879.0 - 0.6278 * 25.0)
"""Pa s, of ISO VG 46 at 40 °C: ν ρ."""
RHO = 879.0 - 0.6278 * 25.0


def test_a_relief_valve_holds_its_setting_and_its_override() -> None:
    circuit, _, state = run_steady(power_unit(efficiency=0.999))
    pressure = state.pressure[0, circuit.node["load", "outlet"]] / BAR
    assert pressure == pytest.approx(120 + 1.0, rel=0.01)


def test_an_orifice_drops_what_the_square_of_its_flow_says() -> None:
    nozzle = {"id": "load", "kind": "flow_control_valve",
              "nominal": {"flow_l_min": 20, "drop_bar": 50}}  # fmt: skip
    circuit, plant, state = run_steady(power_unit(efficiency=0.999, load=nozzle))
    pressure = state.pressure[0, circuit.node["pump", "outlet"]] / BAR
    flow = meter(state, "to_tank_m3") - plant.pump_leakage[0, 0] / MU * pressure * BAR
    expected = 50.0 * (flow / (20 * LITRE_MIN)) ** 2 * RHO / DENSITY_KG_M3
    assert pressure == pytest.approx(expected, rel=0.01)
    assert pressure > 150  # 40 l/min through it: four times the drop at 20


def test_a_pump_leaks_in_proportion_to_pressure_over_viscosity() -> None:
    circuit, _, state = run_steady(power_unit(efficiency=0.9))
    pressure = state.pressure[0, circuit.node["pump", "outlet"]]
    # 10 % of 40 l/min at the cut-off of 300 bar and 0.04 Pa s.
    leakage = 0.1 * 40 * LITRE_MIN * (pressure / (300 * BAR)) * 0.04 / MU
    relieved = meter(state, "to_tank_m3") - leakage
    setting = state.pressure[0, circuit.node["load", "outlet"]] - 120 * BAR
    assert relieved == pytest.approx(setting / BAR * 40 * LITRE_MIN, rel=0.01)


def test_a_compensated_pump_gives_no_more_than_its_leakage_at_cut_off() -> None:
    closed = {"id": "load", "kind": "relief_valve",
              "nominal": {"setting_bar": 400, "flow_l_min": 40}}  # fmt: skip
    circuit, _, state = run_steady(power_unit(load=closed))
    pressure = state.pressure[0, circuit.node["pump", "outlet"]] / BAR
    # Stroke (p_cut − p) / band times 40 l/min equals 5 % × 40 l/min × p / p_cut × μ₀/μ.
    leak = 0.05 * 0.04 / MU
    assert pressure == pytest.approx(300 / (1 + 0.06 * leak), rel=0.01)


def test_a_long_thin_line_drops_by_hagen_and_poiseuille() -> None:
    machine = power_unit(efficiency=0.999)
    data = machine.model_dump(mode="json")
    data["topology"]["edges"][2] |= {"diameter_mm": 10, "length_m": 20.0}
    circuit, _, state = run_steady(type(machine).model_validate(data))
    drop = (
        state.pressure[0, circuit.node["pump", "outlet"]]
        - state.pressure[0, circuit.node["load", "outlet"]]
    )
    flow = meter(state, "from_tank_m3")
    laminar = 128 * MU * 20.0 * flow / (math.pi * 0.01**4)
    speed = flow / (math.pi / 4 * 0.01**2)
    turbulent = (0.03 * 20.0 / 0.01 + 2.0) * RHO * speed**2 / 2
    assert drop == pytest.approx(laminar + turbulent, rel=0.01)


def test_a_reducing_valve_lets_oil_back_and_holds_its_setting_forwards() -> None:
    a, b, setting = 4e8, 2e12, 40e5  # laminar, turbulent, Pa
    # 66 bar behind it, 1 bar more than before it: its check valve is open.
    back, gain, behind = branch_flow(REDUCING, -1e5, 66e5, a, b, setting, 10.0 / setting)
    assert (back, gain) == pytest.approx(passive_flow(-1e5, a, b))
    assert a * back + b * back * abs(back) == pytest.approx(-1e5)
    assert behind == 0.0
    shut, *_ = branch_flow(REDUCING, 20e5, 41e5, a, b, setting, 10.0 / setting)
    wide, *_ = branch_flow(REDUCING, 20e5, 30e5, a, b, setting, 10.0 / setting)
    assert shut == pytest.approx(1e-4 * wide)


def test_viscosity_meets_the_data_sheets_at_both_temperatures() -> None:
    import numpy as np

    from hydrascope.simulation.fluid import Oils

    for at_40, at_100 in ISO_GRADES.values():
        oil = Oils(*(np.array([v]) for v in (at_40, at_100, 879.0, 0.01)))
        for temperature, nu in ((40.0, at_40), (100.0, at_100)):
            mu = oil.dynamic_viscosity_pa_s(np.array([temperature]))
            rho = oil.density_kg_m3(np.array([temperature]))
            assert (mu / rho * 1e6)[0] == pytest.approx(nu, rel=1e-9)
