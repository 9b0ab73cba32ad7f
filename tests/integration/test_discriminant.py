"""The kernel discriminant as the model of a training, in its checkpoint and in its bundle."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs import (
    DISCRIMINANT,
    ROOT,
    Train,
    evaluate_settings,
    export_settings,
    small,
    train_settings,
)
from serving_parts import cycle

from hydrascope.evaluation.calibrate import fit_temperatures
from hydrascope.evaluation.predictions import predict
from hydrascope.experiment import evaluate, export, train
from hydrascope.experiment.assemble import recipe_of
from hydrascope.experiment.restore import Restored, restore
from hydrascope.models.base import ClosedFormModel
from hydrascope.models.config import LinearConfig
from hydrascope.models.decode import decode
from hydrascope.models.diagnoser import TensorDiagnoser
from hydrascope.models.kernel.config import DiscriminantConfig
from hydrascope.models.kernel.model import KernelDiscriminant
from hydrascope.models.recipe import build_model
from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.fitness import PREFIX
from hydrascope.schemas.yaml_file import load_yaml
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.telemetry.zema import ZemaSource
from hydrascope.training.closed_form import fit_closed_form, fitted_rows, with_model

GRADED = ("cooler", "valve", "pump", "accumulator")
FEW_FEATURES = ("data.window.steps=2", "features.patch=false")


@pytest.fixture(scope="module")
def run_dir(run_training: Train) -> Path:
    return run_training(*DISCRIMINANT, *FEW_FEATURES)


@pytest.fixture(scope="module")
def best(run_dir: Path) -> str:
    return str(run_dir / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def restored(best: str) -> Restored:
    return restore(best)


def fitted_again(restored: Restored, rows: np.ndarray, seed: int) -> TensorDiagnoser:
    settings, diagnoser, data = restored
    model = build_model(recipe_of(settings, data.input_spec))
    assert isinstance(model, ClosedFormModel)
    again = with_model(diagnoser, model)
    fit_closed_form(again, data, rows, seed)
    return again


def test_it_knows_unseen_conditions_and_answers_no_head_that_it_cannot(
    run_dir: Path, best: str
) -> None:
    results = json.loads((run_dir / "results.json").read_text())
    assert results["test"].keys() == {"discriminant"}
    assert results["best_epoch"] is None
    found = results["test"]["discriminant"]
    assert found.keys() == set(GRADED)
    assert np.mean([found[head]["accuracy"] for head in GRADED]) > 0.93


def test_a_head_that_it_does_not_answer_is_named_with_the_reason(
    run_training: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run_training(*DISCRIMINANT, *FEW_FEATURES, "model.draws=1", "model.name=mine")
    said = capsys.readouterr().out
    assert "mine does not answer stable: it is about the whole machine" in said
    lines = [line for line in said.splitlines() if line.startswith("│ stable")]
    (row,) = [line for line in lines if "accuracy" in line]
    assert "–" in row


def test_a_task_of_which_it_answers_nothing_is_refused(run_training: Train) -> None:
    heads = "task.heads=[{name: stable, level: machine, kind: binary}]"
    with pytest.raises(SpecError, match="discriminant answers none of the task's heads"):
        run_training(*DISCRIMINANT, *FEW_FEATURES, heads)


def test_calibration_is_fitted_by_a_model_that_has_not_seen_the_held_out_windows(
    restored: Restored,
) -> None:
    settings, diagnoser, data = restored
    assert diagnoser.calibration is not None
    apart = fitted_again(restored, data.split.train, settings.seed)
    rows = predict(apart, data.val_dataloader())["valve"]
    (head,) = (head for head in diagnoser.heads if head.name == "valve")
    units = data.table["condition"].iloc[data.split.val].nunique()
    assert diagnoser.calibration.spec.temperatures["valve"] == pytest.approx(
        fit_temperatures(head, rows, units), rel=1e-3
    )


def test_evaluation_and_bundle_answer_as_the_training_did(
    run_dir: Path, best: str, restored: Restored, tmp_path: Path
) -> None:
    evaluate.run(evaluate_settings(best, tmp_path / "e"))
    report = json.loads((tmp_path / "e" / "evaluation.json").read_text())["test"]
    assert report == json.loads((run_dir / "results.json").read_text())["test"]["discriminant"]
    # Parity holds for the ONNX model too, or there is no bundle.
    export.run(export_settings(best, tmp_path / "bundle", "onnx=true"))
    bundle = read_bundle(tmp_path / "bundle")
    assert bundle.manifest.parity <= 1e-4
    assert bundle.manifest.model == "discriminant"
    assert [head.name for head in bundle.manifest.task.heads] == list(GRADED)
    assert bundle.manifest.input_spec.component_heads == GRADED
    _, diagnoser, data = restored
    for size in (1, 3, 64):
        inputs = data.dataset.gather(data.split.test[:size]).inputs
        answers = bundle.diagnoser.predict(inputs)
        assert {name for name in answers if not name.startswith(PREFIX)} == set(GRADED)
        for name, eager in diagnoser.predict(inputs).items():
            torch.testing.assert_close(answers[name], eager, atol=1e-4, rtol=0, equal_nan=True)


def test_a_service_answers_as_an_evaluation_does(
    best: str, restored: Restored, zema: ZemaSource, tmp_path: Path
) -> None:
    export.run(export_settings(best, tmp_path / "bundle"))
    served = ServedModel(read_bundle(tmp_path / "bundle"))
    (machine,) = served.manifest.machines
    rows = restored.data.split.test[::40].tolist()
    expected = restored.diagnoser.predict(restored.data.dataset.gather(rows).inputs)
    answers, _ = served.answer([cycle(zema, row, machine) for row in rows])
    for name in GRADED:
        found = torch.from_numpy(np.concatenate([answer.heads[name] for answer in answers]))
        torch.testing.assert_close(found, expected[name], atol=1e-5, rtol=0)
    assert answers[0].heads.keys() == set(GRADED)


def test_the_answer_of_a_window_does_not_depend_on_its_batch(restored: Restored) -> None:
    _, diagnoser, data = restored
    rows = data.split.test[:9]
    together = diagnoser.predict(data.dataset.gather(rows).inputs)
    alone = [diagnoser.predict(data.dataset.gather(rows[i : i + 1]).inputs) for i in range(9)]
    for name, answer in together.items():
        each = torch.cat([one[name] for one in alone])
        torch.testing.assert_close(each, answer, atol=1e-5, rtol=0, equal_nan=True)


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
    fitted = diagnoser.model
    assert isinstance(fitted, KernelDiscriminant)
    record, state = fitted.record(), fitted.state_dict()
    support, transplants, draws = record["sizes"]
    assert draws == 2
    inputs = diagnoser.normalise(data.dataset.gather(data.split.test).inputs)
    alone = []
    for draw in range(draws):
        own = slice(draw * fitted.bias.shape[1], (draw + 1) * fitted.bias.shape[1])
        columns = {name: state[name][:, own] for name in ("gaussian", "linear")}
        model = KernelDiscriminant(fitted.config, data.input_spec, fitted.asked)
        model.prepare(record | {"sizes": [support, transplants, 1]})
        model.load_state_dict({**state, **columns, "bias": state["bias"][[draw]]})
        alone.append(model(inputs).heads)
    together, apart = fitted(inputs).heads, {}
    for head in fitted.answered:
        one, other, both = (decode(head, each[head.name]) for each in (*alone, together))
        torch.testing.assert_close(both, (one + other) / 2)
        apart[head.name] = float((one - other).abs().max())
    assert max(apart.values()) > 0.1


def test_fitting_again_gives_the_same_and_another_seed_another(restored: Restored) -> None:
    settings, diagnoser, data = restored
    rows = fitted_rows(data)
    again, other = (fitted_again(restored, rows, settings.seed + more).model for more in (0, 1))
    for name, value in diagnoser.model.named_buffers():
        assert torch.equal(again.get_buffer(name), value), name
    assert not torch.equal(other.get_buffer("features"), diagnoser.model.get_buffer("features"))


def test_machines_of_several_builds_are_refused(run_training: Train) -> None:
    with pytest.raises(SpecError, match="needs machines of one topology, not 2; accepted with"):
        run_training(*DISCRIMINANT, "data.source={_target_: two_builds.TwoBuilds}")


def test_a_checkpoint_whose_state_does_not_fit_is_refused(best: str, tmp_path: Path) -> None:
    content = torch.load(best, weights_only=True)
    del content["state_dict"]["diagnoser.model.slope"]
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(SpecError, match=r"do not fit discriminant of this version .*; train again"):
        restore(str(tmp_path / "other.ckpt"))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("lr_find=true", "lr_find: True is for networks; discriminant is fitted at once"),
        ("trainer=ddp", "trainer.strategy: 'ddp' is for networks"),
        ("trainer.overfit_windows=64", "trainer.overfit_windows: 64 is for networks"),
        ("trainer.profiler=simple", "trainer.profiler: 'simple' is for networks"),
        ("hardware.compile=true", "hardware.compile: True is for networks"),
    ],
)
def test_what_is_for_networks_is_refused(override: str, said: str, tmp_path: Path) -> None:
    overrides = [*small(*DISCRIMINANT), override, "hardware.devices=1", f"run_dir={tmp_path}"]
    with pytest.raises(SpecError, match=said):
        train.run(train_settings(*overrides))
    assert not list(tmp_path.iterdir())


def test_nor_is_it_resumed(best: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"resume: '.*best.ckpt' is for networks"):
        train.run(train_settings(*small(*DISCRIMINANT), f"resume={best}", f"run_dir={tmp_path}"))


@pytest.mark.parametrize(
    ("name", "config"), [("discriminant", DiscriminantConfig()), ("linear", LinearConfig())]
)
def test_beside_another_model_it_has_the_values_of_its_file(
    name: str, config: DiscriminantConfig | LinearConfig
) -> None:
    keys = load_yaml(ROOT / "conf" / "model" / f"{name}.yaml")
    assert isinstance(keys, dict)
    assert config.model_dump() == {k: v for k, v in keys.items() if k not in ("_target_", "name")}


def test_a_wrong_choice_names_the_accepted_ones() -> None:
    with pytest.raises(SpecError, match=r"model\.draws: 0 is not accepted"):
        train_settings("model=discriminant", "model.draws=0", "run_dir=.")
