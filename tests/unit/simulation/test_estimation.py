"""What a machine file leaves out is estimated, each value as worked by hand from its rule."""

import math

import numpy as np
import pytest
from plants import STEP_S, meter
from presses import ALL, GIVEN, press

from hydrascope.schemas import Machine, SpecError, validate
from hydrascope.simulation.build import load_kind
from hydrascope.simulation.circuit import build_circuit
from hydrascope.simulation.duty import Operator, ReferenceGenerator
from hydrascope.simulation.estimation.complete import Completed, complete
from hydrascope.simulation.estimation.parts import RULES
from hydrascope.simulation.estimation.usual import USUAL
from hydrascope.simulation.fleet_settings import KINDS
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.solver import MAX_STROKE, Reference, advance, empty_state


def value(completed: Completed, component: str, name: str) -> float:
    specs = {each.id: each for each in completed.machine.topology.components}
    return specs[component].nominal[name]


def changed(component: str, *without: str, **values: float) -> dict[str, dict[str, float]]:
    kept = {name: each for name, each in GIVEN[component].items() if name not in without}
    return GIVEN | {component: kept | values}


def test_the_press_of_a_builders_list_is_completed_as_by_hand() -> None:
    # 40 cm³ × 1500 rpm = 60 l/min at 200 bar; 85 % of that, 170 bar, for 100 kN.
    completed = complete(press())
    area_cm2 = 100e3 / 170e5 * 1e4  # 58.8 cm²: 86.5 mm, next of ISO 3320 is 100
    bore = 100.0
    assert math.sqrt(area_cm2 / (math.pi / 4)) * 10 == pytest.approx(86.5, abs=0.1)
    ring = math.pi / 4 * 0.1**2
    expected = {
        ("ram", "work_bar"): 170.0,
        ("ram", "bore_mm"): bore,
        ("ram", "rod_mm"): 63.0,  # 61.2 mm for an area ratio of 1.6; ISO 3320 has 56, 63
        ("ram", "speed"): 1e-3 / ring,  # 60 l/min are 1 l/s
        ("ram", "process_share"): 0.96,
        ("ram", "mass_kg"): 3 * math.pi / 4 * 0.063**2 * 0.5 * 7850,
        ("valve", "flow_l_min"): 60.0,
        ("filter", "flow_l_min"): 60.0,
        ("relief", "flow_l_min"): 60.0,
        ("pump", "rated_bar"): 200.0,
        ("motor", "power_kw"): 30.0,  # 200 bar × 60 l/min / 600 / 0.85 = 23.5 kW
        ("tank", "volume_l"): 240.0,
        ("tank", "w_per_k"): 6 * 0.24 ** (2 / 3) * 12,
    }
    for (component, name), by_hand in expected.items():
        assert value(completed, component, name) == pytest.approx(by_hand, rel=1e-3), name
    assert build_plant(build_circuit(completed.machine)).pump_flow[0, 0] == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("source", "target", "velocity_m_s", "size_mm"),
    [
        ("tank", "pump", 1.0, 38),  # 60 l/min through 35.7 mm
        ("filter", "tank", 2.0, 31.5),  # 25.2 mm
        ("pump", "valve", 5.0, 16),  # 15.96 mm
    ],
)
def test_a_line_is_as_wide_as_usual_velocities_ask(
    source: str, target: str, velocity_m_s: float, size_mm: float
) -> None:
    lines = complete(press()).machine.topology.edges
    line = next(each for each in lines if (each.source, each.target) == (source, target))
    assert line.diameter_mm == size_mm
    assert 1e-3 / (math.pi / 4 * (1e-3 * size_mm) ** 2) < velocity_m_s
    assert line.length_m == 1.0


@pytest.mark.parametrize(
    ("nominal", "component", "name", "by_hand"),
    [
        # The flow says the displacement; the drive the speed; the usual motor has four poles.
        (changed("pump", "displacement_cm3", flow_l_min=45), "pump", "displacement_cm3", 30.0),
        (changed("pump", "speed_rpm") | {"motor": {"speed_rpm": 980}}, "pump", "speed_rpm", 980.0),
        (changed("pump", "speed_rpm"), "pump", "speed_rpm", 1460.0),
        # 0.1 m/s of a bore of 100 mm take 47.1 l/min.
        (
            GIVEN
            | {"pump": {"speed_rpm": 1500}, "ram": GIVEN["ram"] | {"bore_mm": 100, "speed": 0.1}},
            "pump", "displacement_cm3", 31.416,
        ),
        # 15 kW × 0.85 × 600 / 200 bar = 38.25 l/min.
        (
            GIVEN | {"pump": {"speed_rpm": 1500}, "motor": {"power_kw": 15}},
            "pump", "displacement_cm3", 25.5,
        ),
        # 100 kN on 100 mm are 127.3 bar.
        (changed("ram", bore_mm=100), "ram", "work_bar", 127.32),
        (changed("pump", cutoff_bar=180) | {"relief": {}}, "relief", "setting_bar", 198.0),
    ],
)  # fmt: skip
def test_other_data_tell_the_same_values(
    nominal: dict[str, dict[str, float]], component: str, name: str, by_hand: float
) -> None:
    assert value(complete(press(nominal)), component, name) == pytest.approx(by_hand, rel=1e-3)


def test_the_pressure_of_the_machine_sets_what_limits_it() -> None:
    equipment = {"equipment_id": "p", "name": "P", "nominal": {"pressure_bar": 160}}
    with_valve = complete(press(GIVEN | {"relief": {}}, equipment=equipment))
    assert value(with_valve, "relief", "setting_bar") == 160
    others = {name: values for name, values in GIVEN.items() if name != "relief"}
    without = complete(press(others, equipment=equipment))
    assert value(without, "pump", "cutoff_bar") == 160  # no relief valve: it must have one


def test_what_is_given_never_changes_and_all_else_is_named_with_source_and_spread() -> None:
    machine = press(ALL, sizes={"diameter_mm": 21, "length_m": 2})
    completed = complete(machine)
    for before, after in zip(
        machine.topology.components, completed.machine.topology.components, strict=True
    ):
        assert before.nominal.items() <= after.nominal.items()
        named = {each.name for each in completed.estimates if each.part == before.id}
        assert after.nominal.keys() - before.nominal.keys() == named
    assert completed.machine.topology.edges == machine.topology.edges
    for each in complete(press()).estimates:
        assert each.rule
        assert each.source
        assert each.spread > 0 or each.name == "range"


def test_a_sensor_without_a_range_gets_a_usual_one_in_its_own_unit() -> None:
    machine = press(
        sensors={"pump": [{"id": "p", "kind": "pressure", "unit": "psi", "rate_hz": 1}]}
    )
    (_, sensor), *_ = complete(machine).machine.topology.sensors
    assert sensor.range is not None
    assert sensor.range == pytest.approx((-14.5038, 400 * 14.5038), rel=1e-4)


def test_what_nothing_tells_stays_missing() -> None:
    with pytest.raises(SpecError, match=r"nominal\.stroke_mm: missing; expected 1 to 20000"):
        build_circuit(complete(press(changed("ram", "stroke_mm"))).machine)
    with pytest.raises(SpecError, match=r"nominal\.displacement_cm3: missing"):
        build_circuit(complete(press(GIVEN | {"pump": {}})).machine)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kinds_in_the_package_leave_only_usual_values_out(kind: str) -> None:
    assert {each.rule for each in load_kind(kind).estimates} == {"usual value"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_machine_that_leaves_out_all_that_can_be_told_still_works(kind: str) -> None:
    build = load_kind(kind)
    data = build.machine.model_dump(mode="json")
    for component in data["topology"]["components"]:
        rules = {rule.name for rule in RULES.get(component["kind"], ())}
        needed = {"displacement_cm3", "cutoff_bar", "stroke_mm", "bore_mm", "volume_l"}
        if component["id"].startswith("coolant"):
            continue
        component["nominal"] = {
            name: each
            for name, each in component["nominal"].items()
            if name in needed or name not in rules | USUAL.keys()
        }
    for edge in data["topology"]["edges"]:
        edge |= {"diameter_mm": None, "length_m": None}
    circuit = build_circuit(complete(validate(Machine, data)).machine)
    plant, cycle, steps = build_plant(circuit), build.cycle, 1_200
    generator = ReferenceGenerator(cycle, Operator(1.0, 1.0, 0.0), np.random.default_rng(0))
    target, process, pumps = generator.commands(STEP_S * (np.arange(steps) + 0.5))
    state = empty_state(plant, np.array([45.0]), np.array([40.0]))
    stroke = plant.actuator_stroke
    state.position[:] = cycle.initial * np.where(stroke < MAX_STROKE, stroke, 1.0)
    reference = Reference(target[None], process[None], cycle.open_loop, pumps[None])
    record = advance(circuit.wiring, plant, state, reference, STEP_S, 2)[0]
    assert np.isfinite(record).all()
    assert meter(state, "unsolved") == 0
    pump = build.circuit.pumps[0]
    pressure = record[:, circuit.node[pump, "outlet"]] / 1e5
    assert pressure.max() < 1.3 * circuit.values[pump]["cutoff_bar"]
    assert np.ptp(pressure) > 5  # it works: the pump feels the duty
