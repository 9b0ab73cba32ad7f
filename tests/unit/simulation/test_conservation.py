"""Volume and energy are conserved to 0.1 % over duty cycles; halving the step changes little."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.simulated_balance import balance, halving_change

from hydrascope.schemas.duty import PumpCommand
from hydrascope.simulation.build import Build, load_kind, read_build
from hydrascope.simulation.duty import CycleKnots
from hydrascope.simulation.fleet_settings import KINDS

PRESS = Path(__file__).parents[3] / "examples" / "press"
OWN = ("press", "press with commands of its pump")


def build_of(kind: str) -> Build:
    """Return one of `KINDS` or `OWN`."""
    if kind in KINDS:
        return load_kind(kind)
    press = read_build(PRESS / "press.yaml", PRESS / "duty.yaml")
    if kind == OWN[0]:
        return press
    slow, weak = PumpCommand(speed=0.5), PumpCommand(pressure=0.9)
    phases = [phase.model_copy(update={"pumps": {"pump": slow if number % 2 else weak}})
              for number, phase in enumerate(press.duty.phases)]  # fmt: skip
    duty = press.duty.model_copy(update={"phases": tuple(phases)})
    return replace(press, duty=duty, cycle=CycleKnots.of(duty, ("ram",), ("pump",)))


@pytest.mark.parametrize("kind", [*KINDS, *OWN])
def test_energy_and_volume_are_conserved_over_a_duty_cycle(kind: str) -> None:
    build = build_of(kind)
    closed = balance(build, 2 * build.duty.duration_s)
    assert closed.energy == pytest.approx(0.0, abs=1e-3)
    assert closed.volume == pytest.approx(0.0, abs=1e-3)
    assert closed.unsolved == 0


@pytest.mark.parametrize("kind", [*KINDS, OWN[0]])
def test_halving_the_step_changes_the_signals_by_less_than_a_percent(kind: str) -> None:
    assert halving_change(build_of(kind)) < 0.01
