"""A duty from recorded commands does what was recorded."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas import SpecError
from hydrascope.schemas.duty import DutyCycle
from hydrascope.simulation.duty import CycleKnots, Operator, ReferenceGenerator
from hydrascope.telemetry.recorded_duty import recorded_duty, simplified

PRESS = Path(__file__).parents[3] / "examples" / "press" / "press.yaml"
TIMES_S = np.arange(0.0, 40.0, 0.1)
CORNERS_S = [0, 5, 8, 10, 16, 20, 25, 28, 30, 36, 40]
SHARES = [0.05, 0.7, 0.8, 0.8, 0.05, 0.05, 0.6, 0.75, 0.75, 0.05, 0.05]
"""Two strokes, as shares of the stroke."""


def written(folder: Path, **columns: Any) -> Path:
    """Write telemetry of the press; return its folder."""
    folder.mkdir()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    frame = pd.DataFrame(columns)
    frame.insert(0, "equipment_id", "press_7")
    frame.insert(0, "timestamp", start + pd.to_timedelta(TIMES_S, unit="s"))
    frame.to_parquet(folder / "press.parquet")
    return folder


def positions_mm() -> np.ndarray:
    return 400 * np.interp(TIMES_S, CORNERS_S, SHARES)


def played(duty: DutyCycle, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    exact = Operator(1.0, 1.0, 0.0)
    generator = ReferenceGenerator(
        CycleKnots.of(duty, ("ram",), ()), exact, np.random.default_rng(0)
    )
    target, process, _ = generator.commands(times_s)
    return target[:, 0], process[:, 0]


def test_recorded_positions_are_played_again_with_few_phases(tmp_path: Path) -> None:
    folder = written(tmp_path / "telemetry", x_ram=positions_mm())
    duty = recorded_duty(PRESS, folder)
    assert duty.open_loop == ()
    assert len(duty.phases) <= len(CORNERS_S)
    target, _ = played(duty, TIMES_S[:-1])
    np.testing.assert_allclose(400 * target, positions_mm()[:-1], atol=0.006 * 400)


def test_the_load_follows_from_the_pressure_in_the_chamber(tmp_path: Path) -> None:
    pressing = (TIMES_S > 5) & (TIMES_S < 10)
    # 250 kN on 140 mm are 162.4 bar at full load, of which 4 % are friction.
    pressure = np.where(pressing, 162.4 * (0.04 + 0.96 * 0.5), 10.0)
    folder = written(tmp_path / "telemetry", x_ram=positions_mm(), p_ram=pressure)
    _, process = played(recorded_duty(PRESS, folder), TIMES_S[:-1])
    assert process[60:95].mean() == pytest.approx(0.5, abs=0.05)
    assert process[110:155].max() == 0.0  # it goes back


def test_without_a_pressure_a_ram_that_moves_out_has_its_full_load(tmp_path: Path) -> None:
    folder = written(tmp_path / "telemetry", x_ram=positions_mm())
    _, process = played(recorded_duty(PRESS, folder), TIMES_S[:-1])
    assert process[5:75].min() == 1.0
    assert process[105:155].max() == 0.0


def test_a_named_command_of_a_valve_is_played_as_its_opening(tmp_path: Path) -> None:
    opening = np.where(TIMES_S < 10, 60.0, -40.0)
    folder = written(tmp_path / "telemetry", u_ram=opening, x_ram=positions_mm())
    duty = recorded_duty(PRESS, folder, ["u_ram"])
    assert duty.open_loop == ("ram",)
    assert duty.initial == {"ram": 0.05}
    target, _ = played(duty, TIMES_S[:-1])
    off = np.abs(target - opening[:-1] / 100)
    assert np.mean(off > 0.006) < 0.01  # but for the switching


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=40), st.floats(0.01, 0.5))
@settings(max_examples=60, deadline=None)
def test_straight_lines_are_nowhere_further_than_the_tolerance(
    values: list[float], tolerance: float
) -> None:
    times = np.arange(float(len(values)))
    curve = np.array(values)
    kept = simplified(times, curve[:, None], tolerance)
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    assert np.abs(np.interp(times, times[kept], curve[kept]) - curve).max() <= tolerance + 1e-12


def test_what_commands_nothing_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "telemetry", p_pump=np.full(len(TIMES_S), 100.0))
    with pytest.raises(SpecError, match=r"x_ram has no value, but commands are wanted"):
        recorded_duty(PRESS, folder)
    message = r"--command p_pump: expected a position of an actuator or a command .*: u_ram, x_ram"
    with pytest.raises(SpecError, match=message):
        recorded_duty(PRESS, folder, ["p_pump"])
    content = yaml.safe_load(PRESS.read_text())
    for component in content["topology"]["components"]:
        if component["id"] in ("ram", "valve"):
            component["sensors"] = []
    other = tmp_path / "press.yaml"
    other.write_text(yaml.safe_dump(content))
    with pytest.raises(SpecError, match=r"ram: nothing commands it; expected a position sensor"):
        recorded_duty(other, folder)


def test_the_command_writes_the_duty_and_simulates_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "telemetry", x_ram=positions_mm())
    words = ["simulate", str(PRESS), "--duty", str(tmp_path / "own.yaml"),
             "--duty-from", str(folder), "--into", str(tmp_path / "out"), "--machines=1",
             "--hours=0.05", "--recording-min=1.5", "--fault-rate=0"]  # fmt: skip
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    read = pd.read_parquet(tmp_path / "out" / "press_000.parquet")
    simulated = read.loc[read["sensor_id"] == "x_ram", "value"]
    assert simulated.max() == pytest.approx(400 * 0.8, rel=0.1)  # operators differ by 2.4 %
