"""A machine file: what is read, and how every fault is reported at once."""

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from hydrascope.schemas import Machine, SpecError, validate

PRESS = """
equipment: {equipment_id: press_1, name: Press 1, commissioned: 2019-05-01}
topology:
  id: press
  components:
    - id: pump
      kind: pump
      nominal: {pressure_bar: 210, speed_rpm: 1500}
      sensors:
        - {id: p_out, kind: pressure, unit: bar, rate_hz: 100, range: [0, 400], position: outlet}
        - {id: t_oil, kind: temperature, unit: degC, rate_hz: 1}
    - {id: cylinder, kind: cylinder}
    - {id: tank, kind: tank}
  edges:
    - {source: pump, target: cylinder, kind: pressure_line, diameter_mm: 16, length_m: 2.5,
       material: steel, pressure_rating_bar: 350}
    - {source: cylinder, target: tank, kind: return_line, diameter_mm: 20, length_m: 1,
       material: rubber, bidirectional: false}
"""
Edit = Callable[[dict[str, Any]], object]


def faults(edit: Edit) -> list[str]:
    """The faults of the press's file after `edit`."""
    data = yaml.safe_load(PRESS)
    edit(data)
    with pytest.raises(SpecError) as error:
        validate(Machine, data, "press.yaml")
    assert error.value.source == "press.yaml"
    return [str(fault) for fault in error.value.faults]


def component(data: dict[str, Any], index: int) -> dict[str, Any]:
    return data["topology"]["components"][index]


def edge(data: dict[str, Any], index: int) -> dict[str, Any]:
    return data["topology"]["edges"][index]


def write(folder: Path, text: str) -> Path:
    path = folder / "press.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_written_by_hand_is_read(tmp_path: Path) -> None:
    machine = Machine.from_yaml(write(tmp_path, PRESS))
    assert machine.equipment.commissioned == date(2019, 5, 1)
    pump = machine.topology.components[0]
    assert pump.nominal == {"pressure_bar": 210.0, "speed_rpm": 1500.0}
    assert pump.sensors[0].range == (0.0, 400.0)
    assert [edge.bidirectional for edge in machine.topology.edges] == [True, False]


@pytest.mark.parametrize("text", ["1:30", "1_000", "yes"])
def test_what_only_yaml_1_1_reads_as_something_else_is_text(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError, match=f"'{text}' is not accepted"):
        Machine.from_yaml(write(tmp_path, PRESS.replace("210", text)))


@pytest.mark.parametrize("number", ["21e1", "2.1e2", "2.1E+2", "210", "+210.", "0210", "0xd2"])
def test_a_number_may_be_written_as_yaml_1_2_has_it(tmp_path: Path, number: str) -> None:
    machine = Machine.from_yaml(write(tmp_path, PRESS.replace("210", number)))
    assert machine.topology.components[0].nominal["pressure_bar"] == 210


def test_a_machine_survives_the_way_through_json() -> None:
    machine = validate(Machine, yaml.safe_load(PRESS))
    assert Machine.model_validate_json(machine.model_dump_json()) == machine


@pytest.mark.parametrize(
    ("edit", "path", "remedy"),
    [
        (lambda d: d["equipment"].pop("name"), "equipment.name", "missing, but required"),
        (lambda d: d.update(colour=1), "colour", "schema_version, equipment, topology"),
        (
            lambda d: component(d, 0)["sensors"][0].update(rate=3),
            "topology.components[0].sensors[0].rate",
            "did you mean 'rate_hz'?",
        ),
        (lambda d: component(d, 0).update(id="a.b"), "topology.components[0].id", "a letter, then"),
        (
            lambda d: component(d, 1).update(kind="cilinder"),
            "topology.components[1].kind",
            "did you mean 'cylinder'?",
        ),
        (
            lambda d: component(d, 0)["sensors"][1].update(kind="themperature"),
            "topology.components[0].sensors[1].kind",
            "did you mean 'temperature'?",
        ),
        (
            lambda d: component(d, 0)["sensors"][1].update(unit="bar"),
            "topology.components[0].sensors[1].unit",
            "a temperature sensor accepts: degC, K, degF",
        ),
        (
            lambda d: component(d, 0)["sensors"][0].update(range=[400, 0]),
            "topology.components[0].sensors[0].range",
            "low < high",
        ),
        (
            lambda d: component(d, 0)["sensors"][0].update(rate_hz=0),
            "topology.components[0].sensors[0].rate_hz",
            "expected greater than 0",
        ),
        (
            lambda d: component(d, 0)["nominal"].update(flow="much"),
            "topology.components[0].nominal.flow",
            "expected a valid number",
        ),
        (
            lambda d: component(d, 2).update(id="pump"),
            "topology.components[2].id",
            "components[0] has it already",
        ),
        (
            lambda d: component(d, 2).update(sensors=[component(d, 0)["sensors"][0]]),
            "topology.components[2].sensors[0].id",
            "components[0].sensors[0] has it already",
        ),
        (lambda d: edge(d, 1).update(length_m=-1), "topology.edges[1].length_m", "greater than 0"),
        (
            lambda d: edge(d, 1).update(length_m=float("nan")),
            "topology.edges[1].length_m",
            "expected a finite number",
        ),
        (
            lambda d: edge(d, 0).update(diameter_mm=True),
            "topology.edges[0].diameter_mm",
            "expected a valid number",
        ),
        (
            lambda d: edge(d, 0).update(material="stele"),
            "topology.edges[0].material",
            "'steel', 'rubber', 'composite' or 'thermoplastic'; did you mean 'steel'?",
        ),
        (
            lambda d: edge(d, 1).update(target="tnak"),
            "topology.edges[1].target",
            "pump, cylinder, tank; did you mean 'tank'?",
        ),
        (
            lambda d: edge(d, 1).update(target="cylinder"),
            "topology.edges[1].target",
            "another component than the source",
        ),
        (
            lambda d: d["topology"]["edges"].pop(),
            "topology.components[2].id",
            "a line that joins it to the rest",
        ),
        (lambda d: d["topology"].update(components=[]), "topology.components", "at least 1 item"),
    ],
)
def test_a_fault_is_one_line_with_path_and_remedy(edit: Edit, path: str, remedy: str) -> None:
    found = [fault for fault in faults(edit) if fault.startswith(f"{path}: ")]
    assert len(found) == 1
    assert remedy in found[0]


def test_all_faults_come_at_once_those_between_fields_included() -> None:
    def edit(data: dict[str, Any]) -> None:
        data["equipment"]["equipment_id"] = "press 1"
        component(data, 1)["kind"] = "cylindre"
        edge(data, 0)["target"] = "cilinder"
        edge(data, 1)["length_m"] = 0

    paths = [fault.split(":")[0] for fault in faults(edit)]
    assert sorted(paths) == [
        "equipment.equipment_id",
        "topology.components[1].kind",
        "topology.edges[0].target",
        "topology.edges[1].length_m",
    ]


def test_a_fault_shows_the_offending_value() -> None:
    (fault,) = faults(lambda d: edge(d, 1).update(length_m=-2.5))
    assert fault == "topology.edges[1].length_m: -2.5 is not accepted; expected greater than 0"


def test_a_component_without_id_does_not_make_its_lines_look_wrong() -> None:
    assert faults(lambda d: component(d, 0).pop("id")) == [
        "topology.components[0].id: missing, but required"
    ]


@pytest.mark.parametrize("kind", [["pump"], {"pump": 1}, None, 3])
def test_a_kind_that_is_no_word_is_refused(kind: object) -> None:
    def edit(data: dict[str, Any]) -> None:
        component(data, 0)["kind"] = kind
        component(data, 0)["sensors"][0]["kind"] = kind

    assert [fault.split(":")[0] for fault in faults(edit)] == [
        "topology.components[0].kind",
        "topology.components[0].sensors[0].kind",
    ]


def test_a_turbine_with_declared_kinds_fits() -> None:
    data = yaml.safe_load(PRESS)
    data["topology"]["component_kinds"] = ["turbine"]
    data["topology"]["sensor_kinds"] = {"steam_quality": ["%", "1"]}
    sensor = {"id": "x", "kind": "steam_quality", "unit": "%", "rate_hz": 1}
    component(data, 1).update(kind="turbine", sensors=[sensor])
    assert validate(Machine, data).topology.components[1].kind == "turbine"

    sensor["unit"] = "bar"
    with pytest.raises(SpecError, match=r"sensors\[0\]\.unit: 'bar' .* accepts: %, 1$"):
        validate(Machine, data)


def test_a_built_in_kind_cannot_be_declared_anew() -> None:
    def edit(data: dict[str, Any]) -> None:
        data["topology"]["component_kinds"] = ["pump"]
        data["topology"]["sensor_kinds"] = {"pressure": ["m"]}

    assert [fault.split(":")[0] for fault in faults(edit)] == [
        "topology.component_kinds[0]",
        "topology.sensor_kinds.pressure",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("equipment: {\n", r"press\.yaml:2:1: "),
        ("a: 1\nb: 2\na: 3\n", r"press\.yaml:3:1: key 'a' repeats the one in line 1"),
        ("a: *nowhere\n", r"press\.yaml:1:4: .*alias"),
        ("a: !!python/object:os.system x\n", r"press\.yaml:1:4: could not determine a constructor"),
        ("\x00", r"press\.yaml:1: a character that YAML does not allow"),
        ("", r"press\.yaml: \(whole file\): None is not accepted; expected keys with values"),
        ("[a]: 1\n", r"press\.yaml:1:1: a key that is a list or a mapping; expected text"),
        ("a: !!timestamp 2024-13-01\n", r"press\.yaml:1:4: month must be in 1\.\.12"),
        (f"a: {'9' * 5000}\n", r"press\.yaml:1:4: Exceeds the limit"),
        (f"a: {'[' * 5000}{']' * 5000}\n", r"press\.yaml: nested too deeply to be read"),
        ("a: 1\n---\nb: 2\n", r"press\.yaml:2:1: but found another document"),
    ],
)
def test_a_file_that_is_no_yaml_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        Machine.from_yaml(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"absent\.yaml: No such file"):
        Machine.from_yaml(tmp_path / "absent.yaml")


def test_the_schemas_load_neither_torch_nor_numpy() -> None:
    check = "import hydrascope.schemas, sys; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
