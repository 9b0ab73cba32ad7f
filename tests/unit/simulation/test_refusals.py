"""Impossible machines are refused, every fault with its path."""

import pytest
from plants import power_unit
from presses import ALL, press, press_file

from hydrascope.schemas import Machine, SpecError, validate
from hydrascope.simulation.circuit import build_circuit
from hydrascope.telemetry.fleet import FleetSource


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"pump": {"displacement_cm3": -40}},
            r"topology\.components\[1\]\.nominal\.displacement_cm3: -40 .* expected 0\.1 to 5000",
        ),
        (
            {"pump": {"displacement_cc": 40}},
            r"components\[1\]\.nominal\.displacement_cc: unknown .*did you mean 'displacement_cm3'",
        ),
        (
            {"without": ["suction_line"]},
            r"components\[1\]: pump has no inlet; expected a suction_line",
        ),
        ({"without": ["mechanical"]}, r"components\[0\]\.id: .* expected a line that joins it"),
        ({"without": ["return_line"]}, r"components\[2\]: load has no outlet; expected a line"),
        (
            {"load": {"id": "load", "kind": "heater"}},
            r"components\[2\]\.kind: 'heater' cannot be simulated; accepted: pump, ",
        ),
    ],
)
def test_a_machine_that_cannot_work_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        build_circuit(power_unit(**changes), "unit.yaml")


SIZES = {"diameter_mm": 20, "length_m": 1}


def without(*names: str) -> dict[str, dict[str, float]]:
    return {name: values for name, values in ALL.items() if name not in names}


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (press(ALL), r"topology\.edges\[1\]\.diameter_mm: missing; expected greater than 0"),
        (
            press(without("relief"), sizes=SIZES),
            r"components\[1\]: nothing limits the pressure of pump; expected its cutoff_bar, or a",
        ),
        (
            press(ALL, sizes=SIZES, without=(("pump", "valve"),)),
            r"components\[3\]: valve has no supply; expected a pressure_line that ends there",
        ),
        (
            press(ALL, sizes=SIZES, without=(("filter", "tank"),)),
            r"components\[5\]: filter has no outlet; expected a line that starts there",
        ),
        (
            press(ALL, sizes=SIZES, without=(("filter", "tank"),)),
            r"components\[3\]: the oil of valve reaches no tank; expected lines that lead to one",
        ),
        (
            press(ALL | {"pump": ALL["pump"] | {"displacement_cm3": 0}}, sizes=SIZES),
            r"nominal\.displacement_cm3: 0 is not accepted; expected 0\.1 to 5000",
        ),
        (
            press(ALL | {"pump": ALL["pump"] | {"flow_l_min": 80}}, sizes=SIZES),
            r"nominal\.flow_l_min: 80 is not accepted; expected 60, which is displacement_cm3 × ",
        ),
    ],
)
def test_a_press_that_cannot_work_is_refused_with_the_part_and_why(
    machine: Machine, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        build_circuit(machine)


def with_strainer(*, tank: bool) -> Machine:
    data = press_file(ALL, sizes=SIZES, without=(("tank", "pump"),))
    topology = data["topology"]
    strainer = {"id": "strainer", "kind": "filter", "nominal": {"flow_l_min": 100}}
    topology["components"].append(strainer)
    before = "tank" if tank else "relief"
    topology["edges"] += [
        {"source": before, "target": "strainer", "kind": "return_line", **SIZES},
        {"source": "strainer", "target": "pump", "kind": "suction_line", **SIZES},
    ]
    if tank:
        topology["edges"][-2]["kind"] = "suction_line"
    return validate(Machine, data)


def test_a_pump_draws_through_a_strainer_but_not_from_one_that_no_tank_feeds() -> None:
    build_circuit(with_strainer(tank=True))
    with pytest.raises(SpecError, match=r"components\[1\]: pump draws from no tank; expected"):
        build_circuit(with_strainer(tank=False))


def test_a_cylinder_without_a_valve_is_refused() -> None:
    data = press_file(ALL, sizes=SIZES)
    data["topology"]["edges"][4]["source"] = "pump"
    with pytest.raises(SpecError, match=r"components\[4\]: ram is not fed; expected one pressure_"):
        build_circuit(validate(Machine, data))


def test_a_link_in_place_of_a_line_is_named() -> None:
    data = press_file(ALL, sizes=SIZES)
    data["topology"]["edges"][3]["kind"] = "link"
    message = r"valve has no supply; .*; a link does not say what flows in it"
    with pytest.raises(SpecError, match=message):
        build_circuit(validate(Machine, data))


def test_the_file_leads_the_message() -> None:
    with pytest.raises(SpecError, match=r"^unit\.yaml: topology\.components\[1\]"):
        build_circuit(power_unit(pump={"displacement_cm3": -1}), "unit.yaml")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"machines_per_kind": 0}, r"fleet\.machines_per_kind: 0 .*expected 1 or more"),
        ({"kinds": ["crane"]}, r"fleet\.kinds: 'crane' .*there are: excavator"),
        ({"hours": 0.0}, r"fleet\.hours: 0\.0 .*expected a recording's length"),
        ({"commissioning": -1}, r"fleet\.commissioning: -1 .*expected 0 to 750"),
        ({"commissioning": 751}, r"fleet\.commissioning: 751 .*recordings of 4 min in 50 h"),
        ({"fault_rate": -1.0}, r"fleet\.fault_rate: -1\.0 .*expected 0 to 20"),
    ],
)
def test_a_fleet_of_nothing_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        FleetSource(**{"machines_per_kind": 1, **settings})  # type: ignore[arg-type]
