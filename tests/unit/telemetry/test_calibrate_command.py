"""`hydrascope calibrate` reads sound telemetry only, and writes a machine that can be simulated."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.evaluation.machine_calibration.command import refuse_worse
from hydrascope.schemas import Machine, SpecError, TimeWindow
from hydrascope.schemas.duty import DutyCycle
from hydrascope.simulation.build import read_build
from hydrascope.telemetry.calibration.sound import sound_stretches, sound_values
from hydrascope.telemetry.calibration.windows import sound_windows
from hydrascope.telemetry.source import Signal
from hydrascope.telemetry.zema import ZemaSource

ROOT = Path(__file__).parents[3]
RIG, PRESS = ROOT / "examples" / "rig", ROOT / "examples" / "press"
START = datetime(2026, 1, 1, tzinfo=UTC)
RIG_SOUND = ["cooler=100", "valve=100", "pump=0", "accumulator=130"]


def span(begin_min: float, end_min: float) -> TimeWindow:
    return TimeWindow(
        start=START + timedelta(minutes=begin_min), end=START + timedelta(minutes=end_min)
    )


def labels(**columns: list[Any]) -> pd.DataFrame:
    """Return labels of ten minutes each."""
    count = len(next(iter(columns.values())))
    starts = pd.date_range(START, periods=count, freq="10min")
    return pd.DataFrame({"start": starts, "end": starts + pd.Timedelta(minutes=10), **columns})


def test_only_times_that_are_known_to_be_sound_count() -> None:
    table = labels(health=[1.0, 1.0, 0.7, np.nan, 1.0])
    found = sound_stretches(table, [span(0, 60)], {})
    assert found == [span(0, 20), span(40, 50)]  # nothing says what came after


def test_a_stretch_ends_where_the_recording_does() -> None:
    table = labels(valve=[100, 100, 73])
    found = sound_stretches(table, [span(2, 5), span(8, 30)], sound_values(["valve=100"]))
    assert found == [span(2, 5), span(8, 20)]


def test_telemetry_without_labels_is_sound() -> None:
    extents = [span(0, 5)]
    assert sound_stretches(pd.DataFrame(columns=["start", "end"]), extents, {}) == extents


@pytest.mark.parametrize(
    ("columns", "sound", "said"),
    [
        ({"valve": [100, 73]}, [], "--sound: missing; expected LABEL=VALUE"),
        ({"valve": [100, 73]}, ["valv=100"], "--sound valv: expected one of valve"),
        ({"valve": [100, 73]}, ["valve=90"], "no label has it; there are: 100, 73"),
        ({"health": [0.5, 0.2]}, [], "no label says that the machine was sound"),
    ],
)
def test_what_does_not_say_what_is_sound_is_refused(
    columns: dict[str, list[Any]], sound: list[str], said: str
) -> None:
    with pytest.raises(SpecError, match=said):
        sound_stretches(labels(**columns), [span(0, 20)], sound_values(sound))


class Watched:
    """The test rig's telemetry, with a note of what was read."""

    def __init__(self) -> None:
        self.source, self.read_windows = ZemaSource(), list[TimeWindow]()
        self.fingerprint = self.source.fingerprint
        self.machines, self.extents = self.source.machines, self.source.extents
        self.labels = self.source.labels

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        self.read_windows.append(window)
        return self.source.read(equipment_id, window)


def test_no_sample_of_a_faulty_cycle_is_read() -> None:
    source = Watched()
    machine = Machine.from_yaml(RIG / "rig.yaml")
    duty = DutyCycle(initial={}, phases=read_build(RIG / "rig.yaml", RIG / "duty.yaml").duty.phases,
                     operator={"pace": 0, "load": 0, "cycle": 0})  # fmt: skip
    found = sound_windows(source, "zema", machine, duty, sound_values(RIG_SOUND), most=50)
    table = source.labels("zema")
    faulty = table[
        (table[["cooler", "valve", "pump", "accumulator"]] != [100, 100, 0, 130]).any(axis=1)
    ]
    assert len(source.read_windows) == len(found.times) == 10  # of 21 cycles, by two
    for window in source.read_windows:
        assert not ((faulty["start"] < window.end) & (faulty["end"] > window.start)).any()


def test_the_simulated_rig_is_near_the_recorded_one() -> None:
    """Checked without a calibration: what its file says follows from the sound cycles by hand."""
    build = read_build(RIG / "rig.yaml", RIG / "duty.yaml")
    assert build.left_out == {}
    assert build.duty.in_step
    assert build.duty.duration_s == pytest.approx(60.0)
    recorded = {sensor.id for _, sensor in ZemaSource().machines()["zema"].topology.sensors}
    assert {each.sensor.id for each in build.channels} <= recorded


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["calibrate", *arguments])
    assert isinstance(result.exception, SpecError)
    return str(result.exception)


def test_wrong_options_get_one_clear_error(tmp_path: Path) -> None:
    rig = (str(RIG / "rig.yaml"), "zema", "--into", str(tmp_path / "new"))
    assert "expected LABEL=VALUE, as in valve=100" in refused(*rig, "--sound", "valve")
    assert "expected PART.NAME=SPREAD with 0 to 2" in refused(*rig, "--spread", "main_pump=x")
    assert "expected with --duty-from-telemetry" in refused(*rig, "--command", "x")
    assert "expected one of zema" in refused(*rig, "--machine", "zena")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    assert "holds files" in refused(*rig[:3], str(tmp_path / "full"))
    assert not (tmp_path / "new").exists()


def test_a_press_is_calibrated_from_its_recorded_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    press = str(PRESS / "press.yaml")
    made = runner.invoke(app, ["simulate", press, "--into", str(tmp_path / "telemetry"),
                               "--machines", "1", "--hours", "0.01", "--recording-min", "0.6",
                               "--fault-rate", "0"], catch_exceptions=False)  # fmt: skip
    assert made.exit_code == 0
    loose = {"pump.cutoff_bar", "motor.efficiency"}
    every = [each for each in _keys() if each not in loose]
    fixed = [part for key in every for part in ("--spread", f"{key}=0")]
    done = runner.invoke(app, ["calibrate", press, str(tmp_path / "telemetry"), "--into",
                               str(tmp_path / "out"), "--duty", str(tmp_path / "recorded.yaml"),
                               "--duty-from-telemetry", *fixed],
                         catch_exceptions=False)  # fmt: skip
    assert done.exit_code == 0
    build = read_build(tmp_path / "out" / "machine.yaml", tmp_path / "out" / "duty.yaml")
    content = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert content["values"].keys() == loose
    low, value, high = content["values"]["pump.cutoff_bar"]["after"]
    assert low < value < high
    assert build.circuit.values["pump"]["cutoff_bar"] == pytest.approx(value, rel=1e-3)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg") == len(content["sensors"])


def _keys() -> list[str]:
    from hydrascope.simulation.calibration.parameters import parameters_of

    build = read_build(PRESS / "press.yaml", PRESS / "duty.yaml")
    return [each.key for each in parameters_of(build, {})]


def test_a_fit_that_is_no_better_than_the_file_is_not_written() -> None:
    refuse_worse(Path("press.yaml"), 2.0, 1.9)
    with pytest.raises(SpecError, match=r"press\.yaml: no calibrated file .* 4\.50 %.*2\.80 %"):
        refuse_worse(Path("press.yaml"), 2.8, 4.5)
