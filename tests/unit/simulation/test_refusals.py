"""Impossible machines are refused, every fault with its path."""

import pytest
from plants import power_unit

from hydrascope.schemas import SpecError
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
