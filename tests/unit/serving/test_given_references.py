"""Reference windows: kept and read again to the bit, and refused where they are of no use."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from hydrascope.schemas import Machine, SpecError, validate
from hydrascope.schemas.signal import Signal
from hydrascope.serving.diagnosis.requests import DiagnoseRequest, WindowIn
from hydrascope.serving.equipment.file_store import FileEquipmentStore
from hydrascope.serving.equipment.references import (
    check_length,
    check_use,
    dump_reference,
    load_reference,
    silent_sensors,
)
from hydrascope.serving.windows import GivenReference, ReferenceUse, TelemetryWindow
from hydrascope.telemetry.zema import ZemaSource


@pytest.fixture
def machine(zema: ZemaSource) -> Machine:
    return zema.machines()["zema"]


@pytest.fixture
def reference(machine: Machine) -> GivenReference:
    random = np.random.default_rng(0)
    windows = []
    for day in (1, 2):
        values = random.normal(150.0, 1.0, 60).astype(np.float32)
        values[7] = np.nan
        signals = {"PS1": Signal(values, 1.0), "TS1": Signal(values[:1] * np.nan, 0.5)}
        windows.append(TelemetryWindow(machine, datetime(2026, 1, day, tzinfo=UTC), signals))
    return GivenReference(machine, 60.0, tuple(windows))


def test_what_is_kept_is_read_again_to_the_bit(reference: GivenReference) -> None:
    again = load_reference(dump_reference(reference), "there")
    assert again.digest == reference.digest
    assert (again.machine, again.window_s) == (reference.machine, reference.window_s)
    for found, expected in zip(again.windows, reference.windows, strict=True):
        assert found.start == expected.start
        assert found.signals.keys() == expected.signals.keys()
        for name, signal in found.signals.items():
            assert signal.rate_hz == expected.signals[name].rate_hz
            assert signal.values.dtype == np.float32
            np.testing.assert_array_equal(signal.values, expected.signals[name].values)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{", r"there:1:2: not JSON"), (b'{"window_s": 60}', "machine: missing, but required")],
)
def test_what_is_no_reference_is_refused_by_its_place(content: bytes, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        load_reference(content, "there")


def test_other_samples_have_another_digest(reference: GivenReference, machine: Machine) -> None:
    first, second = reference.windows
    fewer = GivenReference(machine, 60.0, (first,))
    turned = GivenReference(machine, 60.0, (second, first))
    assert len({each.digest for each in (reference, fewer, turned)}) == 3


def test_sensors_without_any_sample_are_named(reference: GivenReference, machine: Machine) -> None:
    sensors = {sensor.id for _, sensor in machine.topology.sensors}
    assert set(silent_sensors(reference)) == sensors - {"PS1"}


def test_it_suits_the_machine_until_its_sensors_are_others(
    reference: GivenReference, machine: Machine
) -> None:
    plain = json.loads(machine.model_dump_json())
    plain["equipment"]["name"] = "moved"
    assert reference.suits(Machine.model_validate(plain))
    plain["topology"]["components"][0]["sensors"].pop()
    assert not reference.suits(Machine.model_validate(plain))


def test_without_a_place_for_machines_there_is_none_for_references(
    reference: GivenReference,
) -> None:
    store = FileEquipmentStore({"zema": reference.machine}, None)
    with pytest.raises(SpecError, match=r"equipment: there is no place .* equipment=FOLDER"):
        asyncio.run(store.save_reference(reference))
    assert asyncio.run(store.reference(reference.machine)) is None


def test_a_folder_keeps_references_until_they_are_removed_or_the_sensors_are_others(
    reference: GivenReference, tmp_path: Path
) -> None:
    machine = reference.machine
    asyncio.run(FileEquipmentStore({"zema": machine}, tmp_path).save_reference(reference))
    store = FileEquipmentStore({"zema": machine}, tmp_path)
    found = asyncio.run(store.reference(machine))
    assert found is not None
    assert found.digest == reference.digest
    assert asyncio.run(store.reference(machine)) is found
    plain = machine.model_dump(mode="json")
    plain["topology"]["components"][0]["sensors"].pop()
    assert asyncio.run(store.reference(Machine.model_validate(plain))) is None
    assert asyncio.run(store.remove_reference("zema"))
    assert not asyncio.run(store.remove_reference("zema"))
    assert asyncio.run(FileEquipmentStore({"zema": machine}, tmp_path).reference(machine)) is None
    (tmp_path / "references" / "zema.json").write_text("{")
    with pytest.raises(SpecError, match=r"zema\.json:1:2: not JSON"):
        FileEquipmentStore({"zema": machine}, tmp_path)


def test_windows_of_another_length_are_refused_with_both(reference: GivenReference) -> None:
    check_length(reference, 60.0)
    with pytest.raises(SpecError, match=r"windows are 60 s long, and the active model's 120 s"):
        check_length(reference, 120.0)


def test_only_a_model_that_sees_nothing_without_it_needs_a_reference() -> None:
    for use in (None, ReferenceUse.GIVEN, ReferenceUse.BUNDLE, ReferenceUse.MISSING):
        check_use(use, "rig")
    with pytest.raises(SpecError, match="/v1/equipment/rig/reference"):
        check_use(ReferenceUse.NEEDED, "rig")


def test_of_writers_at_once_the_last_one_is_in_memory_and_on_disk(
    tmp_path: Path, machine: Machine, reference: GivenReference
) -> None:
    names = [machine.equipment.model_copy(update={"model": f"n{n}"}) for n in range(12)]
    machines = [machine.model_copy(update={"equipment": name}) for name in names]

    async def write() -> Machine:
        store = FileEquipmentStore({}, tmp_path)
        writes = [store.save(each) for each in machines]
        await asyncio.gather(*writes, *(store.save_reference(reference) for _ in range(12)))
        return await store.get("zema")

    in_memory = asyncio.run(write())
    again = FileEquipmentStore({}, tmp_path)
    assert asyncio.run(again.get("zema")) == in_memory
    found = asyncio.run(again.reference(in_memory))
    assert found is not None
    assert found.digest == reference.digest
    assert not list(tmp_path.rglob("*.part*"))


def test_a_window_ends_within_the_calendar_and_a_name_fits_a_file() -> None:
    with pytest.raises(SpecError, match=r"start: .*9999-01-01"):
        validate(WindowIn, {"start": "9999-12-31T23:59:59Z"}, source="window")
    with pytest.raises(SpecError, match=r"equipment_id: .*128"):
        validate(DiagnoseRequest, {"equipment_id": "n" * 129, "start": "2026-01-01T00:00:00Z"})
