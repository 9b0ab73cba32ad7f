"""The linear readout on machines of two builds: in a training, its checkpoint and its bundle."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs import CPU, SMALL, export_settings, train_settings
from sklearn.linear_model import Ridge

from hydrascope.evaluation.explain import Explained, explain
from hydrascope.experiment import evaluate, export, train
from hydrascope.experiment.restore import Restored, restore
from hydrascope.experiment.settings import EvaluateSettings
from hydrascope.graphs.window_fields import SENSOR_FEATURES
from hydrascope.models.linear import LinearReadout
from hydrascope.packaging.bundle import read_bundle

RIDGE = 2.0


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    overrides = [each for each in SMALL if not each.startswith("readout.")]
    overrides += [
        "data.source={_target_: two_builds.TwoBuilds}",
        "features.patch=false",
        "readout=linear",
        f"readout.ridge={RIDGE}",
        "trainer.max_epochs=1",
        f"run_dir={folder}",
    ]
    train.run(train_settings(*overrides))
    return folder


@pytest.fixture(scope="module")
def best(run_dir: Path) -> str:
    return str(run_dir / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def restored(best: str) -> Restored:
    return restore(best)


def test_it_answers_the_labels_of_whole_machines_and_nothing_else(run_dir: Path) -> None:
    results = json.loads((run_dir / "results.json").read_text())["test"]
    network, alone = results["network"], results["its own heads"]
    assert {name for name in network if network[name] != alone[name]} == {"stable"}


def test_each_build_is_answered_by_its_own_least_squares(restored: Restored) -> None:
    _, diagnoser, data = restored
    readout = diagnoser.readout
    assert isinstance(readout, LinearReadout)
    learned = np.sort(np.concatenate((data.split.train, data.split.val)))
    tested = data.split.test
    for machine in data.dataset.machines:

        def own(rows: np.ndarray, name: str = machine.equipment_id) -> np.ndarray:
            return rows[(data.table["equipment_id"] == name).to_numpy()[rows]]

        def levels(rows: np.ndarray) -> np.ndarray:
            ((machine, mine),) = data.dataset.locate(own(rows))
            mean = machine.read(SENSOR_FEATURES, mine).double().numpy().mean(axis=2)
            both = np.concatenate((mean, np.sign(mean) * np.log(1 + np.abs(mean))), axis=2)
            return both.reshape(len(mean), -1)

        x, y = levels(learned), data.table["stable"].to_numpy(float)
        varies = x.std(0) > 1e-6 * (1 + np.abs(x.mean(0)))
        center, scale = x.mean(0), np.where(varies, x.std(0), 1.0)

        def standard(x: np.ndarray, center: np.ndarray = center, scale: np.ndarray = scale):
            return np.clip((x - center) / scale, -4, 4)

        ridge = Ridge(alpha=RIDGE).fit(standard(x), y[own(learned)])
        score = ridge.predict(standard(levels(tested)))
        inputs = data.dataset.gather(own(tested)).inputs
        said = torch.logit(readout(inputs)["stable"][:, 0].double()) / 4 + 0.5
        assert np.abs(said.numpy() - score).max() < 0.02
        assert np.corrcoef(said.numpy(), score)[0, 1] > 0.9999


def test_evaluation_and_bundle_answer_as_the_training_did(
    run_dir: Path, best: str, restored: Restored, tmp_path: Path
) -> None:
    evaluate.run(
        EvaluateSettings(ckpt=best, compare=None, run_dir=str(tmp_path / "e"), hardware=CPU)
    )
    report = json.loads((tmp_path / "e" / "evaluation.json").read_text())["test"]
    assert report == json.loads((run_dir / "results.json").read_text())["test"]["network"]
    export.run(export_settings(best, tmp_path / "bundle"))
    _, diagnoser, data = restored
    program = read_bundle(tmp_path / "bundle").program
    inputs = data.dataset.gather(data.split.test[::97]).inputs
    expected = diagnoser.predict(inputs)["stable"]
    torch.testing.assert_close(program(*inputs)["stable"], expected, atol=1e-4, rtol=0)


def test_what_is_explained_is_its_answer(restored: Restored) -> None:
    _, diagnoser, data = restored
    assert isinstance(diagnoser.readout, LinearReadout)
    (head,) = (head for head in diagnoser.heads if head.name == "stable")
    window = int(data.split.test[0])
    found = explain(Explained(diagnoser, data, window, head))
    answer = diagnoser.readout(data.dataset.gather([window]).inputs)["stable"]
    assert abs(found.score) == pytest.approx(abs(float(torch.logit(answer))), abs=1e-4)
    total = float(found.attribution.sum())
    assert total == pytest.approx(found.score - found.usual, rel=0.05, abs=0.05)


def test_a_sensor_that_is_silent_changes_nothing_but_its_own_share(restored: Restored) -> None:
    _, diagnoser, data = restored
    readout = diagnoser.readout
    assert isinstance(readout, LinearReadout)
    inputs = data.dataset.gather(data.split.test[:1]).inputs
    silent = inputs.sensor_observed.clone()
    silent[0] = False
    broken = inputs.sensor_features.clone()
    broken[0] = torch.nan
    without = readout(inputs._replace(sensor_features=broken, sensor_observed=silent))["stable"]
    usual = inputs.sensor_features.clone()
    slot, features = inputs.sensor_slot[0], usual.shape[2]
    # Its share is 0 where its level, and the logarithm of it, stand at their means.
    readout.weight[slot] = 0.0
    at_mean = readout(inputs)["stable"]
    assert features == readout.weight.shape[1] // 2
    torch.testing.assert_close(without, at_mean)


def test_a_build_that_training_has_not_shown_gets_a_half(restored: Restored) -> None:
    readout = restored.diagnoser.readout
    assert isinstance(readout, LinearReadout)
    places, doubled, _ = readout.weight.shape
    fresh = LinearReadout(readout.questions, places, doubled // 2)
    inputs = restored.data.dataset.gather(restored.data.split.test[:3]).inputs
    assert (fresh(inputs)["stable"] == 0.5).all()
