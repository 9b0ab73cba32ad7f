"""Telemetry that a model was not trained on: judged with its labels, answered without them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jobs import QUICK, Train, evaluate_settings
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.experiment import evaluate
from hydrascope.notebook.diagnoser import Diagnoser
from hydrascope.schemas import SpecError
from hydrascope.telemetry import ZemaSource
from hydrascope.telemetry.zema_recording import ASSETS

STABLE = "{name: stable, level: machine, kind: binary}"


def write_folder(
    folder: Path,
    cycles: range,
    *,
    labelled: bool = True,
    cut_s: int = 0,
    gap_s: int = 0,
) -> Path:
    """Write some cycles of the rig as a user's folder, without the last `cut_s` seconds.

    A gap begins in the fifth cycle. Without labels, there are no machines either.
    """
    folder.mkdir()
    rig = ZemaSource()
    (extent,) = rig.extents("zema")
    signals = rig.read("zema", extent)
    rows = slice(60 * cycles.start, 60 * cycles.stop - cut_s)
    table = pd.DataFrame({name: signal.values[rows] for name, signal in signals.items()})
    first = extent.start + pd.Timedelta(minutes=cycles.start)
    table.insert(0, "timestamp", pd.date_range(first, periods=len(table), freq="1s", unit="us"))
    table.insert(1, "equipment_id", "zema")
    table = table.drop(range(310, 310 + gap_s))
    table.to_parquet(folder / "telemetry.parquet", index=False)
    if labelled:
        (folder / "machines").mkdir()
        (folder / "labels").mkdir()
        labels = rig.labels("zema").iloc[cycles.start : cycles.stop]
        labels = labels.drop(columns="unseen_condition_fold")
        labels.insert(0, "equipment_id", "zema")
        labels.to_csv(folder / "labels" / "profile.csv", index=False)
        machine = (ASSETS / "machine.yaml").read_text("utf-8")
        machine = machine.replace("rate_hz: 100,", "rate_hz: 1,")
        machine = machine.replace("rate_hz: 10,", "rate_hz: 1,")
        (folder / "machines" / "zema.yaml").write_text(machine, "utf-8")
    return folder


@pytest.fixture(scope="module")
def best(run_training: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_folder(tmp_path_factory.mktemp("own") / "trained", range(400))
    return train(run_training, folder)


def train(run_training: Train, folder: Path, *more: str) -> Path:
    run_dir = run_training(
        *QUICK,
        "data=parquet",
        f"data.source.folder={folder}",
        "data.split.name=time_blocks",
        f"task.heads=[{STABLE}]",
        "trainer.max_epochs=1",
        *more,
    )
    return run_dir / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def with_last_and_padded(run_training: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_folder(tmp_path_factory.mktemp("uneven") / "trained", range(400))
    laid = ("data.window.last=true", "data.window.short=pad", "data.source.max_gap_s=90")
    return train(run_training, folder, *laid)


@pytest.mark.parametrize(
    ("cycles", "gap_s", "message"),
    [
        (range(600, 620), 0, "20 answers to 20 windows"),
        (range(600, 620), 40, "20 answers to 20 windows"),
        (range(600, 601), 0, "shorter than a window of 60 s, and padded: zema"),
    ],
    ids=["last", "gap", "padded"],
)
def test_windows_are_predicted_where_they_are_judged(
    with_last_and_padded: Path, tmp_path: Path, cycles: range, gap_s: int, message: str
) -> None:
    ckpt, other, out = with_last_and_padded, tmp_path / "other", tmp_path / "predictions"
    write_folder(other, cycles, cut_s=20, gap_s=gap_s)
    evaluate.run(evaluate_settings(str(ckpt), tmp_path / "judged", judge="all", folder=other))
    judged = pd.read_parquet(tmp_path / "judged" / "predictions.parquet")
    done = CliRunner().invoke(app, ["predict", str(ckpt), str(other), "--out", str(out)])
    assert done.exit_code == 0
    assert message in done.output
    answered = pd.read_parquet(out / "zema.parquet")
    assert answered["start"].tolist() == judged["start"].tolist()
    assert len(answered) == len(cycles)
    np.testing.assert_allclose(answered["probability"], judged["answer"].str[0], rtol=1e-5)
    frame = pd.read_parquet(other / "telemetry.parquet")
    assert Diagnoser.load(ckpt).predict(frame)["start"].tolist() == judged["start"].tolist()


def test_all_windows_of_other_telemetry_are_judged_and_the_report_says_so(
    best: Path, tmp_path: Path
) -> None:
    other = write_folder(tmp_path / "other", range(600, 700))
    with pytest.raises(SpecError, match=r"to judge all windows .* set judge=all"):
        evaluate.run(evaluate_settings(str(best), tmp_path / "no", folder=other))
    judged = tmp_path / "judged"
    evaluate.run(evaluate_settings(str(best), judged, judge="all", folder=other))
    report = json.loads((judged / "evaluation.json").read_text())
    rows = pd.read_parquet(judged / "predictions.parquet")
    truth = ZemaSource().labels("zema")["stable"].iloc[600:700].to_numpy()
    assert report["test"]["stable"]["rows"] == len(rows) == 100
    assert rows["target"].str[0].tolist() == truth.tolist()
    assert report["split"] == "all windows of data that were not trained on"
    assert report["models"] is None
    assert "100 test windows" in (judged / "report.html").read_text()
    answers = Diagnoser.load(best).predict(pd.read_parquet(other / "telemetry.parquet"))
    flagged = np.array([each[0] > 0.5 for each in rows["answer"]])
    known = answers["reliable"].to_numpy() != False  # noqa: E712 (an object column)
    assert (answers["answer"][known] == flagged[known]).all()


def test_the_trainings_own_data_are_not_judged_as_others(best: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="judge: all would judge the data that"):
        evaluate.run(evaluate_settings(str(best), tmp_path, judge="all"))


def test_a_folder_is_answered_as_its_frame_is_from_anywhere(
    best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "unlabelled", range(600, 700), labelled=False)
    monkeypatch.chdir(tmp_path)
    command = ["predict", str(best), "unlabelled"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert "100 answers to 100 windows: predictions" in done.stdout
    file = tmp_path / "predictions" / "zema.parquet"
    written = pd.read_parquet(file)
    expected = Diagnoser.load(best).predict(pd.read_parquet(folder / "telemetry.parquet"))
    assert (written["end"] - written["start"] == pd.Timedelta(seconds=60)).all()
    assert written["start"].tolist() == expected["start"].tolist()
    assert written["reliable"].tolist() == expected["reliable"].tolist()
    assert written["reasons"].fillna("").tolist() == expected["reasons"].fillna("").tolist()
    known = written["reliable"].to_numpy(dtype=bool)
    assert written["present"][known].tolist() == expected["answer"][known].tolist()
    assert written["present"][~known].isna().all()
    np.testing.assert_allclose(
        written["probability"][known], expected["probability"][known].astype(float), rtol=1e-6
    )
    assert written["probability"].notna().all()
    changed = file.stat().st_mtime_ns
    again = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "0 answers to 0 windows" in again.stdout
    assert file.stat().st_mtime_ns == changed


def test_a_folder_that_is_not_there_is_refused(best: Path, tmp_path: Path) -> None:
    command = ["predict", str(best), str(tmp_path / "no")]
    with pytest.raises(SpecError, match=r"folder: .*is not a folder"):
        CliRunner().invoke(app, command, catch_exceptions=False)
