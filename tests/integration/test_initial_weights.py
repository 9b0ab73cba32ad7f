"""Trainings that begin with the weights of others, and machines of other builds that are judged."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from any_build import FLEET
from benchmarks._zero_shot import zero_shot
from jobs import Train, evaluate_settings, export_settings

from hydrascope.experiment import evaluate, export
from hydrascope.experiment.restore import Restored, restore
from hydrascope.prediction.command import Options, predict
from hydrascope.schemas import SpecError
from hydrascope.telemetry.fleet import FleetSource
from hydrascope.telemetry.fleet_export import Format, export_fleet
from hydrascope.training.checkpoint import read_checkpoint

KEPT = ("optim.lr=1e-12", "optim.weight_decay=0", "trainer.max_epochs=1")
"""Settings under which a training leaves its first weights as they are."""
OTHERS = (
    "data.split.name=by_machine",
    "data.source.kinds=[injection_moulding]",
    "data.source.machines_per_kind=6",
)
"""Settings by which the machines are of another kind."""


def test_a_training_begins_with_the_weights_of_other_builds_and_keeps_their_vocabulary(
    run_training: Train, ckpt_of_any: str, bundle_of_any: Path
) -> None:
    begun = read_checkpoint(Path(ckpt_of_any))
    # From a checkpoint: the test of the labels that there are.
    folder = run_training(*FLEET, *OTHERS, *KEPT, f"init={bundle_of_any}")
    found = read_checkpoint(folder / "checkpoints" / "best.ckpt")
    roles = begun.record["input_spec"]["sensor_roles"]
    assert found.record["input_spec"]["sensor_roles"] == roles
    for name, weight in begun.weights.items():
        if name.startswith("model."):
            torch.testing.assert_close(found.weights[name], weight, rtol=0, atol=1e-6)
    machines = restore(str(folder / "checkpoints" / "best.ckpt")).data.machines
    assert all(name.startswith("injection_moulding") for name in machines)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("data.window.steps=3", r"data\.window\.steps: 3 is not accepted; expected 2"),
        (
            "model.row_channels=8",
            r"model\.row_channels: 8 is not accepted with init=.*accepted: 16",
        ),
        ("data.normalise.clip=7", r"data\.normalise\.clip: 7\.0 is not accepted with init="),
        ("features.percentiles=[50]", r"features: .* is not accepted; expected .*percentile_5"),
    ],
)
def test_initial_weights_of_another_network_or_of_other_inputs_are_refused(
    run_training: Train, ckpt_of_any: str, other: str, said: str
) -> None:
    with pytest.raises(SpecError, match=said):
        run_training(*FLEET, other, f"init={ckpt_of_any}")


def test_only_the_labels_that_there_are_are_learned_and_the_rest_stays_as_it_was(
    run_training: Train, ckpt_of_any: str, tmp_path: Path
) -> None:
    folder = tmp_path / "fleet"
    source = FleetSource(kinds=("robot",), **{**MACHINES, "machines_per_kind": 5})
    export_fleet(source, folder, Format.PARQUET, lambda _: None)
    for file in (folder / "labels").iterdir():
        known = ["equipment_id", "start", "end", "commissioning", "health"]
        pd.read_parquet(file)[known].to_parquet(file)
    keys = (
        "experiment=finetune",
        f"data.source.folder={folder}",
        "data.window.steps=2",
        "data.reference={label: commissioning, first_h: null}",
        "data.split.folds=3",
        "data.store.n_jobs=1",
        "model.row_channels=16",
        "model.row_levels=false",
        "model.row_lines=0",
        "trainer.max_epochs=1",
    )
    run_dir = run_training(*keys, f"init={ckpt_of_any}")
    judged = json.loads((run_dir / "results.json").read_text("utf-8"))["test"]["role_rows"]
    assert {name for name, each in judged.items() if each["rows"]} == {"health"}
    found = read_checkpoint(run_dir / "checkpoints" / "best.ckpt").calibration
    begun = read_checkpoint(Path(ckpt_of_any)).calibration
    assert found["thresholds"] == begun["thresholds"]
    assert found["temperatures"]["anomalies"] == begun["temperatures"]["anomalies"]
    restored = restore(str(run_dir / "checkpoints" / "best.ckpt"))  # to evaluate, export, retrain
    assert len(restored.data.split.test)
    with pytest.raises(SpecError, match=r"init: the checkpoint's training began with other wei"):
        run_training(*keys, "init=null", f"resume={run_dir / 'checkpoints' / 'last.ckpt'}")
    with pytest.raises(SpecError, match="the data source has no label for it"):
        run_training(*keys, "init=null")


def test_weights_of_single_sensors_are_added_to_the_network_of_any_build(
    run_training: Train, ckpt_of_any: str, tmp_path: Path
) -> None:
    keys = (*FLEET, *OTHERS, "data.source.fault_rate=10", *KEPT, f"init={ckpt_of_any}")
    plain = run_training(*keys) / "checkpoints" / "best.ckpt"
    own = run_training(*keys, "model.row_own=true") / "checkpoints" / "best.ckpt"
    found = read_checkpoint(own).weights
    for name, weight in read_checkpoint(plain).weights.items():
        if name.startswith("model."):
            torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-6)
    by_roles, with_own = restore(str(plain)), restore(str(own))
    learned = with_own.data.dataset.gather(with_own.data.split.train.tolist())
    head = "component_anomalies"

    def said(by: Restored) -> torch.Tensor:
        return by.diagnoser.raw(learned.inputs).heads[head].detach()

    loss = torch.nn.BCEWithLogitsLoss()
    truth = learned.targets[head]
    assert loss(said(with_own), truth) < 0.5 * loss(said(by_roles), truth)
    with_own.diagnoser.get_buffer("model.rows.own.weight").zero_()
    torch.testing.assert_close(said(with_own), said(by_roles))
    with pytest.raises(SpecError, match="weights or statistics of single sensors"):
        export.run(export_settings(str(own), tmp_path / "any", "any_build=true"))
    # Trained once more, it begins with the network alone: what single sensors add was fitted to the
    # windows that are held out now, and is fitted anew at the end.
    keys = (*keys[:-1], f"init={own}")
    again = run_training(*keys, "model.row_own=true") / "checkpoints"
    begun = read_checkpoint(again / "last.ckpt").weights["model.rows.own.weight"]
    assert not begun.any()
    assert read_checkpoint(again / "best.ckpt").weights["model.rows.own.weight"].any()
    without = run_training(*keys) / "checkpoints" / "best.ckpt"
    torch.testing.assert_close(said(restore(str(without))), said(by_roles))
    export.run(export_settings(str(without), tmp_path / "any", "any_build=true"))


MACHINES: dict[str, Any] = {
    "machines_per_kind": 2,
    "hours": 0.1,
    "recording_min": 2.0,
    "commissioning": 1,
    "fault_rate": 10.0,
}


@pytest.fixture(scope="module")
def other_builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two machines of a build that is not in the training; the first window is the reference."""
    source = FleetSource(kinds=("injection_moulding",), **MACHINES)
    folder = tmp_path_factory.mktemp("others") / "fleet"
    export_fleet(source, folder, Format.PARQUET, lambda _: None)
    return folder


def test_predict_compares_machines_of_other_builds_with_their_first_hours_as_evaluate_does(
    ckpt_of_any: str, bundle_of_any: Path, other_builds: Path, tmp_path: Path
) -> None:
    judged = tmp_path / "judged"
    evaluate.run(
        evaluate_settings(ckpt_of_any, judged, judge="all", folder=other_builds), quiet=True
    )
    expected = pd.read_parquet(judged / "predictions.parquet")
    expected = expected[expected["head"] == "health"].set_index(["equipment_id", "start"])
    assert {name[:-4] for name, _ in expected.index} == {"injection_moulding"}
    options = Options(output=tmp_path / "out", reference_h=2 / 60)
    predict(str(bundle_of_any), [str(other_builds)], {}, options)
    found = pd.concat(pd.read_parquet(file) for file in sorted(options.output.glob("*.parquet")))
    found = found[found["head"] == "health"].set_index(["equipment_id", "start"])
    assert len(found) == len(expected) + 2  # and the reference windows
    for place, answer in expected["answer"].items():
        row = found.loc[place]
        if row["reliable"]:
            assert row["value"] == pytest.approx(answer[0], abs=1e-5)
    assert found["reliable"].any()


def test_a_reference_without_a_whole_window_is_refused(
    bundle_of_any: Path, other_builds: Path, tmp_path: Path
) -> None:
    options = Options(output=tmp_path / "out", reference_h=0.01)
    with pytest.raises(
        SpecError, match=r"reference_h: 0\.01 is not accepted; the first 0\.01 h of"
    ):
        predict(str(bundle_of_any), [str(other_builds)], {}, options)


@pytest.mark.slow
def test_the_benchmark_of_unseen_kinds_agrees_with_an_evaluation(
    ckpt_of_any: str, other_builds: Path, tmp_path: Path
) -> None:
    evaluate.run(
        evaluate_settings(ckpt_of_any, tmp_path, judge="all", folder=other_builds), quiet=True
    )
    report = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))
    source = {**MACHINES, "seed": 0, "kinds": "[injection_moulding]"}
    overrides = [f"data.source.{key}={value}" for key, value in source.items()]
    store = f"data.store.folder={tmp_path / 'store'}"
    (kind, found), *others = zero_shot(Path(ckpt_of_any), "data=fleet", *overrides, store).items()
    assert kind == "injection_moulding"
    assert not others
    assert found.health == pytest.approx(report["test"]["health"]["mae"], rel=1e-4)
    first = report["localisation"]["judged"]["role_rows"]["top1"]["value"]
    assert found.first == pytest.approx(first)
