"""`hydrascope init`: numbers as text, quality flags and letters beyond ASCII."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.support.raw_folders import noise
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.init.headers import columns_of, identifier
from hydrascope.telemetry.init.number_text import decimal_of, numbers


def init(folder: Path) -> tuple[str, Path]:
    into = folder.parent / "own"
    result = CliRunner().invoke(app, ["init", str(folder), "--into", str(into)])
    assert result.exit_code == 0, result.output
    return result.output, into


def source_of(into: Path, **changed: object) -> ParquetSource:
    experiment = load_yaml(into / "conf" / "experiment" / "raw.yaml")
    assert isinstance(experiment, dict)
    return ParquetSource(**experiment["data"]["source"] | changed)


@pytest.mark.parametrize(
    ("texts", "decimal", "values"),
    [
        (["1.480,12", "980,5", "-3"], ".", [1480.12, 980.5, -3]),
        (["1,480.12", "980.5", "+3"], ",", [1480.12, 980.5, 3]),
        (["1 480,5", "1\u00a0480,25"], ".", [1480.5, 1480.25]),
        (["1.480", "12"], ",", [1480, 12]),
        (["1.480", "12"], ".", [1.48, 12]),
        (["0.480", "1.480"], ",", [0.48, 1.48]),
        (["1.480.000", "2.000"], ".", [1_480_000, 2000]),
        (["5,0E+02", "n/a"], ".", [500, np.nan]),
    ],
)
def test_numbers_are_read_in_the_form_that_a_column_shows(
    texts: list[str], decimal: str, values: list[float]
) -> None:
    found = numbers(pd.Series(texts), decimal)
    np.testing.assert_array_equal(found.values, values)


def test_a_column_of_both_forms_is_not_read() -> None:
    found = numbers(pd.Series(["1.480,12", "1480.12"]), ".")
    assert found.values.isna().all()
    assert found.both == ("1.480,12", "1480.12")


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [(["149", "149,25"], ","), (["1,480", "1.5"], "."), (["149,250"], ","), (["01.02.2024"], ".")],
)
def test_the_decimal_sign_of_a_file_is_that_of_its_certain_numbers(
    cells: list[str], decimal: str
) -> None:
    assert decimal_of(cells) == decimal


def test_a_german_export_with_thousands_is_read(tmp_path: Path) -> None:
    speed = 980 + np.arange(200) * 10.5
    shown = [f"{each:,.2f}".translate(str.maketrans(",.", ".,")) for each in speed]
    table = pd.DataFrame(
        {
            "Zeit": pd.date_range("2024-03-01", periods=200, freq="1s").strftime("%d.%m.%Y %X"),
            "Drehzahl [1/min]": shown,
            "Zähler": [each.partition(",")[0] for each in shown],
            "mixed": ["1,5", "1.5"] * 100,
        }
    )
    (tmp_path / "raw").mkdir()
    table.to_csv(tmp_path / "raw" / "a.csv", sep=";", index=False)
    said, into = init(tmp_path / "raw")
    source = source_of(into)
    (extent,) = source.extents("raw")
    signals = source.read("raw", extent)
    np.testing.assert_allclose(signals["Drehzahl"].values, speed, rtol=1e-6)
    np.testing.assert_array_equal(signals["Zaehler"].values, np.floor(speed))
    assert "Guessed: Drehzahl [1/min]: 1.001,00 is a number with thousands" in said
    assert "Left out: mixed has decimal commas and decimal points, 1,5 and 1.5" in said


def pressed(**columns: object) -> pd.DataFrame:
    times = pd.date_range("2024-03-01", periods=200, freq="1s", tz="UTC")
    table = {"timestamp": times, "equipment_id": "m", "p": noise(200), "T": noise(200)}
    return pd.DataFrame(table | columns)


FLAGS = np.where(np.arange(200) % 10 == 3, "Bad", "Good")


@pytest.mark.parametrize("column", ["quality", "Quality Code"])
@pytest.mark.parametrize("machine", ["equipment_id", "machine"], ids=["read", "copied"])
def test_quality_flags_are_named_and_can_be_switched_on(
    tmp_path: Path, column: str, machine: str
) -> None:
    (tmp_path / "raw").mkdir()
    table = pressed(**{column: FLAGS}).rename(columns={"equipment_id": machine})
    table.to_parquet(tmp_path / "raw" / "a.parquet", index=False)
    said, into = init(tmp_path / "raw")
    assert f"Quality flags in {column} are not used: Good (180 rows), Bad (20 rows)" in said
    path = into / "conf" / "experiment" / "raw.yaml"
    text = path.read_text()
    assert '# quality_accepted: ["Good", "Bad"]' in text
    path.write_text(
        text.replace("# quality_accepted", "quality_accepted")
        .replace(', "Bad"]', "]")
        .replace("# quality_column", "quality_column")
    )
    source = source_of(into)
    (extent,) = source.extents("m")
    assert np.isnan(source.read("m", extent)["p"].values).sum() == 20


def test_flags_of_one_sensor_are_no_sensor(tmp_path: Path) -> None:
    table = pressed(p_quality=np.where(FLAGS == "Good", 192, 0), machine="m")
    (tmp_path / "raw").mkdir()
    table.drop(columns="equipment_id").to_parquet(tmp_path / "raw" / "a.parquet", index=False)
    said, into = init(tmp_path / "raw")
    assert "Quality flags in p_quality are not used: 192 (180 rows), 0 (20 rows)" in said
    source = source_of(into, quality_accepted=[192])
    (extent,) = source.extents("m")
    signals = source.read("m", extent)
    assert set(signals) == {"p", "T"}
    assert np.isnan(signals["p"].values).sum() == 20
    assert not np.isnan(signals["T"].values).any()


def test_letters_beyond_ascii_are_written_with_others() -> None:
    assert identifier("Öltemperatur [°C]") == "Oeltemperatur_C"
    assert identifier("débit réel") == "debit_reel"
    assert identifier("Größe") == "Groesse"
    assert columns_of(["Zeit", "Gerät", "p"]).machine == "Gerät"
