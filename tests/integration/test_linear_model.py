"""The linear model on machines of two builds: in a training, its checkpoint and its bundle."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs import Train, evaluate_settings, export_settings
from serving_parts import cycle
from sklearn.linear_model import Ridge

from hydrascope.evaluation.explain import Explained, Question, explain, stored_window
from hydrascope.experiment import evaluate, export
from hydrascope.experiment.restore import Restored, restore
from hydrascope.graphs.fields import GraphInputs
from hydrascope.models.linear import LinearModel
from hydrascope.packaging.bundle import read_bundle
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.telemetry.zema import ZemaSource

RIDGE = 2.0


@pytest.fixture(scope="module")
def run_dir(run_training: Train) -> Path:
    return run_training(
        "data.source={_target_: two_builds.TwoBuilds}",
        "features.patch=false",
        "model=linear",
        f"model.ridge={RIDGE}",
    )


@pytest.fixture(scope="module")
def best(run_dir: Path) -> str:
    return str(run_dir / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def restored(best: str) -> Restored:
    return restore(best)


def stable(restored: Restored, inputs: GraphInputs) -> torch.Tensor:
    """Return the log odds that the model gives to raw inputs, [G]."""
    model = restored.diagnoser.model
    assert isinstance(model, LinearModel)
    return model(restored.diagnoser.normalise(inputs)).heads["stable"][:, 0]


def test_it_answers_the_labels_of_whole_machines_and_nothing_else(run_dir: Path) -> None:
    results = json.loads((run_dir / "results.json").read_text())["test"]
    assert {name: set(heads) for name, heads in results.items()} == {"linear": {"stable"}}


def test_each_build_is_answered_by_its_own_least_squares(restored: Restored) -> None:
    _, diagnoser, data = restored
    learned = np.sort(np.concatenate((data.split.train, data.split.val)))
    tested = data.split.test
    for machine in data.dataset.machines:

        def own(rows: np.ndarray, name: str = machine.equipment_id) -> np.ndarray:
            return rows[(data.table["equipment_id"] == name).to_numpy()[rows]]

        def means(rows: np.ndarray) -> np.ndarray:
            given = diagnoser.normalise(data.dataset.gather(own(rows)).inputs).sensor_features
            return given.double().numpy().mean(axis=1).reshape(len(own(rows)), -1)

        x, y = means(learned), data.table["stable"].to_numpy(float)
        center, spread = x.mean(0), x.std(0)
        scale = np.where(spread > 1e-4, spread, 1.0)

        def standard(x: np.ndarray, center: np.ndarray = center, scale: np.ndarray = scale):
            return np.clip((x - center) / scale, -4, 4)

        ridge = Ridge(alpha=RIDGE).fit(standard(x), y[own(learned)])
        score = ridge.predict(standard(means(tested)))
        said = stable(restored, data.dataset.gather(own(tested)).inputs).double() / 4 + 0.5
        assert np.abs(said.numpy() - score).max() < 0.02
        assert np.corrcoef(said.numpy(), score)[0, 1] > 0.9999


def test_evaluation_and_bundle_answer_as_the_training_did(
    run_dir: Path, best: str, restored: Restored, tmp_path: Path
) -> None:
    evaluate.run(evaluate_settings(best, tmp_path / "e", missing_sensors=True))
    report = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    assert report["test"] == json.loads((run_dir / "results.json").read_text())["test"]["linear"]
    missing = report["missing_sensors"]
    builds = [row["build"] for row in missing["sensors"]]
    assert {build: builds.count(build) for build in builds} == {"zema_rig": 17, "lean": 16}
    # Each is tried on the windows of its own machine.
    rows = {row["build"]: row["heads"]["stable"]["rows"] for row in missing["sensors"]}
    assert sum(rows.values()) == missing["none"]["stable"]["rows"] == missing["windows"]
    assert missing["pairs"] == {"of": 0, "reason": "the machines are of 2 builds"}
    export.run(export_settings(best, tmp_path / "bundle"))
    _, diagnoser, data = restored
    shipped = read_bundle(tmp_path / "bundle").diagnoser
    inputs = data.dataset.gather(data.split.test[::97]).inputs
    expected = diagnoser.predict(inputs)["stable"]
    torch.testing.assert_close(shipped.predict(inputs)["stable"], expected, atol=1e-4, rtol=0)


def test_a_service_answers_as_an_evaluation_does(
    best: str, restored: Restored, zema: ZemaSource, tmp_path: Path
) -> None:
    export.run(export_settings(best, tmp_path / "bundle"))
    served = ServedModel(read_bundle(tmp_path / "bundle"))
    machine = served.manifest.machines[0]
    rows = restored.data.split.test[restored.data.split.test < 2205][::40].tolist()
    expected = restored.diagnoser.predict(restored.data.dataset.gather(rows).inputs)
    answers, _ = served.answer([cycle(zema, row, machine) for row in rows])
    found = torch.from_numpy(np.stack([answer.heads["stable"] for answer in answers]))
    torch.testing.assert_close(found, expected["stable"], atol=1e-5, rtol=0)


def test_what_is_explained_is_its_answer(restored: Restored) -> None:
    _, diagnoser, data = restored
    (head,) = diagnoser.heads
    window = int(data.split.test[0])
    found = explain(Explained(diagnoser, stored_window(data.dataset, window), Question(head)))
    odds = float(stable(restored, data.dataset.gather([window]).inputs))
    assert abs(found.score) == pytest.approx(abs(odds), abs=1e-4)
    total = float(found.attribution.sum())
    assert total == pytest.approx(found.score - found.usual, rel=0.05, abs=0.05)


def test_a_sensor_that_is_silent_changes_nothing_but_its_own_share(restored: Restored) -> None:
    _, diagnoser, data = restored
    model = diagnoser.model
    assert isinstance(model, LinearModel)
    inputs = data.dataset.gather(data.split.test[:1]).inputs
    silent = inputs.sensor_observed.clone()
    silent[0] = False
    broken = inputs.sensor_features.clone()
    broken[0] = torch.nan
    without = stable(restored, inputs._replace(sensor_features=broken, sensor_observed=silent))
    slot = inputs.sensor_slot[0]
    kept = model.weight[slot].clone()
    # Its share is 0 where its means stand at those of training.
    model.weight[slot] = 0.0
    at_mean = stable(restored, inputs)
    model.weight[slot] = kept
    torch.testing.assert_close(without, at_mean)
    assert not torch.allclose(stable(restored, inputs), at_mean)


def test_a_build_that_training_has_not_shown_gets_a_half(restored: Restored) -> None:
    _, diagnoser, data = restored
    fitted = diagnoser.model
    assert isinstance(fitted, LinearModel)
    fresh = LinearModel(fitted.config, data.input_spec, data.task.heads)
    inputs = diagnoser.normalise(data.dataset.gather(data.split.test[:3]).inputs)
    assert (fresh(inputs).heads["stable"].sigmoid() == 0.5).all()
