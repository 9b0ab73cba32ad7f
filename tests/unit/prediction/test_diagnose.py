"""`hydrascope diagnose` answers a machine that no training has seen, without any training."""

from pathlib import Path
from statistics import median

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner, Result

from hydrascope.cli import app
from hydrascope.prediction.any_machine.verdict import LATEST, verdict
from hydrascope.schemas import SpecError
from hydrascope.telemetry.fleet_export import Format, export_fleet
from hydrascope.telemetry.simulated import SimulatedSource

pytestmark = pytest.mark.xdist_group("diagnose")  # its presses are simulated once

PRESS = Path(__file__).parents[3] / "examples" / "press" / "press.yaml"
MACHINES = 6


@pytest.fixture(scope="module")
def presses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Presses that are sound at first; in the two hours after that several develop faults."""
    source = SimulatedSource(
        str(PRESS),
        machines_per_kind=MACHINES,
        commissioning=8,
        hours=1.0,
        life_h=2.0,
        recording_min=2.0,
        fault_rate=2.0,
    )
    folder = tmp_path_factory.mktemp("telemetry") / "presses"
    export_fleet(source, folder, Format.PARQUET, lambda _: None)
    return folder


def diagnose(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["diagnose", *map(str, arguments)])


@pytest.fixture(scope="module")
def diagnosed(presses: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("out")
    return out, diagnose(presses / "machines", presses, "--out", out, "--pictures")


def test_every_machine_gets_a_verdict_answers_and_a_picture(diagnosed: tuple[Path, Result]) -> None:
    out, result = diagnosed
    assert result.exit_code == 0, result.output
    for number in range(MACHINES):
        name = f"press_{number:03d}"
        assert f"{name}: health " in result.stdout
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        answers = pd.read_parquet(out / f"{name}.parquet")
        assert answers["start"].nunique() == 38
    assert "learned from simulated circuits alone" in result.stdout
    assert "the first 0.25 h" in result.stdout


def test_what_is_said_agrees_with_what_was_simulated(
    presses: Path, diagnosed: tuple[Path, Result]
) -> None:
    out, _ = diagnosed
    sound, failing, located = [], [], []
    for number in range(MACHINES):
        name = f"press_{number:03d}"
        said = verdict(pd.read_parquet(out / f"{name}.parquet"))
        labels = pd.read_parquet(presses / "labels" / f"{name}.parquet").tail(LATEST)
        parts = labels[[each for each in labels if each.endswith(".health")]].median()
        if parts.min() > 0.95:
            sound.append(said.health)
        elif parts.min() < 0.5:
            failing.append(said.health)
            located.append(f"{said.findings[0].component}.health" == parts.idxmin())
    assert len(sound) >= 2
    assert len(failing) >= 2
    assert max(failing) < median(sound)
    assert all(located)


def test_a_machine_of_an_unknown_kind_of_component_is_refused_by_name(
    presses: Path, tmp_path: Path
) -> None:
    described = yaml.safe_load(next((presses / "machines").glob("*.yaml")).read_text())
    described["topology"]["component_kinds"] = ["die"]
    described["topology"]["components"][0]["kind"] = "die"
    file = tmp_path / "machine.yaml"
    file.write_text(yaml.safe_dump(described))
    result = diagnose(file, presses, "--out", tmp_path / "out")
    assert isinstance(result.exception, SpecError)
    assert "is of kind 'die', which is unknown to this model" in str(result.exception)


def test_telemetry_shorter_than_the_reference_is_refused(presses: Path, tmp_path: Path) -> None:
    arguments = (presses / "machines", presses, "--out", tmp_path / "out", "--reference-h", "0.01")
    result = diagnose(*arguments)
    assert isinstance(result.exception, SpecError)
    assert "reference_h: 0.01 is not accepted" in str(result.exception)
