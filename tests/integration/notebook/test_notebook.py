"""A DataFrame goes in, answers come out: those of an evaluation and of the service."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from frames import KEYS, READING, ROWS, narrow_of
from jobs import ROOT, export_settings
from pages import blocks

from hydrascope import Diagnoser
from hydrascope.experiment import export
from hydrascope.notebook.answer_table import Answer, answers_of
from hydrascope.packaging.archive import pack
from hydrascope.packaging.bundle import Bundle
from hydrascope.schemas import TaskSpec, TimeWindow, validate
from hydrascope.schemas.calibration import Conformal
from hydrascope.serving.diagnosis.diagnosis import build_diagnosis
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import TelemetryWindow
from hydrascope.telemetry import ZemaSource

CODE = blocks((ROOT / "docs" / "python.md",), "python")


"""What the page shows: a diagnosis, its explanation, a training, the parts."""


def same(answers: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Hold answers against an evaluation's."""
    both = answers.merge(expected, on=KEYS, suffixes=("", "_expected"), validate="1:1")
    assert len(both) == len(answers) == len(expected) == 5 * len(ROWS)
    np.testing.assert_allclose(both["probability"], both["probability_expected"], atol=1e-6)
    graded = both["head"] != "stable"
    assert both["answer"][graded].tolist() == both["answer_expected"][graded].tolist()
    assert both["answer"][~graded].tolist() == (both["probability"] >= 0.5)[~graded].tolist()


@pytest.mark.parametrize("layout", ["wide", "narrow", "shuffled"])
def test_answers_are_those_of_an_evaluation(
    layout: str,
    diagnoser: Diagnoser,
    wide: pd.DataFrame,
    expected: tuple[pd.DataFrame, list[TimeWindow]],
) -> None:
    frame = wide if layout == "wide" else narrow_of(wide)
    if layout == "shuffled":
        frame = frame.sample(frac=1.0, random_state=0)
    same(diagnoser.predict(frame, reading=READING), expected[0])


def test_a_checkpoint_answers_as_its_bundle(
    light: str, wide: pd.DataFrame, expected: tuple[pd.DataFrame, list[TimeWindow]]
) -> None:
    same(Diagnoser.load(light, least_right=0.0).predict(wide, reading=READING), expected[0])


def test_an_archive_answers_as_its_folder(
    folder: Path, diagnoser: Diagnoser, wide: pd.DataFrame, tmp_path: Path
) -> None:
    pack(folder, tmp_path / "rig.zip")
    answers = Diagnoser.load(str(tmp_path / "rig.zip"), least_right=0.0).predict(
        wide, reading=READING
    )
    pd.testing.assert_frame_equal(answers, diagnoser.predict(wide, reading=READING))


def test_answers_are_those_of_the_service(
    diagnoser: Diagnoser,
    opened: Bundle,
    zema: ZemaSource,
    wide: pd.DataFrame,
    expected: tuple[pd.DataFrame, list[TimeWindow]],
) -> None:
    manifest = opened.manifest
    (machine,) = manifest.machines
    windows = [
        TelemetryWindow(machine, each.start, zema.read("zema", each)) for each in expected[1]
    ]
    served, _ = ServedModel(opened).answer(windows)
    answers = diagnoser.predict(wide, reading=READING).set_index(KEYS)
    for window, answer in zip(windows, served, strict=True):
        said = build_diagnosis(window, answer, manifest, opened.version)
        for component, findings in said.components.items():
            for head, found in findings.items():
                row = answers.loc[(window.start, head, component)]
                assert row["answer"] == found.outcome
                assert found.outcome is not None
                assert found.probabilities is not None
                assert row["probability"] == pytest.approx(
                    found.probabilities[found.outcome], abs=1e-6
                )


def test_windows_begin_at_each_stretch_and_follow_the_stride(
    diagnoser: Diagnoser, wide: pd.DataFrame
) -> None:
    two = wide.iloc[:120].assign(
        timestamp=pd.date_range("2024-05-01T12:00:00+02:00", periods=120, freq="1s")
    )
    starts = diagnoser.predict(two, stride_s=25, reading=READING)["start"].unique()
    first = pd.Timestamp("2024-05-01T10:00:00Z")
    assert list(starts) == [first + pd.Timedelta(seconds=each) for each in (0, 25, 50)]
    longer = pd.concat([two, wide.iloc[:30].assign(timestamp=two["timestamp"].iloc[:30])])
    answers = diagnoser.predict(longer, reading=READING)
    assert len(answers) == 2 * 5  # of one instant the last row counts


def test_samples_of_bad_quality_are_missing(diagnoser: Diagnoser, wide: pd.DataFrame) -> None:
    narrow = narrow_of(wide)
    bad = narrow["sensor_id"] == "PS1"
    flagged = narrow.assign(quality=np.where(bad, "bad", "good"))
    answers = diagnoser.predict(flagged, reading={**READING, "quality_accepted": ["good"]})
    pd.testing.assert_frame_equal(answers, diagnoser.predict(narrow[~bad], reading=READING))
    every = diagnoser.predict(narrow, reading=READING)
    pd.testing.assert_frame_equal(diagnoser.predict(flagged, reading=READING), every)


def test_several_machines_are_answered_each_by_itself(
    of_two: Diagnoser, wide: pd.DataFrame
) -> None:
    first, second = wide.iloc[:60], wide.iloc[60:]
    both = pd.concat([second.assign(equipment_id="twin"), first.assign(equipment_id="zema")])
    answers = of_two.predict(both, reading=READING)
    for name, part in (("zema", first), ("twin", second)):
        mine = answers[answers["equipment_id"] == name].reset_index(drop=True)
        alone = of_two.predict(part, equipment_id=name, reading=READING)
        pd.testing.assert_frame_equal(mine, alone, atol=1e-6)


def test_a_bundle_of_a_registry_answers_as_its_folder(
    light: str, diagnoser: Diagnoser, wide: pd.DataFrame, tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path / 'registry.db'}"
    stored = ("registry=mlflow", "alias=champion", f"uri={uri}", f"artifacts={tmp_path / 'files'}")
    export.run(export_settings(light, tmp_path / "shipped", *stored))
    for name in ("models:/zema@champion", "models:/zema/1"):
        answers = Diagnoser.load(name, registry_uri=uri, least_right=0.0).predict(
            wide, reading=READING
        )
        pd.testing.assert_frame_equal(answers, diagnoser.predict(wide, reading=READING))


def test_values_labels_and_intervals_have_their_columns(opened: Bundle) -> None:
    (machine,) = opened.manifest.machines
    told = {"level": "machine", "name": "wear", "kind": "regression", "unit": "bar"}
    task = validate(
        TaskSpec,
        {
            "name": "several",
            "heads": [
                told,
                told | {"name": "drops", "labels": ["inlet", "outlet"]},
                {"level": "machine", "name": "faults", "kind": "multi_label", "labels": ["a", "b"]},
            ],
        },
    )
    conformal = Conformal(
        coverage=0.9,
        margins={"wear": (0.5,), "drops": (1.0, 2.0)},
        windows=100,
        units=10,
        unit="conditions",
    )
    manifest = opened.manifest.model_copy(
        update={"task": task, "conformal": conformal, "thresholds": {"faults.a": 0.2}}
    )
    decoded = {
        "wear": torch.tensor([[3.0]]),
        "drops": torch.tensor([[1.0, 5.0]]),
        "faults": torch.tensor([[0.25, 0.25]]),
    }
    start = pd.Timestamp("2024-05-01T12:00:00Z")
    assert [*answers_of(manifest, machine, [start], decoded)] == [
        Answer("zema", start, "wear", None, None, 3.0, None, 2.5, 3.5, None, None),
        Answer("zema", start, "drops", None, "inlet", 1.0, None, 0.0, 2.0, None, None),
        Answer("zema", start, "drops", None, "outlet", 5.0, None, 3.0, 7.0, None, None),
        Answer("zema", start, "faults", None, "a", True, 0.25, None, None, None, None),
        Answer("zema", start, "faults", None, "b", False, 0.25, None, None, None, None),
    ]


def test_the_code_of_the_page_runs_without_lightning_hydra_or_a_service(
    folder: Path, wide: pd.DataFrame, tmp_path: Path
) -> None:
    code = CODE[0]
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "rig").symlink_to(folder)
    wide.to_parquet(tmp_path / "telemetry.parquet")
    check = f"""
import sys
import hydrascope
assert not {{"torch", "pandas"}} & set(sys.modules)
assert {{"fit", "Diagnoser"}} <= set(dir(hydrascope))
{code}
assert len(answers) == {5 * len(ROWS)}
print(sorted({{"lightning", "hydra", "omegaconf", "fastapi", "mlflow"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_page_goes_on_to_explain_and_to_train(
    folder: Path, wide: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "rig").symlink_to(folder)
    wide.to_parquet("telemetry.parquet")
    diagnosis, explanation, training = CODE[:3]
    few = '{"max_epochs": 1, "limit_train_batches": 3, "progress_bar": False}'
    small = training.replace('{"max_epochs": 2}', few).replace(
        'tracking="none",', 'tracking="none", baselines=False, data={"window": {"steps": 2}},'
    )
    assert few in small
    assert "steps" in small
    names: dict[str, Any] = {}
    for code in (diagnosis, explanation, small):
        exec(code, names)
    assert set(names["drivers"]["head"]) == {"valve"}
    assert len(names["answers"]) == 5 * len(ROWS)
    assert names["run"].folder == tmp_path / "runs" / "first"
    assert names["run"].settings.model.keys["states"] == "lstm"
    assert not names["run"].settings.features.use_temporal
