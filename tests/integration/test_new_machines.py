"""Machines of builds that training has not shown, in the bundle of a model that reads any build."""

from pathlib import Path

import pytest
from jobs import Train, export_settings

from hydrascope.experiment import export
from hydrascope.experiment.restore import Restored, restore
from hydrascope.packaging.bundle import Bundle, read_bundle
from hydrascope.schemas import Machine, SpecError
from hydrascope.serving.model import ServedModel
from hydrascope.telemetry.zema import ZemaSource

FLEET = (
    "experiment=fleet_unseen_kind",
    "data.source.kinds=[robot,machining_centre,excavator]",
    "data.split.folds=3",
    "data.split.val_fraction=0.34",
    "data.source.machines_per_kind=3",
    "data.source.hours=0.1",
    "data.source.recording_min=1.0",
    "data.source.commissioning=2",
    "data.window.window_s=60.0",
    "data.window.stride_s=60.0",
    "data.window.steps=2",
    "data.store.n_jobs=1",
    "model.row_channels=16",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=20",
)


@pytest.fixture(scope="module")
def ckpt(run_training: Train) -> str:
    return str(run_training(*FLEET) / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def restored(ckpt: str) -> Restored:
    return restore(ckpt)


@pytest.fixture(scope="module")
def bundle_of_any(ckpt: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "any"
    export.run(export_settings(ckpt, folder))
    return folder


@pytest.fixture(scope="module")
def opened(bundle_of_any: Path) -> Bundle:
    return read_bundle(bundle_of_any)


@pytest.fixture(scope="module")
def held_out(restored: Restored) -> str:
    """The first machine of the kind that was held out."""
    data = restored.data
    names = data.table["equipment_id"].iloc[data.split.test]
    assert len(data.table["kind"].iloc[data.split.test].unique()) == 1
    return str(names.iloc[0])


def renamed(machine: Machine, name: str = "new") -> Machine:
    """The same machine under another name, of a build of that name."""
    plain = machine.model_dump(mode="json")
    plain["equipment"]["equipment_id"] = plain["topology"]["id"] = name
    return Machine.model_validate(plain)


def spoilt(machine: Machine, what: str) -> Machine:
    """The machine with a kind of sensor or component that no other has."""
    plain = renamed(machine).model_dump(mode="json")
    component = plain["topology"]["components"][0]
    if what == "component":
        component["kind"] = "flux_capacitor"
        plain["topology"]["component_kinds"] = ["flux_capacitor"]
    else:
        component["sensors"][0] |= {"kind": "strain", "unit": "um/m", "range": None}
        plain["topology"]["sensor_kinds"] = {"strain": ["um/m"]}
    return Machine.model_validate(plain)


def test_a_machine_of_any_build_of_known_kinds_is_accepted(
    opened: Bundle, restored: Restored, held_out: str, zema: ZemaSource
) -> None:
    served = ServedModel(opened)
    served.check(renamed(restored.data.machines[held_out]))
    served.check(zema.machines()["zema"])


@pytest.mark.parametrize("what", ["component", "sensor"])
def test_a_kind_that_the_model_does_not_know_is_refused_by_name_in_one_line(
    what: str, opened: Bundle, restored: Restored, held_out: str
) -> None:
    machine = spoilt(restored.data.machines[held_out], what)
    component = machine.topology.components[0]
    part = component if what == "component" else component.sensors[0]
    with pytest.raises(SpecError) as refused:
        ServedModel(opened).check(machine)
    said = str(refused.value)
    assert said.startswith(f"{what} {part.id!r} is of kind {part.kind!r}, which is unknown")
    assert "known: p" in said  # pump, …; pressure, …
    assert len(said.splitlines()) == 1


def test_a_bundle_with_weights_of_single_sensors_says_why_it_refuses_and_what_reads_any_build(
    bundle: Path, zema: ZemaSource
) -> None:
    served = ServedModel(read_bundle(bundle))
    served.check(zema.machines()["zema"])
    with pytest.raises(SpecError) as refused:
        served.check(renamed(zema.machines()["zema"]))
    said = str(refused.value)
    assert "of build 'new' is unknown to this model, which has weights or statistics" in said
    assert "experiment=fleet_unseen_kind" in said
    assert len(said.splitlines()) == 1
