"""From a checkpoint to test metrics and to a bundle."""

import json
from pathlib import Path

import pytest
import torch
from jobs import Train, export_settings
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from hydrascope.data.store.window_fields import MACHINE_FEATURES, MACHINE_FEATURES_MASK
from hydrascope.evaluation.calibration import exchangeable_coverage
from hydrascope.evaluation.nonconformity import nonconformity
from hydrascope.evaluation.predictions import predict
from hydrascope.evaluation.removal import SensorRemoval
from hydrascope.experiment import export
from hydrascope.experiment.restore import restore
from hydrascope.packaging import parity
from hydrascope.packaging.bundle import golden_difference, read_bundle
from hydrascope.packaging.parity import golden_answers
from hydrascope.schemas.errors import SpecError


def test_evaluation_writes_metrics_that_scikit_learn_confirms(
    best: str, trained: Path, judged: Path
) -> None:
    report = json.loads((judged / "evaluation.json").read_text())
    _, diagnoser, data = restore(best)
    batch = data.dataset.__getitems__(data.split.test.tolist())
    answers = diagnoser.predict(batch.inputs)
    for head in diagnoser.heads:
        target = batch.targets[head.name][:, 0]
        rows = ~target.isnan()
        true = target[rows].long()
        answer = answers[head.name][rows]
        chosen = answer.argmax(dim=1) if answer.shape[1] > 1 else (answer[:, 0] > 0.5).long()
        found = report["test"][head.name]
        assert found["accuracy"] == pytest.approx(accuracy_score(true, chosen))
        assert found["macro_f1"] == pytest.approx(f1_score(true, chosen, average="macro"), abs=1e-6)
        assert report["confusion"][head.name] == confusion_matrix(true, chosen).tolist()
        if head.classes:
            values = torch.tensor([c.value for c in head.classes])
            error = (values[chosen] - values[true]).abs().mean()
            assert found["mae"] == pytest.approx(float(error), rel=1e-5)
        for name in ("accuracy", "macro_f1"):
            low, high = report["judged"][head.name][name]["interval"]
            assert low <= found[name] <= high
            # Conditions differ by more than chance among their windows does.
            assert high - low > 0.01 or found[name] > 0.99
        with Image.open(judged / f"confusion_{head.name}.png") as picture:
            assert min(picture.size) > 200
    training = json.loads((trained / "results.json").read_text())["test"]["gatv2_arma"]
    assert report["test"] == training
    assert report["model"] == "gatv2_arma"
    assert report["models"]["columns"] == ["gatv2_arma"]
    page = (judged / "report.html").read_text()
    assert "Evaluation of gatv2_arma" in page
    assert report["resampled"]["unit"] == "conditions"
    assert report["resampled"]["units"] == data.table["condition"].iloc[data.split.test].nunique()
    (kind,) = report["kinds"].values()
    assert kind["valve"]["accuracy"]["value"] == pytest.approx(report["test"]["valve"]["accuracy"])


def test_an_evaluation_says_what_an_answer_is_worth_without_a_sensor(
    best: str, judged: Path
) -> None:
    report = json.loads((judged / "evaluation.json").read_text())
    missing = report["missing_sensors"]
    _, diagnoser, data = restore(best)
    machine = data.machines["zema"]
    sensors = [sensor.id for _, sensor in machine.topology.sensors]
    assert [row["sensor"] for row in missing["sensors"]] == sensors
    assert missing["windows"] == 440
    batch = data.dataset.gather(data.split.test)
    for number in (0, 5, 16):
        observed = batch.inputs.sensor_observed.reshape(440, 17, -1).clone()
        observed[:, number] = False
        inputs = batch.inputs._replace(sensor_observed=observed.flatten(0, 1))
        answers = diagnoser.predict(inputs)
        for head in diagnoser.heads:
            target = batch.targets[head.name][:, 0]
            rows = ~target.isnan()
            true, p = target[rows].long(), answers[head.name][rows]
            p = p if p.shape[1] > 1 else torch.cat([1 - p, p], dim=1)
            right = p.argmax(dim=1) == true
            found = missing["sensors"][number]["heads"][head.name]
            assert found["value"] == pytest.approx(float(right.double().mean()), abs=0.005)
            assert found["rows"] == int(rows.sum())
            if not right.all():
                sure = float(p.max(dim=1).values[~right].mean())
                assert found["wrong_confidence"] == pytest.approx(sure, abs=0.005)
    for head in diagnoser.heads:
        accuracy = report["test"][head.name]["accuracy"]
        assert missing["none"][head.name]["value"] == pytest.approx(accuracy)
        assert missing["none"][head.name]["ece"] == pytest.approx(
            report["calibration"]["questions"][head.name]["after"]["ece"], abs=1e-6
        )


def test_sets_cover_what_they_say_on_exchangeable_windows_and_report_what_is_left_on_unseen_ones(
    best: str, judged: Path
) -> None:
    report = json.loads((judged / "evaluation.json").read_text())["calibration"]
    _, diagnoser, data = restore(best)
    assert report["held_out"]["windows"] == len(data.split.val)
    assert report["held_out"]["units"] == data.table["condition"].iloc[data.split.val].nunique()
    covered = report["conformal"]["heads"]
    assert covered.keys() == {head.name for head in diagnoser.heads}
    answers = diagnoser.predict(data.dataset.gather(data.split.test).inputs)
    targets = data.dataset.gather(data.split.test).targets
    assert diagnoser.calibration is not None
    for head in diagnoser.heads:
        found = covered[head.name]
        assert 0.96 <= found["exchangeable"] <= 1
        rows = ~targets[head.name][:, 0].isnan()
        true = targets[head.name][rows]
        p = answers[head.name][rows].double()
        p = torch.cat([1 - p, p], dim=1) if p.shape[1] == 1 else p
        (margin,) = diagnoser.calibration.spec.conformal.margins[head.name]
        kept = 1 - p.gather(1, true.long()) <= margin
        assert found["coverage"] == pytest.approx(float(kept.double().mean()))
    # Before the temperatures the heads are less sure: the promise can be kept to the point.
    diagnoser.calibration = None
    own = predict(diagnoser, data.test_dataloader())
    for head in diagnoser.heads:
        rows = own[head.name]
        scores = nonconformity(head, rows.prediction, rows.target).numpy()
        for nominal in (0.8, 0.9, 0.95):
            assert exchangeable_coverage(scores, nominal) == pytest.approx(nominal, abs=0.02)


def test_a_bundle_answers_as_the_checkpoint_does_for_any_number_of_windows(
    best: str, bundle: Path
) -> None:
    opened = read_bundle(bundle)
    assert opened.manifest.parity <= 1e-4
    _, diagnoser, data = restore(best)
    for size in (1, 3, 64):
        inputs = data.dataset.__getitems__(data.split.test[:size].tolist()).inputs
        exported = opened.diagnoser.predict(inputs)
        for name, eager in diagnoser.predict(inputs).items():
            torch.testing.assert_close(exported[name], eager, atol=1e-4, rtol=0, equal_nan=True)


def test_a_bundle_still_gives_its_golden_answers(bundle: Path) -> None:
    opened = read_bundle(bundle)
    answers = golden_answers(opened.diagnoser, opened.golden)
    assert answers.keys() == opened.golden_answers.keys()
    for name, answer in answers.items():
        expected = opened.golden_answers[name]
        torch.testing.assert_close(answer, expected, atol=1e-5, rtol=0, equal_nan=True)


def test_a_network_with_all_physics_and_robust_statistics_trains_and_ships(
    run_training: Train, tmp_path: Path
) -> None:
    run_dir = run_training(
        "trainer.max_epochs=1",
        "features.hydraulic=true",
        "features.edge_dynamic=true",
        "data.normalise.method=robust",
        "data.normalise.per_step=false",
    )
    best = str(run_dir / "checkpoints" / "best.ckpt")
    export.run(export_settings(best, tmp_path / "bundle"))
    shipped = read_bundle(tmp_path / "bundle")
    spec = shipped.manifest.input_spec
    assert len(spec.edge_dynamic_names) == 6
    assert len(spec.machine_feature_names) == 4
    assert shipped.golden.edge_dynamic_mask.any()
    assert golden_difference(shipped) <= 1e-5
    _, diagnoser, data = restore(best)
    machine = data.dataset.machines[0]
    own, known = (
        machine.read(name).squeeze(1) for name in (MACHINE_FEATURES, MACHINE_FEATURES_MASK)
    )
    # With a sensor goes what physics made of it, and nothing else.
    batch, removal = data.dataset.gather(data.split.test[:3]), SensorRemoval(data)
    without = {slot: removal.without(batch, [slot]).inputs for slot in spec.sensor_slots}
    for name in ("edge_dynamic", "machine_features"):
        idle, whole = getattr(without["zema_rig/CE"], name), getattr(batch.inputs, name)
        torch.testing.assert_close(idle, whole)
        known = getattr(batch.inputs, f"{name}_mask")
        left = {slot: getattr(each, f"{name}_mask") for slot, each in without.items()}
        assert all((mask <= known).all() for mask in left.values())
        assert left["zema_rig/CE"].sum() == known.sum()
        assert min(mask.sum() for mask in left.values()) < known.sum()
    assert without["zema_rig/PS1"].machine_features_mask.sum() < known.sum()
    # Of the rig all but the flow efficiency is known, and was fitted on the training part.
    assert known.flatten(0, 1).all(0).tolist() == [True, True, False, True]
    assert diagnoser.machine_normalizer is not None
    train = own[data.split.train].flatten(0, 1)
    median = train.double().quantile(0.5, dim=0)
    center = diagnoser.machine_normalizer.center[0, 0].double()
    spread = diagnoser.machine_normalizer.scale[0, 0].double()
    assert ((center - median).abs() < 0.02 * spread).all()


def test_an_export_whose_answers_differ_leaves_nothing_behind(
    light: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No difference is small enough for a negative limit.
    monkeypatch.setattr(parity, "LIMIT", -1.0)
    with pytest.raises(SpecError, match="answers of the bundle and of its checkpoint differ"):
        export.run(export_settings(light, tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_overwritten(light: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="exists; choose a new folder"):
        export.run(export_settings(light, tmp_path))
