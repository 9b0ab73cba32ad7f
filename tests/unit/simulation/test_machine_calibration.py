"""A calibration finds the values of a machine that telemetry tells, and leaves the others alone."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.unit.simulation.presses import ALL, press_file

from hydrascope.schemas import SpecError
from hydrascope.schemas.signal import Signal
from hydrascope.simulation.build import Build, read_build
from hydrascope.simulation.calibration.calibrate import Calibration, calibrate, layout_of
from hydrascope.simulation.calibration.errors import Errors, distance, left_out
from hydrascope.simulation.calibration.features import Layout, averaged, window_features
from hydrascope.simulation.calibration.parameters import moved_machine, parameters_of
from hydrascope.simulation.calibration.posterior import (
    calibrated_machine,
    residual,
    rests,
    told,
)
from hydrascope.simulation.calibration.unknowns import Unknowns
from hydrascope.simulation.circuit import build_circuit
from hydrascope.simulation.duty import Operator
from hydrascope.simulation.fleet import Member, usual_hysteresis
from hydrascope.simulation.plant import build_plant
from hydrascope.simulation.recording import Run

WINDOW_S = 20.0
DUTY: dict[str, Any] = {
    "initial": {"ram": 0.05},
    "phases": [
        {"name": "out", "duration_s": 6, "to": {"ram": 0.15}, "process": {"ram": 1.0}},
        {"name": "hold", "duration_s": 4},
        {"name": "back", "duration_s": 6, "to": {"ram": 0.05}},
        {"name": "wait", "duration_s": 4},
    ],
    "weather": {"mean_c": 23, "deviation_c": 0},
    "operator": {"pace": 0, "load": 0, "cycle": 0},
}
FIXED = {"valve.drop_bar": 0.0, "filter.bypass_bar": 0.0}
TRUE = {"relief.setting_bar": 190.0, "ram.gain": 8.0}
"""Values of the machine that differ from those in its file."""
EXACT = ("motor.efficiency", "pump.friction_bar", "pump.friction_share", "ram.mass_kg",
         "ram.bore_mm", "ram.rod_mm", "relief.override_bar", "tank.volume_l", "tank.w_per_k",
         "valve.response_s", "ram.friction_share", "ram.load_share")  # fmt: skip
LOOSE = {"relief.setting_bar": 0.1, "ram.gain": 0.4, **dict.fromkeys(EXACT, 0.0)}
"""How far its owner thinks that values may be off; fewer unknowns make the test fast."""


@cache
def own_press(folder: Path) -> Build:
    """Read a press whose machine file gives all values."""
    (folder / "machine.yaml").write_text(yaml.safe_dump(press_file(ALL, sizes={
        "diameter_mm": 20.0, "length_m": 1.0})))  # fmt: skip
    (folder / "duty.yaml").write_text(yaml.safe_dump(DUTY))
    return read_build(folder / "machine.yaml", folder / "duty.yaml")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return own_press(tmp_path_factory.mktemp("press"))


def windows_of(build: Build, true: dict[str, float], count: int = 1) -> list[dict[str, Signal]]:
    """Record windows of a press with other values than its file has."""
    parameters = [p for p in parameters_of(build, LOOSE) if p.key in true]
    by = [p.distance(true[p.key]) for p in parameters]
    machine = moved_machine(build.circuit.machine, parameters, by)
    circuit = build_circuit(machine)
    plant = build_plant(circuit)
    plant.valve_stiction[0] = usual_hysteresis(circuit)
    other = replace(build, circuit=circuit, nominal=plant)
    exact = Operator(1.0, 1.0, 0.0)
    member = Member("press_7", other, machine, exact, 0.0, plant, 0.0, (), (3,))
    rates = {each.sensor.id: each.sensor.rate_hz for each in build.channels}
    found = []
    for number in range(count):
        # The warm-up takes 45 s of a cycle of 20 s: after 15 s more a cycle begins.
        whole = list(Run(member, number, 0.0).pieces(15.0 + WINDOW_S))
        read = {name: np.concatenate([piece[name] for piece in whole]) for name in rates}
        found.append({name: Signal(read[name][round(15 * rate) :], rate)
                      for name, rate in rates.items()})  # fmt: skip
    return found


@pytest.fixture(scope="module")
def found(build: Build) -> Calibration:
    return calibrate(build, windows_of(build, TRUE), WINDOW_S, LOOSE)


def test_true_values_lie_in_the_intervals_of_what_the_data_determine(found: Calibration) -> None:
    by_key = {each.parameter.key: each for each in told(found)}
    for key, truth in TRUE.items():
        low, value, high = by_key[key].after
        assert by_key[key].determined
        assert low <= truth <= high
        assert value == pytest.approx(truth, rel=0.1)


def test_what_the_data_do_not_determine_stays_as_it_was_known(found: Calibration) -> None:
    bypass = next(each for each in told(found) if each.parameter.key == "filter.bypass_bar")
    assert not bypass.determined  # no window opens it
    assert bypass.share > 0.95
    np.testing.assert_allclose(bypass.after, bypass.before, rtol=0.05)


def test_a_calibration_halves_the_residual_of_a_wrong_file(found: Calibration) -> None:
    before, after = residual(found)
    assert after < 0.5 * before
    assert {each.sensor for each in rests(found)} == set(found.model.layout.sensors)


def test_the_calibrated_machine_can_be_simulated(found: Calibration, tmp_path: Path) -> None:
    machine = calibrated_machine(found)
    (tmp_path / "machine.yaml").write_text(yaml.safe_dump(machine.model_dump(mode="json")))
    (tmp_path / "duty.yaml").write_text(yaml.safe_dump(DUTY))
    again = read_build(tmp_path / "machine.yaml", tmp_path / "duty.yaml")
    assert again.estimates == ()
    assert again.circuit.values["relief"]["setting_bar"] == pytest.approx(190.0, rel=0.03)


def test_a_value_that_is_exact_is_no_parameter(build: Build) -> None:
    keys = [each.key for each in parameters_of(build, FIXED)]
    assert not FIXED.keys() & set(keys)
    with pytest.raises(SpecError, match=r"--spread pump\.cutof_bar.*relief\.setting_bar"):
        parameters_of(build, {"pump.cutof_bar": 0.1})


def test_a_moved_value_is_within_its_bounds_and_keeps_its_distance(build: Build) -> None:
    for parameter in parameters_of(build, {}):
        low, high = parameter.reach
        for by in (-1.0, 0.5):
            if low <= by <= high:
                assert parameter.distance(parameter.moved(by)) == pytest.approx(by)
        assert parameter.low <= parameter.moved(50.0) <= parameter.high


def test_windows_without_a_simulated_sensor_are_refused(build: Build) -> None:
    strange = {"x": Signal(np.zeros(80, dtype=np.float32), 2.0)}
    with pytest.raises(SpecError, match="none of the simulated sensors was recorded"):
        layout_of(build, [strange])


def test_unknowns_of_a_window_change_no_other(build: Build) -> None:
    setting = build.duty.setting.model_copy(update={"pressure": (0.8, 1.0)})
    duty = build.duty.model_copy(update={"setting": setting})
    unknowns = Unknowns(parameters_of(build, {}), duty, 3)
    assert unknowns.conditions == ("pressure",)
    moved = np.zeros(unknowns.size)
    own = unknowns.shared + 1
    moved[own] = 1.0
    assert unknowns.windows_of(own) == range(1, 2)
    pressures = [unknowns.in_window(moved, each).setting.pressure for each in range(3)]
    assert pressures == pytest.approx([0.9, 0.9 * np.exp(0.2 / np.sqrt(12) / 0.9), 0.9])


def layout(cycle_s: float | None, sensors: Sequence[str] = ("p",)) -> Layout:
    return Layout(tuple(sensors), (2.0,) * len(sensors), cycle_s)


def test_numbers_out_of_step_do_not_depend_on_when_a_cycle_began() -> None:
    values = np.sin(np.arange(240) * 2 * np.pi / 40).astype(np.float32)
    numbers = [window_features(layout(None), {"p": Signal(np.roll(values, by), 2.0)})
               for by in (0, 7)]  # fmt: skip
    np.testing.assert_allclose(*numbers, atol=1e-2)
    in_step = [window_features(layout(20.0), {"p": Signal(np.roll(values, by), 2.0)})
               for by in (0, 7)]  # fmt: skip
    assert np.abs(in_step[0] - in_step[1]).max() > 0.5


def test_levels_in_step_are_means_over_parts_of_all_cycles() -> None:
    values = np.tile(np.arange(40, dtype=np.float32), 3)
    numbers = window_features(layout(20.0), {"p": Signal(values, 2.0)})
    np.testing.assert_allclose(numbers[:-1], np.arange(40).reshape(10, 4).mean(axis=1))


def test_averages_leave_gaps_out() -> None:
    values = np.array([1, 3, np.nan, 5, np.nan, np.nan], dtype=np.float32)
    np.testing.assert_array_equal(averaged(Signal(values, 4.0), 2.0).values, [2, 5, np.nan])
    gone = window_features(layout(None), {"p": Signal(np.full(40, np.nan, np.float32), 2.0)})
    assert np.isnan(gone).all()


def test_one_number_that_the_model_cannot_have_does_not_hide_the_others(
    found: Calibration,
) -> None:
    model, size = found.model, found.model.layout.size
    nothing = Errors(np.zeros(size), np.zeros((size, size)), np.zeros((1, 2, size)),
                     np.zeros(size), np.zeros(size), np.zeros(size))  # fmt: skip
    off = np.full((2, size), 0.1)
    off[:, 3] = 50.0
    left = left_out(model, nothing, off).shared
    assert left[3] == pytest.approx(50.0)
    assert left[4] == pytest.approx(0.14826)
    assert distance(model.layout, off).shared[4] > 5.0  # of all levels of the sensor
