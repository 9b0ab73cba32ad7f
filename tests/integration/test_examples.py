"""The examples of the documentation, by the commands and edits that their pages show.

Each leads from raw CSV to a report that a reader can trust.
"""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from in_process import run
from jobs import ROOT
from pages import EXAMPLES

MOST_STEPS = 10


def steps(page: Path) -> list[tuple[str, str]]:
    """Return what a reader does, in order: the language and text of each command and edit."""
    found = re.findall(r"^```(bash|diff)\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.M)
    done: list[tuple[str, str]] = []
    for language, text in found:
        if language == "diff":
            done.append((language, text))
        else:
            lines = (line.partition("  #")[0].strip() for line in text.splitlines())
            done += [(language, line) for line in lines if line]
    return done


def edit(text: str, folder: Path) -> None:
    """Replace the lines of a file that begin with a minus by those with a plus."""
    head, *lines = text.splitlines()
    path = folder / head.removeprefix("--- ")
    before = "\n".join(line[1:] for line in lines if line[0] in " -")
    after = "\n".join(line[1:] for line in lines if line[0] in " +")
    content = path.read_text("utf-8")
    assert content.count(before) == 1, f"{path} has not once: {before}"
    path.write_text(content.replace(before, after), "utf-8")


def walked(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Do what a page says in a new folder; return that folder."""
    for name in ("train.py", "evaluate.py"):
        shutil.copy(ROOT / name, folder)
    for name in ("conf", "examples"):
        (folder / name).symlink_to(ROOT / name)
    monkeypatch.chdir(folder)
    for language, text in steps(page):
        if language == "diff":
            edit(text, folder)
            continue
        words = shlex.split(text)
        assert words[0] == "python"
        if words[1] == "train.py":
            words += ["tracking=none", "trainer.progress_bar=false"]
        if words[1] in ("train.py", "evaluate.py"):
            words.append("hardware.threads=1")
        assert not run(words, monkeypatch), text
    return folder


def judged(folder: Path) -> dict[str, Any]:
    """Return the numbers of the report."""
    report: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return report


def page_named(name: str) -> Path:
    """Return a page of examples."""
    (page,) = (page for page in EXAMPLES if page.stem == name)
    return page


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.stem)
def test_an_example_takes_few_steps(page: Path) -> None:
    assert 3 <= len(steps(page)) <= MOST_STEPS


def test_a_water_loop_without_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = walked(page_named("water_loop"), tmp_path, monkeypatch)
    report = judged(folder / "outputs" / "loop_judged")
    normality = report["normality"]
    assert normality["overall"]["auroc"] > 0.85
    assert normality["events"]["detected"] >= 6
    # Nothing is learned from the recordings that have a label.
    task = (folder / "own" / "conf" / "task" / "loop.yaml").read_text()
    fit = re.search(r"first_windows: (\d+)", task)
    assert fit
    sound = pd.read_csv(folder / "loop" / "normal.csv", sep=";", parse_dates=["datetime"])
    recorded = sound["datetime"].iloc[-1] - sound["datetime"].iloc[0]
    assert 0 < int(fit[1]) * 30 < recorded.total_seconds()
    assert {"PCA T²", "PCA SPE"} < set(report["detectors"]["columns"])
    assert report["detectors"]["columns"][0] == report["model"] == "mahalanobis"
    assert report["detectors"]["verdicts"]
    page = (folder / "outputs" / "loop_judged" / "report.html").read_text()
    assert "which are alike: they are too narrow" in page
    assert "nothing says how others will do" in page
    again = judged(folder / "outputs" / "loop_runs")
    assert again["normality"]["thresholds_reset"] == {"run_windows": [1, 3]}


@pytest.mark.slow
def test_engines_run_to_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = walked(page_named("engines"), tmp_path, monkeypatch)
    report = judged(folder / "outputs" / "engines_judged")
    assert (report["split"], report["resampled"]["unit"]) == ("by_machine", "machines")
    assert report["resampled"]["units"] == report["test_machines"] == 12
    remaining = report["judged"]["remaining_life"]
    assert remaining["r2"]["value"] > 0.5
    low, high = remaining["rmse"]["interval"]
    assert low < remaining["rmse"]["value"] < high
    assert {"ridge", "extra trees"} < set(report["models"]["columns"])
    # The answers are cycles, as counted from the files: the truth ends with 0 or a few more.
    answers = pd.read_parquet(folder / "outputs" / "engines_judged" / "predictions.parquet")
    assert answers["target"].max() == 66
    assert answers.groupby("equipment_id")["target"].min().between(0, 6).all()
    page = (folder / "outputs" / "engines_judged" / "report.html").read_text()
    assert "1970" not in page


@pytest.mark.slow
def test_a_press_simulated_from_its_machine_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = walked(page_named("press"), tmp_path, monkeypatch)
    labels = pd.read_parquet(folder / "press_simulated" / "labels")
    assert labels["equipment_id"].nunique() == 4
    assert labels["ram.health"].min() < 1.0 or labels["pump.health"].min() < 1.0
    report = judged(folder / "outputs" / "press_judged")
    assert report["test_machines"] == report["resampled"]["units"] == 8


@pytest.mark.slow
def test_actuators_judged_on_other_actuators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = walked(page_named("actuators"), tmp_path, monkeypatch)
    report = judged(folder / "outputs" / "actuators_judged")
    assert (report["split"], report["resampled"]["unit"]) == ("column", "machines")
    assert report["resampled"]["units"] == 4
    assert report["judged"]["condition"]["accuracy"]["value"] > 0.6
    assert {"shrinkage LDA", "extra trees"} < set(report["models"]["columns"])
    answers = pd.read_parquet(folder / "outputs" / "actuators_judged" / "predictions.parquet")
    assert set(answers["equipment_id"]) == {f"actuator_{number:02}" for number in range(9, 13)}
    page = (folder / "outputs" / "actuators_judged" / "report.html").read_text()
    assert "intervals are rough guesses" in page
    assert (folder / "outputs" / "actuators_1" / "results.json").is_file()
