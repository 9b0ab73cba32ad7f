"""A duty says what a machine does; one that it cannot do is refused."""

from typing import Any

import numpy as np
import pytest
from presses import ALL, GIVEN, press

from hydrascope.schemas import SpecError, validate
from hydrascope.schemas.duty import DutyCycle
from hydrascope.simulation.circuit import Circuit, build_circuit
from hydrascope.simulation.duty import CycleKnots, Operator, ReferenceGenerator
from hydrascope.simulation.duty_check import check_duty
from hydrascope.simulation.estimation.complete import complete

SIZES = {"diameter_mm": 20, "length_m": 1}


def circuit(**changes: Any) -> Circuit:
    return build_circuit(complete(press(ALL | changes, sizes=SIZES)).machine)


def duty(**keys: Any) -> DutyCycle:
    content = {"initial": {"ram": 0.2}, "phases": [{"name": "go", "duration_s": 2, **keys}]}
    content |= {"open_loop": keys.pop("open_loop", [])}
    content["phases"] = [{"name": "go", "duration_s": 2, **keys}]
    return validate(DutyCycle, content)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"to": {"rem": 0.5}}, r"phases\[0\]\.to\.rem: expected actuators of press: ram.*'ram'"),
        ({"to": {"ram": 250}}, r"to\.ram: 250 is not accepted; expected a share of the stroke"),
        ({"hold": {"ram": 0.5}}, r"phases\[0\]\.hold\.ram: expected one of open_loop"),
        (
            {"hold": {"ram": 50}, "open_loop": ["ram"]},
            r"hold\.ram: 50 is not accepted; expected an opening of the valve, -1 to 1",
        ),
    ],
)
def test_a_command_that_means_nothing_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=rf"^cycle\.yaml: .*{message}"):
        check_duty(duty(**keys), circuit(), "cycle.yaml")


def test_a_load_above_the_relief_valve_is_refused_with_the_valve() -> None:
    heavy = circuit(ram=ALL["ram"] | {"load_share": 0.6, "process_share": 1.0})
    check_duty(duty(process={"ram": 0.5}), heavy, "cycle.yaml")
    # 150 bar × (0.6 + 0.04 + 1.0) = 246 bar
    message = r"process\.ram: ram needs 246 bar for its load, but relief lets .* to 200 bar"
    with pytest.raises(SpecError, match=message):
        check_duty(duty(process={"ram": 1.0}), heavy, "cycle.yaml")


def test_a_load_that_hangs_on_the_ram_counts_without_any_process() -> None:
    hanging = circuit(ram=ALL["ram"] | {"load_share": 1.5})
    with pytest.raises(SpecError, match=r"initial: ram needs 231 bar for its load, but relief"):
        check_duty(duty(to={"ram": 0.5}), hanging, "cycle.yaml")


def test_a_compensated_pump_limits_the_load_too() -> None:
    weak = circuit(pump=ALL["pump"] | {"cutoff_bar": 120})
    with pytest.raises(SpecError, match=r"ram needs 150 bar .*, but pump lets .* to 120 bar"):
        check_duty(duty(process={"ram": 1.0}), weak, "cycle.yaml")


def test_an_opening_is_played_as_it_stands_and_its_valve_begins_shut() -> None:
    wanted = duty(to={"ram": 0.8}, open_loop=["ram"])
    generator = ReferenceGenerator(
        CycleKnots.of(wanted, ("ram",), ()), Operator(1.0, 1.0, 0.0, reach=0.5),
        np.random.default_rng(0),
    )  # fmt: skip
    target, *_ = generator.commands(np.array([0.0, 1.0, 1.999]))
    np.testing.assert_allclose(target[:, 0], [0.0, 0.4, 0.8], atol=1e-3)


def test_a_position_is_reached_by_a_share_of_its_travel() -> None:
    generator = ReferenceGenerator(
        CycleKnots.of(duty(to={"ram": 0.8}), ("ram",), ()), Operator(1.0, 1.0, 0.0, reach=0.5),
        np.random.default_rng(0),
    )  # fmt: skip
    target, *_ = generator.commands(np.array([0.0, 1.0, 1.999]))
    np.testing.assert_allclose(target[:, 0], [0.2, 0.35, 0.5], atol=1e-3)


def test_a_pumps_command_holds_until_the_next_one_also_over_the_end_of_a_cycle() -> None:
    phases = [
        {"name": "a", "duration_s": 1},
        {"name": "b", "duration_s": 1, "pumps": {"pump": {"pressure": 0.5}}},
        {"name": "c", "duration_s": 1},
        {"name": "d", "duration_s": 1, "pumps": {"pump": {"pressure": 0.8, "speed": 0.6}}},
    ]
    wanted = validate(DutyCycle, {"initial": {"ram": 0.2}, "phases": phases})
    cycle = CycleKnots.of(wanted, ("ram",), ("other", "pump"))
    exact = Operator(1.0, 1.0, 0.0)
    generator = ReferenceGenerator(cycle, exact, np.random.default_rng(0))
    pumps = generator.commands(np.arange(0.5, 5.0)).pumps
    assert pumps[:, 0].tolist() == [[1.0, 1.0]] * 5
    assert pumps[:, 1].tolist() == [[0.8, 0.6], [0.5, 1.0], [0.5, 1.0], [0.8, 0.6], [0.8, 0.6]]


def test_a_command_of_no_pump_or_of_what_it_does_not_have_is_refused() -> None:
    with pytest.raises(SpecError, match=r"phases\[0\]\.pumps\.pomp: expected pumps: pump.*'pump'"):
        check_duty(duty(pumps={"pomp": {"speed": 0.5}}), circuit(), "cycle.yaml")
    check_duty(duty(pumps={"pump": {"speed": 0.5}}), circuit(), "cycle.yaml")
    with pytest.raises(SpecError, match=r"pumps\.pump\.pressure: pump has no cutoff_bar"):
        check_duty(duty(pumps={"pump": {"pressure": 0.5}}), circuit(), "cycle.yaml")
    with pytest.raises(SpecError, match=r"speed: 1\.5 is not accepted; expected less"):
        duty(pumps={"pump": {"speed": 1.5}})


def test_the_given_list_of_a_press_can_do_its_work() -> None:
    given = build_circuit(complete(press(GIVEN)).machine)
    check_duty(duty(to={"ram": 0.9}, process={"ram": 1.0}), given, "cycle.yaml")
