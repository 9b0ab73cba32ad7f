"""References on their whole way: training, evaluation, bundle and service."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs import Train, export_settings
from safetensors.torch import load_file, save_file
from serving_parts import cycle
from sound_rigs import SOUND_WINDOWS

from hydrascope.experiment import export
from hydrascope.experiment.restore import Restored, restore
from hydrascope.packaging.bundle import read_bundle
from hydrascope.packaging.manifest import sha256
from hydrascope.schemas import Machine, SpecError
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import GivenReference, TelemetryWindow
from hydrascope.telemetry.zema import ZemaSource


@pytest.fixture(scope="module")
def best_of_rigs(run_training: Train) -> str:
    run_dir = run_training(
        "data.source={_target_: sound_rigs.SoundRigs}",
        "data.reference.label=sound",
        "data.window.steps=2",
        "model.references=beside",
        "trainer.max_epochs=1",
    )
    return str(run_dir / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def restored(best_of_rigs: str) -> Restored:
    return restore(best_of_rigs)


@pytest.fixture(scope="module")
def rigs_bundle(best_of_rigs: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "rigs"
    export.run(export_settings(best_of_rigs, folder))
    return folder


def given_cycles(zema: ZemaSource, machine: Machine) -> GivenReference:
    """The rig's sound windows, as a service is given them."""
    windows = (cycle(zema, row, machine) for row in range(SOUND_WINDOWS))
    return GivenReference(machine, 60.0, tuple(windows))


def assert_answers(
    served: ServedModel,
    restored: Restored,
    machine: Machine,
    expected_of: str,
    zema: ZemaSource,
    given: GivenReference | None = None,
) -> None:
    """The served windows of a machine are answered as an evaluation does `expected_of`'s."""
    _, diagnoser, data = restored
    mine = (data.table["equipment_id"] == expected_of).to_numpy()[data.split.test]
    rows = data.split.test[mine][::29]
    expected = diagnoser.predict(data.dataset.gather(rows).inputs)
    first = int(np.flatnonzero((data.table["equipment_id"] == expected_of).to_numpy())[0])
    windows = (cycle(zema, row - first, machine) for row in rows.tolist())
    answers, _ = served.answer([replace(window, given=given) for window in windows])
    for head in served.manifest.task.heads:
        found = torch.from_numpy(np.stack([answer.heads[head.name] for answer in answers]))
        found = found.reshape(expected[head.name].shape)
        torch.testing.assert_close(found, expected[head.name], atol=1e-5, rtol=0)


def test_served_answers_of_machines_with_and_without_references_are_the_evaluated_ones(
    rigs_bundle: Path, restored: Restored, zema: ZemaSource
) -> None:
    data = restored.data
    assert data.reference.sum() == SOUND_WINDOWS
    whole, lean = (machine.reference for machine in data.dataset.machines)
    assert whole is not None
    assert lean is not None
    assert whole.sensor_reference_mask.all()
    assert not lean.sensor_reference_mask.any()
    bundle = read_bundle(rigs_bundle)
    served = ServedModel(bundle)
    for machine in bundle.manifest.machines:
        assert_answers(served, restored, machine, machine.equipment.equipment_id, zema)
    # They do hang on the references: without them the rig is answered otherwise.
    blind = ServedModel(replace(bundle, references={}))
    (rig, _) = bundle.manifest.machines
    with pytest.raises(AssertionError, match="not close"):
        assert_answers(blind, restored, rig, "zema", zema)


def test_answers_say_what_they_were_compared_with(rigs_bundle: Path, zema: ZemaSource) -> None:
    bundle = read_bundle(rigs_bundle)
    served = ServedModel(bundle)
    (rig, lean) = bundle.manifest.machines
    given = given_cycles(zema, rig)
    windows = [cycle(zema, 77, rig), cycle(zema, 77, lean), cycle(zema, 77, rig)]
    windows[2] = replace(windows[2], given=given)
    answers, _ = served.answer(windows)
    assert [answer.reference for answer in answers] == ["bundle", "missing", "given"]
    assert served.check(rig, given) == "given"
    assert served.check(lean) == "missing"  # it reads them beside the features
    nothing = GivenReference(lean, 60.0, (TelemetryWindow(lean, windows[0].start, {}),))
    assert served.check(lean, nothing) == "missing"


def test_windows_that_are_given_are_what_they_are_in_a_data_set(
    rigs_bundle: Path, restored: Restored, zema: ZemaSource
) -> None:
    bundle = read_bundle(rigs_bundle)
    served = ServedModel(replace(bundle, references={}))
    (rig, _) = bundle.manifest.machines
    assert_answers(served, restored, rig, "zema", zema, given_cycles(zema, rig))
    # They take the place of the bundle's own.
    other = replace(given_cycles(zema, rig), windows=(cycle(zema, 1500, rig),))
    with pytest.raises(AssertionError, match="not close"):
        assert_answers(ServedModel(bundle), restored, rig, "zema", zema, other)


def test_a_machine_whose_sensors_changed_has_no_reference_any_more(
    rigs_bundle: Path, restored: Restored, zema: ZemaSource
) -> None:
    bundle = read_bundle(rigs_bundle)
    (rig, lean) = bundle.manifest.machines
    served = ServedModel(bundle)
    renamed = lean.model_copy(update={"equipment": rig.equipment})
    assert_answers(served, restored, renamed, "lean", zema)
    assert_answers(served, restored, rig, "zema", zema)


def test_references_travel_with_the_bundle_and_are_listed_in_its_manifest(
    rigs_bundle: Path, restored: Restored
) -> None:
    files = json.loads((rigs_bundle / "manifest.json").read_text())["files"]
    assert "references.safetensors" in files
    stored = load_file(rigs_bundle / "references.safetensors")
    rig, lean = restored.data.dataset.machines
    assert len(stored["sensor_reference"]) == rig.layout.num_sensors + lean.layout.num_sensors
    opened = read_bundle(rigs_bundle)
    for machine in (rig, lean):
        assert machine.reference is not None
        found = opened.references[machine.equipment_id]
        for one, other in zip(found, machine.reference, strict=True):
            assert torch.equal(one, other)


def test_references_that_are_not_those_of_its_machines_are_refused(
    rigs_bundle: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(rigs_bundle, tmp_path / "copy"))
    file, manifest = copy / "references.safetensors", copy / "manifest.json"
    save_file({name: rows[:-1].clone() for name, rows in load_file(file).items()}, file)
    plain = json.loads(manifest.read_text())
    plain["files"][file.name] = sha256(file)
    manifest.write_text(json.dumps(plain))
    with pytest.raises(SpecError, match="its references are not those of its 2 machines"):
        read_bundle(copy)
