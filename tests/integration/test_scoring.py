"""`hydrascope score`: from a CSV file to the scores of its rows, by one command."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.prediction.first_part.command import run
from hydrascope.prediction.first_part.options import DetectorName, ScoreOptions
from hydrascope.schemas.errors import SpecError

FAULT = 240


def recorded(path: Path, seconds: int = 300, seed: int = 0) -> Path:
    """Write a recording of 1 Hz, in which one sensor is wrong from `FAULT` on."""
    random, time = np.random.default_rng(seed), np.arange(seconds)
    load = np.sin(time / 15)
    table = pd.DataFrame(
        {
            "time": pd.date_range("2026-01-01", periods=seconds, freq="1s"),
            "pump_pressure_bar": 100 + 5 * load + random.normal(0, 1, seconds),
            "flow": 30 + 3 * load + random.normal(0, 1, seconds),
            "oil_temperature": 40 + random.normal(0, 0.2, seconds) + 3 * (time >= FAULT),
        }
    )
    table.to_csv(path, index=False)
    return path


def test_a_few_hundred_rows_become_scores_by_one_command(tmp_path: Path) -> None:
    path = recorded(tmp_path / "rig.csv")
    told = ["score", str(path), "-o", str(tmp_path / "scores.csv")]
    result = CliRunner().invoke(app, told)
    assert result.exit_code == 0, result.output
    found = pd.read_csv(tmp_path / "scores.csv", parse_dates=["time"])
    given = pd.read_csv(path, parse_dates=["time"])
    assert found["time"].dt.tz_localize(None).tolist() == given["time"].tolist()
    assert found["score"].notna().all()
    np.testing.assert_array_equal(found["alarm"], found["score"] > 1)
    faulty = found.index >= FAULT
    assert found.loc[faulty, "alarm"].mean() > 0.9
    assert found.loc[~faulty & ~found["learned"], "alarm"].mean() < 0.3
    blamed = found.loc[found["alarm"], ["component", "probability"]]
    assert set(blamed["component"]) <= {"pump", "machine"}  # as guessed from the headers
    assert blamed["probability"].between(0.5, 1.0).all()  # the more probable one of two
    assert found.loc[~found["alarm"], "component"].isna().all()
    wrong = found["sensor"] == "oil_temperature"
    assert wrong[faulty].mean() > 0.9
    # Of 291 windows of ten seconds 145 are learned from; the first ten rows share the first.
    assert found["learned"].tolist() == [True] * 154 + [False] * 146
    assert "300 rows of 1 machine, 3 sensors; mahalanobis of windows of 10 s" in result.output
    assert "Learned from the first 50 % of each recording as if it was sound" in result.output
    assert "They promise a false-alarm rate of" in result.output
    assert "most of all oil_temperature" in result.output
    assert "Most probably to blame, of the guessed components: " in result.output


def test_a_folder_of_recordings_and_a_time_to_learn_until(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number in range(2):
        recorded(folder / f"run_{number}.csv", seed=number)
    options = ScoreOptions(
        tmp_path / "scores.parquet",
        learn_until="2026-01-01 00:03:00",
        model=DetectorName.ISOLATION_FOREST,
        window_s=5.0,
        stride_s=1.0,
    )
    said = list(run(folder, options))
    found = pd.read_parquet(tmp_path / "scores.parquet")
    assert found.groupby("equipment_id").size().to_dict() == {"run_0": 300, "run_1": 300}
    own = found[found["equipment_id"] == "run_1"].reset_index(drop=True)
    assert own["learned"].tolist() == [True] * 180 + [False] * 120
    assert own[["sensor", "component"]].isna().all(axis=None)  # the forest scores machines only
    assert own.loc[FAULT + 5 :, "score"].median() > own.loc[180:FAULT, "score"].median()
    assert any("what was recorded until 2026-01-01 00:03:00" in line for line in said)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"output": Path("scores.xlsx")}, "--output: scores.xlsx is not accepted; expected .csv"),
        ({"learn_first": 1.5}, "--learn-first: first_share"),
        ({"learn_until": "noon"}, "--learn-until: 'noon' is not accepted; expected a time"),
        ({"window_s": 0.5}, "--window-s: 0.5 is shorter than a sample of the slowest sensor, 1 s"),
    ],
)
def test_what_is_not_accepted_is_one_line(
    changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    options = ScoreOptions(tmp_path / "scores.csv")._replace(**changed)
    with pytest.raises(SpecError, match=message):
        list(run(recorded(tmp_path / "rig.csv", 60), options))
