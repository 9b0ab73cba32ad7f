"""A user's machine is simulated from its files, by the command and as a source of a training."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas import Machine, SpecError
from hydrascope.simulation.faults import Fault
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.simulated import SimulatedSource

PRESS = Path(__file__).parents[3] / "examples" / "press"
SMALL = {"machines_per_kind": 2, "hours": 0.1, "recording_min": 2.0}


def source(machine: Path = PRESS / "press.yaml", **settings: Any) -> SimulatedSource:
    return SimulatedSource(str(machine), **(SMALL | settings))


def edited(folder: Path, **keys: Any) -> Path:
    """Write the press and its duty into a folder, with other keys of the machine file."""
    folder.mkdir(exist_ok=True)
    (folder / "duty.yaml").write_text((PRESS / "duty.yaml").read_text())
    content = yaml.safe_load((PRESS / "press.yaml").read_text()) | keys
    (folder / "machine.yaml").write_text(yaml.safe_dump(content))
    return folder / "machine.yaml"


def test_machines_of_a_users_press_answer_as_the_file_describes_them() -> None:
    press = source()
    assert list(press.machines()) == ["press_000", "press_001"]
    theirs = Machine.from_yaml(PRESS / "press.yaml")
    machine = press.machines()["press_001"]
    assert machine.topology == theirs.topology  # nothing of what is estimated
    first = press.extents("press_001")[0]
    signals = press.read("press_001", first)
    assert set(signals) == {sensor.id for _, sensor in theirs.topology.sensors}
    position = signals["x_ram"].values[np.isfinite(signals["x_ram"].values)]
    assert position.min() < 40  # mm: the duty goes from 0.05 to 0.6 … 0.8 of 400
    assert position.max() > 200
    assert 100 < np.nanmax(signals["p_ram"].values) < 210
    assert len(signals["t_oil"].values) == 120  # 1 Hz
    labels = press.labels("press_001")
    assert set(labels["kind"]) == {"press"}
    assert "ram.seal_degradation" in labels


def test_faults_follow_from_the_kinds_of_components() -> None:
    faults = source().builds["press"].faults
    assert faults[Fault.SEAL_DEGRADATION] == ("ram",)
    assert faults[Fault.CAVITATION] == ("pump",)
    assert faults[Fault.OVERHEATING] == ("cooler",)


def test_a_machine_file_may_exclude_faults(tmp_path: Path) -> None:
    excluded = {"exclude_faults": ["overheating", "pump.cavitation"]}
    machine = edited(tmp_path, simulation=excluded)
    press = source(machine, machines_per_kind=40, fault_rate=8.0)
    drawn = {course.fault for name in press.machines() for course in press.member(name).courses}
    assert drawn == set(Fault) - {Fault.OVERHEATING, Fault.CAVITATION}
    everything = {"exclude_faults": [fault.value for fault in Fault]}
    sound = source(edited(tmp_path / "sound", simulation=everything), fault_rate=8.0)
    assert all(not sound.member(name).courses for name in sound.machines())
    wrong = edited(tmp_path / "wrong", simulation={"exclude_faults": ["tank.leakage"]})
    with pytest.raises(SpecError, match=r"exclude_faults\[0\]: 'tank\.leakage' is no fault that"):
        source(wrong)


def test_excluding_faults_does_not_change_what_a_network_knows_of_the_machine(
    tmp_path: Path,
) -> None:
    plain = Machine.from_yaml(edited(tmp_path))
    other = Machine.from_yaml(
        edited(tmp_path / "other", simulation={"exclude_faults": ["leakage"]})
    )
    assert plain.digest == other.digest


def test_a_pump_without_cut_off_has_no_compensator_that_fails(tmp_path: Path) -> None:
    topology = yaml.safe_load((PRESS / "press.yaml").read_text())["topology"]
    topology["components"][1]["nominal"] = {"displacement_cm3": 45}
    topology["components"][2]["nominal"] = {"setting_bar": 210}
    faults = source(edited(tmp_path, topology=topology)).builds["press"].faults
    assert Fault.PRESSURE_DROP not in faults
    assert faults[Fault.LEAKAGE] == ("pump",)


def test_a_folder_of_builds_is_simulated_together_and_each_has_its_own_numbers(
    tmp_path: Path,
) -> None:
    edited(tmp_path / "a")
    topology = yaml.safe_load((PRESS / "press.yaml").read_text())["topology"]
    edited(tmp_path / "b", topology=topology | {"id": "other"})
    both = source(tmp_path)
    assert list(both.machines()) == ["press_000", "press_001", "other_000", "other_001"]
    alone = source(tmp_path / "a" / "machine.yaml")
    first = both.extents("press_001")[0]
    for name, signal in alone.read("press_001", first).items():
        np.testing.assert_array_equal(signal.values, both.read("press_001", first)[name].values)
    edited(tmp_path / "c")
    with pytest.raises(SpecError, match=r"topology\.id: press is already another build's"):
        source(tmp_path)
    with pytest.raises(SpecError, match=r"expected none, as .* is a folder"):
        source(tmp_path, duty=str(PRESS / "duty.yaml"))


def test_another_file_is_another_fingerprint_and_other_telemetry(tmp_path: Path) -> None:
    machine = edited(tmp_path)
    before = source(machine)
    first = before.extents("press_000")[0]
    pressure = before.read("press_000", first)["p_ram"].values
    duty = (tmp_path / "duty.yaml").read_text()
    (tmp_path / "duty.yaml").write_text(duty.replace("process: {ram: 1.0}", "process: {ram: 0.3}"))
    after = source(machine)
    assert before.fingerprint != after.fingerprint
    assert before.machine_fingerprint("press_000") != after.machine_fingerprint("press_000")
    lower = after.read("press_000", first)["p_ram"].values
    assert np.nanmax(lower) < 0.8 * np.nanmax(pressure)


def test_a_source_that_is_sent_to_a_process_is_the_same_unless_its_files_have_changed(
    tmp_path: Path,
) -> None:
    machine = edited(tmp_path)
    press = source(machine)
    sent = pickle.dumps(press)
    assert len(sent) < 2_000
    assert pickle.loads(sent).builds["press"] is press.builds["press"]
    assert pickle.loads(sent) == press
    (tmp_path / "duty.yaml").write_text((tmp_path / "duty.yaml").read_text() + "\n")
    with pytest.raises(SpecError, match=r"machine\.yaml: it or its duty has changed while"):
        pickle.loads(sent)


def test_files_of_the_same_content_are_the_same_machines_wherever_they_lie(tmp_path: Path) -> None:
    one, other = source(edited(tmp_path / "a")), source(edited(tmp_path / "b"))
    assert one.fingerprint == other.fingerprint
    assert one.machine_fingerprint("press_001") == other.machine_fingerprint("press_001")


def test_a_missing_duty_is_named(tmp_path: Path) -> None:
    machine = edited(tmp_path)
    (tmp_path / "duty.yaml").unlink()
    with pytest.raises(SpecError, match=r"duty\.yaml"):
        source(machine)


def simulate(*words: object) -> Any:
    return CliRunner().invoke(app, ["simulate", *map(str, words)], env={"COLUMNS": "200"})


def test_the_command_writes_a_folder_that_trains_and_says_what_it_estimated(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "out"
    small = ("--machines=1", "--hours=0.1", "--recording-min=2", "--commissioning=1")
    result = simulate(PRESS / "press.yaml", "--into", folder, *small)
    assert result.exit_code == 0, result.output
    assert "series ISO 4397" in result.output
    assert "Faults of press: pressure_drop (pump)" in result.output
    own = ParquetSource(folder)
    assert set(own.machines()) == {"press_000"}
    assert len(own.extents("press_000")) == 4
    assert "ram.health" in own.labels("press_000")
    estimates = json.loads((folder / "builds" / "press" / "estimates.json").read_text())
    diameter = next(each for each in estimates if each["part"] == "tank → pump")
    assert diameter["name"] == "diameter_mm"
    assert 0 < diameter["spread"] < 1
    # What was written is complete, and gives the same machines.
    again = source(folder / "builds", machines_per_kind=1, commissioning=1)
    assert again.builds["press"].estimates == ()
    once = source(machines_per_kind=1, commissioning=1)
    first = once.extents("press_000")[0]
    for name, signal in once.read("press_000", first).items():
        np.testing.assert_array_equal(signal.values, again.read("press_000", first)[name].values)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["press.yaml"], "--into: missing; expected a new folder"),
        (["press.yaml", "--into=out", "--kind=robot"], "--kind: expected without a machine file"),
        (["press.yaml", "--into=out", "--command=u_ram"], "--command: expected with --duty-from"),
        (["press.yaml", "--into=out", "--duty-from=t"], "--duty: missing; expected the duty file"),
        (
            ["press.yaml", "--into=out", "--duty-from=t", "--duty=duty.yaml"],
            "exists; expected a new",
        ),
        (["fleet", "--duty=duty.yaml"], "--duty: expected with a machine file; fleet is none"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PRESS)
    result = simulate(*words)
    assert isinstance(result.exception, SpecError)
    assert message in str(result.exception)
