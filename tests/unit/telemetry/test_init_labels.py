"""`hydrascope init`: labels as people write them, and why some are not learned."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.support.raw_folders import noise
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas import TaskSpec, validate
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.telemetry import ParquetSource

STEP = np.arange(1200)


def write(folder: Path, **columns: object) -> Path:
    """Write three machines at 1 Hz with further columns; return the folder."""
    folder.mkdir(parents=True)
    times = pd.date_range("2024-03-01", periods=len(STEP), freq="1s", tz="UTC")
    for number in range(3):
        table = pd.DataFrame({"timestamp": times, "equipment_id": f"m{number}", "p": noise(1200)})
        table.assign(**columns).to_csv(folder / f"m{number}.csv", index=False)
    return folder


def init(folder: Path, *options: str) -> tuple[str, Path]:
    """Run the command; return what it said and where it wrote."""
    into = folder.parent / "own"
    result = CliRunner().invoke(app, ["init", str(folder), "--into", str(into), *options])
    assert result.exit_code == 0, result.output
    return result.output, into


def task_of(into: Path) -> TaskSpec:
    return validate(TaskSpec, load_yaml(into / "conf" / "task" / "raw.yaml"))


def source_of(into: Path) -> ParquetSource:
    experiment = load_yaml(into / "conf" / "experiment" / "raw.yaml")
    assert isinstance(experiment, dict)
    return ParquetSource(**experiment["data"]["source"])


def test_labels_that_differ_in_case_and_blanks_are_one_and_it_is_said(tmp_path: Path) -> None:
    texts = np.array(["OK", "Fault", "ok ", " FAULT"])[(STEP // 100) % 4]
    texts[STEP >= 1100] = ""
    texts[:5], texts[205:211] = "ok ", "OK"
    texts[100:104], texts[300:305] = " FAULT", "Fault"
    said, into = init(write(tmp_path / "raw", condition=texts))
    (head,) = task_of(into).heads
    assert [each.name for each in head.classes] == ["OK", "Fault"]
    assert head.healthy == 0
    assert "Guessed: label condition: 'OK', 'ok ' are one value, 'OK'" in said
    assert "Guessed: label condition: ' FAULT', 'Fault' are one value, 'Fault'" in said
    labels = source_of(into).labels("m0")
    assert labels["condition"].dropna().tolist() == [0, 1] * 5 + [0]
    first = labels.iloc[0]
    assert first["end"] - first["start"] == pd.Timedelta(seconds=100)


def test_a_label_that_cannot_be_learned_and_an_unused_split_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "raw", condition="ok")
    table = pd.read_csv(folder / "m0.csv")
    table.loc[STEP > 1000, "condition"] = "Fault"
    table.assign(split="train").to_csv(folder / "m0.csv", index=False)
    said, into = init(folder)
    assert task_of(into).normality
    reason = "'Fault' is in 1 interval of 1 machine; expected 10 intervals or 3 machines of each"
    assert f"condition is not learned: {reason}" in said
    assert "split is not used, since what is normal is learned" in said
    assert "# The column split is not used" in (into / "conf/experiment/raw.yaml").read_text()
    command = ["init", str(folder), "--into", str(tmp_path / "no"), "--learn", "labels"]
    assert reason in str(CliRunner().invoke(app, command).exception)


def test_a_label_of_one_value_is_not_learned_and_it_is_said(tmp_path: Path) -> None:
    said, _ = init(write(tmp_path / "raw", fault=0))
    assert "fault is not learned: it has one value" in said


def test_a_split_with_a_strange_part_is_left_out_and_it_is_said(tmp_path: Path) -> None:
    said, into = init(write(tmp_path / "raw", split=np.where(STEP < 600, "train", "holdout")))
    assert "split is no split, because it has 'holdout'; accepted: train, val, test (or" in said
    assert not (into / "labels").exists()


def test_texts_that_last_are_offered_as_a_label(tmp_path: Path) -> None:
    state = np.array(["Betrieb", "Störung"])[(STEP // 50) % 2]
    notes = [f"note {number}" for number in STEP]
    columns = {"Zustand": state, "notes": notes, "operator": "Kim"}
    said, into = init(write(tmp_path / "raw", **columns))
    assert "Perhaps a label, and a comment in the task: Zustand (Betrieb, Störung)" in said
    assert "Left out, because they hold no numbers: notes, operator" in said
    path = into / "conf" / "task" / "raw.yaml"
    task = task_of(into)
    assert task.normality
    assert (task.normality.truth, task.heads) == (None, ())
    assert source_of(into).labels("m1")["zustand"].tolist() == [0, 1] * 12
    text = path.read_text().replace("heads: []\n", "", 1)
    at = text.index("# heads:")
    uncommented = "\n".join(line.removeprefix("# ") for line in text[at:].splitlines())
    uncommented = uncommented.replace("Perhaps a label", "# Perhaps a label")
    path.write_text(text[:at] + uncommented + "\n")
    (head,) = task_of(into).heads
    assert [each.name for each in head.classes] == ["Betrieb", "Störung"]


def test_texts_that_last_are_learned_if_labels_are_asked_for(tmp_path: Path) -> None:
    state = np.array(["idle", "working"])[(STEP // 50) % 2]
    _, into = init(write(tmp_path / "raw", mode=state), "--learn", "labels")
    assert [head.name for head in task_of(into).heads] == ["mode"]


def test_texts_beside_labels_are_offered_behind_them(tmp_path: Path) -> None:
    state = np.array(["idle", "working"])[(STEP // 50) % 2]
    _, into = init(write(tmp_path / "raw", mode=state, fault=(STEP // 100) % 2))
    assert [head.name for head in task_of(into).heads] == ["fault"]
    text = (into / "conf" / "task" / "raw.yaml").read_text()
    path = into / "conf" / "task" / "raw.yaml"
    head, _, offered = text.partition("# Perhaps a label, the column 'mode':\n")
    path.write_text(head + "\n".join(line.removeprefix("# ") for line in offered.splitlines()))
    assert [head.name for head in task_of(into).heads] == ["fault", "mode"]


@pytest.mark.parametrize("labels", [{}, {"anomaly": (STEP % 100 > 90).astype(int)}])
def test_every_key_of_normality_is_in_the_task(tmp_path: Path, labels: dict[str, object]) -> None:
    _, into = init(write(tmp_path / "raw", **labels))
    task = load_yaml(into / "conf" / "task" / "raw.yaml")
    assert isinstance(task, dict)
    assert set(task["normality"]) == set(type(task_of(into).normality).model_fields)
