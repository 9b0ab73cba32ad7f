"""One machine file for several machines of one build."""

from pathlib import Path

import pytest
import yaml
from telemetry_folders import check, every, machine, narrow, write
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas import SpecError
from hydrascope.schemas.machine_file import machines_in
from hydrascope.telemetry.folder.machine_files import read_machines
from hydrascope.telemetry.parquet import ParquetSource

RECORDED = ("engine_1", "engine_2", "engine_10", "rig_1")


def group(folder: Path, *equipment_ids: str) -> Path:
    """A file of several machines, beside telemetry of four."""
    content = machine()
    content["equipment"] = {"equipment_ids": list(equipment_ids), "name": "Engine"}
    path = folder / "machines" / "engines.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    for suffix, ids in ((".csv", RECORDED[:2]), (".parquet", RECORDED[2:])):
        for name in ids:
            frame = narrow("p", every(0.1, 100), range(100), name)
            write(frame, folder / f"{name}{suffix}")
    return path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("engine_{1..3}", ["engine_1", "engine_2", "engine_3"]),
        ("engine_{08..10}", ["engine_08", "engine_09", "engine_10"]),
        ("p{1..2}_{3..4}", ["p1_3", "p1_4", "p2_3", "p2_4"]),
        ("engine_*", ["engine_1", "engine_10", "engine_2"]),
        ("engine_[12]", ["engine_1", "engine_2"]),
        ("???_1", ["rig_1"]),
        ("rig_1", ["rig_1"]),
    ],
)
def test_ids_ranges_and_patterns_name_machines_of_one_topology(
    tmp_path: Path, pattern: str, expected: list[str]
) -> None:
    machines = machines_in(group(tmp_path, pattern), lambda: RECORDED)
    assert [each.equipment.equipment_id for each in machines] == expected
    assert machines[0].equipment.name == f"Engine {expected[0]}"
    assert all(each.topology is machines[0].topology for each in machines)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            ["motor_*"],
            r"equipment_ids\[0\]: 'motor_\*' matches no machine .*; there is: engine_1, ",
        ),
        (["a", "engine_{3..1}"], r"equipment_ids\[1\]: \{3\.\.1\} is not accepted; expected"),
        (["engine 1"], "equipment_ids: equipment_id: 'engine 1' is not accepted; .*a letter"),
        ([], "equipment.equipment_ids: .* is not accepted; .*at least 1"),
    ],
)
def test_a_pattern_without_sense_is_refused_in_one_line(
    tmp_path: Path, ids: list[str], message: str
) -> None:
    with pytest.raises(SpecError, match=message) as refusal:
        machines_in(group(tmp_path, *ids), lambda: RECORDED)
    assert "\n" not in str(refusal.value)


def test_patterns_match_the_telemetry_of_csv_and_parquet(tmp_path: Path) -> None:
    group(tmp_path, "engine_*")
    source = ParquetSource(folder=str(tmp_path))
    assert sorted(source.machines()) == ["engine_1", "engine_10", "engine_2"]
    (extent,) = source.extents("engine_10")
    assert source.read("engine_10", extent)["p"].values.tolist() == list(range(100))
    assert source.machine_fingerprint("engine_1") != source.machine_fingerprint("engine_2")


def test_patterns_match_the_names_of_folders_that_stand_for_the_column(tmp_path: Path) -> None:
    group(tmp_path, "lift_*")
    for name in ("lift_1", "lift_2"):
        rows = narrow("p", every(0.1, 100), range(100), name).drop(columns="equipment_id")
        write(rows, tmp_path / f"equipment_id={name}" / "a.parquet")
    assert sorted(ParquetSource(folder=str(tmp_path)).machines()) == ["lift_1", "lift_2"]


def test_a_pattern_needs_files_of_telemetry(tmp_path: Path) -> None:
    path = group(tmp_path, "engine_*")
    with pytest.raises(SpecError, match=r"'engine_\*' needs telemetry in files to match"):
        read_machines(Path(), str(path))


def test_a_machine_of_two_files_is_refused(tmp_path: Path) -> None:
    group(tmp_path, "engine_*")
    other = machine("engine_2")
    (tmp_path / "machines" / "other.yaml").write_text(yaml.safe_dump(other))
    with pytest.raises(SpecError, match=r"'engine_2' is that of .*engines\.yaml too"):
        ParquetSource(folder=str(tmp_path))


def test_check_names_the_machines_that_no_pattern_matches(tmp_path: Path) -> None:
    group(tmp_path, "engine_{1..2}", "engine_10")
    code, report = check(tmp_path)
    assert sorted(report["machines"]) == sorted(RECORDED)
    assert code == 0
    assert any(
        each["subject"] == "rig_1" and "no machine file" in each["message"]
        for each in report["findings"]
    )


def test_the_command_machine_shows_a_file_of_several(tmp_path: Path) -> None:
    path = group(tmp_path, "engine_{1..100}", "rig_*")
    shown = CliRunner().invoke(app, ["machine", str(path)])
    assert shown.exit_code == 0
    assert "Engine: topology press" in shown.output
    assert "machines: engine_{1..100}, rig_*" in shown.output
