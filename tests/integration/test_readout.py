"""The kernel discriminant as part of a training, of its checkpoint and of its bundle."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs import CPU, ROOT, SMALL, Train, export_settings, train_settings

from hydrascope.evaluation.predictions import predict
from hydrascope.experiment import evaluate, export, train
from hydrascope.experiment.restore import Restored, restore
from hydrascope.experiment.settings import EvaluateSettings
from hydrascope.models.kernel.readout import DiscriminantReadout
from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas.errors import SpecError
from hydrascope.training.checkpoint import read_checkpoint
from hydrascope.training.readout import fit_readout

GRADED = ("cooler", "valve", "pump", "accumulator")
FEW_FEATURES = ("data.window.steps=2", "features.patch=false", "trainer.max_epochs=1")
FITTED = ("readout.draws=2", "readout.steps=5", "readout.transplants=2", "readout.max_rows=1000")


def without_readout_size() -> list[str]:
    return [override for override in SMALL if not override.startswith("readout.")]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    overrides = [*without_readout_size(), *FEW_FEATURES, *FITTED, f"run_dir={folder}"]
    train.run(train_settings(*overrides))
    return folder


@pytest.fixture(scope="module")
def best(run_dir: Path) -> str:
    return str(run_dir / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def restored(best: str) -> Restored:
    return restore(best)


def test_it_knows_unseen_conditions_when_the_network_has_hardly_been_trained(
    run_dir: Path,
) -> None:
    results = json.loads((run_dir / "results.json").read_text())["test"]
    network, alone = results["network"], results["its own heads"]
    accuracy = [network[head]["accuracy"] for head in GRADED]
    assert np.mean(accuracy) > 0.93
    assert np.mean(accuracy) > np.mean([alone[head]["accuracy"] for head in GRADED]) + 0.2
    # The machine's head is the network's own.
    assert network["stable"] == alone["stable"]


def test_evaluation_and_bundle_answer_as_the_training_did(
    run_dir: Path, best: str, restored: Restored, tmp_path: Path
) -> None:
    evaluate.run(
        EvaluateSettings(ckpt=best, compare=None, run_dir=str(tmp_path / "e"), hardware=CPU)
    )
    report = json.loads((tmp_path / "e" / "evaluation.json").read_text())["test"]
    assert report == json.loads((run_dir / "results.json").read_text())["test"]["network"]
    export.run(export_settings(best, tmp_path / "bundle"))
    bundle = read_bundle(tmp_path / "bundle")
    assert bundle.manifest.parity <= 1e-4
    program = bundle.program
    _, diagnoser, data = restored
    for size in (1, 3, 64):
        inputs = data.dataset.gather(data.split.test[:size]).inputs
        answers = program(*inputs)
        for name, eager in diagnoser.predict(inputs).items():
            torch.testing.assert_close(answers[name], eager, atol=1e-4, rtol=0)


def test_the_answer_of_a_window_does_not_depend_on_its_batch(restored: Restored) -> None:
    _, diagnoser, data = restored
    rows = data.split.test[:9]
    together = diagnoser.predict(data.dataset.gather(rows).inputs)
    alone = [diagnoser.predict(data.dataset.gather(rows[i : i + 1]).inputs) for i in range(9)]
    for name, answer in together.items():
        each = torch.cat([one[name] for one in alone])
        torch.testing.assert_close(each, answer, atol=1e-5, rtol=0)


def test_what_is_not_observed_is_not_read_and_what_is_matters(restored: Restored) -> None:
    _, diagnoser, data = restored
    inputs = data.dataset.gather(data.split.test[:20]).inputs
    observed = inputs.sensor_observed.clone()
    observed[::3] = False
    masked = inputs._replace(sensor_observed=observed)
    spoilt = masked._replace(
        sensor_features=inputs.sensor_features.masked_fill(~observed.unsqueeze(-1), torch.nan)
    )
    expected, found = diagnoser.predict(masked), diagnoser.predict(spoilt)
    whole = diagnoser.predict(inputs)
    for name in GRADED:
        torch.testing.assert_close(found[name], expected[name], atol=0, rtol=0)
        assert (whole[name] - expected[name]).abs().max() > 1e-3


def test_the_answer_is_the_mean_over_draws_that_differ(restored: Restored) -> None:
    _, diagnoser, data = restored
    fitted = diagnoser.readout
    assert fitted is not None
    buffers = dict(fitted.named_buffers())
    alone = []
    for draw, bias in enumerate(buffers["bias"]):
        own = slice(draw * len(bias), (draw + 1) * len(bias))
        columns = {name: buffers[name][:, own] for name in ("gaussian", "linear")}
        changed = {**buffers, **columns, "bias": bias.unsqueeze(0)}
        alone.append(DiscriminantReadout(fitted.questions, changed))
    inputs = data.dataset.gather(data.split.test).inputs
    answers = [readout(inputs, None) for readout in alone]
    for name, together in fitted(inputs, None).items():
        torch.testing.assert_close(together, (answers[0][name] + answers[1][name]) / 2)
        assert (answers[0][name] - answers[1][name]).abs().max() > 0.01, name


def test_fitting_again_gives_the_same_and_another_seed_another(restored: Restored) -> None:
    settings, diagnoser, data = restored
    fitted = diagnoser.readout
    assert fitted is not None
    assert settings.readout.kind == "discriminant"
    again = fit_readout(diagnoser, data, settings.readout, settings.seed).readout
    other = fit_readout(diagnoser, data, settings.readout, settings.seed + 1).readout
    assert again is not None
    assert other is not None
    for name, value in fitted.named_buffers():
        assert torch.equal(again.get_buffer(name), value), name
    assert not torch.equal(other.features, fitted.features)


@pytest.mark.parametrize("inputs", ["embedding", "both"])
def test_the_networks_embedding_can_be_what_windows_are_compared_by(
    restored: Restored, inputs: str
) -> None:
    settings, diagnoser, data = restored
    config = settings.readout.model_copy(update={"inputs": inputs, "steps": 1, "max_rows": 300})
    try:
        own = diagnoser.readout
        diagnoser.readout = fit_readout(diagnoser, data, config, seed=0).readout
        answers = predict(diagnoser, data.test_dataloader())
    finally:
        diagnoser.readout = own
    right = answers["cooler"].prediction.argmax(1) == answers["cooler"].target[:, 0]
    assert right.double().mean() > 0.5  # a third by chance


def test_a_checkpoint_from_before_the_end_of_the_training_is_refused(run_dir: Path) -> None:
    last = run_dir / "checkpoints" / "last.ckpt"
    assert read_checkpoint(last).readout is None
    with pytest.raises(SpecError, match="no readout yet"):
        restore(str(last))


def test_machines_of_several_builds_need_the_networks_heads(
    run_training: Train, tmp_path: Path
) -> None:
    source = "data.source={_target_: two_builds.TwoBuilds}"
    with pytest.raises(SpecError, match="machines of one topology; set readout=heads"):
        run_training(source, "trainer.max_epochs=1")
    overrides = [*without_readout_size(), source, "readout=heads", f"run_dir={tmp_path}"]
    train.run(train_settings(*overrides, "trainer.max_epochs=1"))
    assert read_checkpoint(tmp_path / "checkpoints" / "best.ckpt").readout == {}
    assert restore(str(tmp_path / "checkpoints" / "best.ckpt")).diagnoser.readout is None


def test_a_wrong_choice_names_the_accepted_ones() -> None:
    with pytest.raises(SpecError, match=r"readout\..*inputs: 'sensors' is not accepted"):
        train_settings("readout.inputs=sensors", "run_dir=.")
    assert (ROOT / "conf" / "readout" / "heads.yaml").exists()
