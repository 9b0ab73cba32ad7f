"""The first hours of a machine as its reference, for any hours and however short it is."""

import math
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from hydrascope.cli import app
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.prediction.references import first_windows
from hydrascope.schemas import SpecError
from hydrascope.telemetry.parquet import ParquetSource

MACHINE = {
    "schema_version": 1,
    "equipment": {"equipment_ids": ["long", "brief"], "name": "Pump"},
    "topology": {
        "id": "pumps",
        "components": [
            {
                "id": "pump",
                "kind": "pump",
                "sensors": [{"id": "p_out", "kind": "pressure", "unit": "bar", "rate_hz": 1}],
            }
        ],
        "edges": [],
    },
}
WINDOW = WindowSpec(120.0, 120.0, 4)


@pytest.fixture
def pumps(tmp_path: Path) -> Path:
    """Ten minutes of one pump, and half a minute of another."""
    folder = tmp_path / "telemetry"
    (folder / "machines").mkdir(parents=True)
    (folder / "machines" / "pumps.yaml").write_text(yaml.safe_dump(MACHINE))
    rows = [
        f"2026-01-01T00:{second // 60:02}:{second % 60:02}Z,{name},{150 + second % 7}"
        for name, seconds in (("long", 600), ("brief", 30))
        for second in range(seconds)
    ]
    (folder / "pumps.csv").write_text("\n".join(["timestamp,equipment_id,p_out", *rows, ""]))
    return folder


@pytest.mark.parametrize(("hours", "windows"), [(2 / 60, 1), (5 / 60, 2), (1e12, 5), (math.inf, 5)])
def test_windows_that_end_in_the_first_hours_are_the_reference(
    hours: float, windows: int, pumps: Path
) -> None:
    source = ParquetSource(pumps)
    given = first_windows(source, source.machines()["long"], WINDOW, hours)
    assert given is not None
    assert len(given.windows) == windows


@pytest.mark.parametrize("hours", [0.0, 0.01, math.nan])
def test_hours_without_a_whole_window_are_refused_by_value(hours: float, pumps: Path) -> None:
    source = ParquetSource(pumps)
    with pytest.raises(SpecError, match=f"reference_h: {hours:g} is not accepted"):
        first_windows(source, source.machines()["long"], WINDOW, hours)


def test_a_machine_without_any_whole_window_has_no_reference(pumps: Path) -> None:
    source = ParquetSource(pumps)
    assert first_windows(source, source.machines()["brief"], WINDOW, 0.25) is None


def diagnose(pumps: Path, out: Path) -> Result:
    return CliRunner().invoke(
        app, ["diagnose", str(pumps / "machines"), str(pumps), "--out", str(out)]
    )


def test_a_short_machine_is_named_and_the_others_are_answered(pumps: Path, tmp_path: Path) -> None:
    result = diagnose(pumps, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "without a whole window of 120 s: brief" in result.output
    assert "long: health " in result.stdout
    assert [file.name for file in (tmp_path / "out").glob("*.parquet")] == ["long.parquet"]


def test_diagnose_asks_the_network_in_the_package_whatever_is_in_the_working_directory(
    pumps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pretrained").mkdir()
    monkeypatch.chdir(tmp_path)
    result = diagnose(pumps, tmp_path / "out")
    assert result.exit_code == 0, result.output
