"""The packed store of one machine: what is read is what was written, or an error."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rig_parts import spec_of, stored

from hydrascope.data.store.format import JOURNAL, MANIFEST, StoreDamagedError, field_file
from hydrascope.data.store.reader import GraphStore, Verify
from hydrascope.data.store.writer import claim, mark_unfinished, write_chunk

Arrays = dict[str, NDArray[Any]]


@pytest.fixture
def arrays() -> Arrays:
    """23 windows of three fields, one of them of a machine without such parts."""
    random = np.random.default_rng(0)
    return {
        "features": random.standard_normal((23, 3, 2, 4), dtype=np.float32),
        "observed": random.random((23, 3, 2)) > 0.5,
        "nothing": np.zeros((23, 0, 2), np.float32),
    }


def take(store: GraphStore, name: str, rows: list[int]) -> NDArray[Any]:
    field = store.manifest.fields[name]
    out = np.empty((len(rows), *field.shape), field.dtype)
    store.take(name, np.array(rows), out)
    return out


def flip(path: Path, byte: int) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("rows", [[0], [4, 5, 6], [3, 3, 5], [0, 9, 22], list(range(23))])
@pytest.mark.parametrize("how", [{"preload": True}, {"mapped": True}, {"mapped": False}])
def test_windows_come_back_as_they_were_written(
    arrays: Arrays, tmp_path: Path, rows: list[int], how: dict[str, bool]
) -> None:
    written = stored(tmp_path, arrays, chunk_windows=5)
    store = GraphStore(written.folder, **how)
    for name, array in arrays.items():
        np.testing.assert_array_equal(take(store, name, rows), array[rows])
    np.testing.assert_array_equal(store.read(7, 9)["features"], arrays["features"][7:9])
    again: GraphStore = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(take(again, "features", rows), arrays["features"][rows])


def test_files_are_plain_arrays_that_numpy_opens(arrays: Arrays, tmp_path: Path) -> None:
    store = stored(tmp_path, arrays, chunk_windows=5)
    for name, array in arrays.items():
        np.testing.assert_array_equal(np.load(field_file(store.folder, name)), array)


def test_any_flipped_bit_is_noticed_on_opening(arrays: Arrays, tmp_path: Path) -> None:
    store = stored(tmp_path, arrays, chunk_windows=5)
    random = np.random.default_rng(1)
    for name in ("features", "observed"):
        path = field_file(store.folder, name)
        for byte in random.integers(0, path.stat().st_size, 25).tolist():
            flip(path, byte)
            with pytest.raises(StoreDamagedError):
                GraphStore(store.folder, Verify.OPEN)
            flip(path, byte)
    GraphStore(store.folder, Verify.OPEN)


def test_reading_notices_damage_in_the_chunks_it_reads_and_no_others(
    arrays: Arrays, tmp_path: Path
) -> None:
    store = stored(tmp_path, arrays, chunk_windows=5)
    flip(field_file(store.folder, "features"), -1)  # in the last chunk, windows 20 to 22
    lazy = GraphStore(store.folder, Verify.READ)
    np.testing.assert_array_equal(take(lazy, "features", [0, 19]), arrays["features"][[0, 19]])
    with pytest.raises(StoreDamagedError, match="chunk 4 is damaged"):
        take(lazy, "features", [3, 20])
    with pytest.raises(StoreDamagedError):
        GraphStore(store.folder, Verify.READ, preload=True)
    assert take(GraphStore(store.folder, Verify.NEVER), "features", [20]).shape == (1, 3, 2, 4)


@pytest.mark.parametrize("verify", list(Verify))
@pytest.mark.parametrize("damage", ["short", "gone", "header", "no manifest", "other manifest"])
def test_files_of_the_wrong_form_are_refused_whatever_is_verified(
    arrays: Arrays, tmp_path: Path, damage: str, verify: Verify
) -> None:
    store = stored(tmp_path, arrays, chunk_windows=5)
    path, manifest = field_file(store.folder, "features"), store.folder / MANIFEST
    match damage:
        case "short":
            path.write_bytes(path.read_bytes()[:-4])
        case "gone":
            path.unlink()
        case "header":
            flip(path, 1)
        case "no manifest":
            manifest.write_text("{")
        case "other manifest":
            manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"windows": 24}))
    with pytest.raises(StoreDamagedError):
        GraphStore(store.folder, verify)


def test_an_unfinished_store_keeps_the_chunks_that_are_as_its_journal_says(
    arrays: Arrays, tmp_path: Path
) -> None:
    spec = spec_of(arrays, 5)
    writer = claim(tmp_path, spec, wait=True)
    assert writer is not None
    for chunk in (3, 0, 1):
        part = {name: array[list(spec.rows(chunk))] for name, array in arrays.items()}
        writer.record(chunk, write_chunk(writer.folder, spec, chunk, part))
    writer.abandon()
    with (writer.folder / JOURNAL).open("a") as journal:
        journal.write('{"chunk": 2, "che')  # torn by a crash
    features = field_file(writer.folder, "features")
    flip(features, 128 + 5 * spec.fields["features"].window_bytes)  # chunk 1, after its entry
    again = claim(tmp_path, spec, wait=True)
    assert again is not None
    assert again.pending == [1, 2, 4]
    again.abandon()
    np.testing.assert_array_equal(
        take(stored(tmp_path, arrays, 5, Verify.OPEN), "features", list(range(23))),
        arrays["features"],
    )


def test_a_damaged_store_is_rebuilt_where_it_is_damaged_and_nowhere_else(
    arrays: Arrays, tmp_path: Path
) -> None:
    store = stored(tmp_path, arrays, chunk_windows=5)
    spec = spec_of(arrays, 5)
    flip(field_file(store.folder, "features"), -1)
    mark_unfinished(tmp_path, spec)
    assert not store.folder.exists()
    writer = claim(tmp_path, spec, wait=True)
    assert writer is not None
    assert writer.pending == [4]
    writer.abandon()
    stored(tmp_path, arrays, 5, Verify.OPEN)


def test_one_process_builds_and_a_complete_store_is_not_built_again(
    arrays: Arrays, tmp_path: Path
) -> None:
    spec = spec_of(arrays, 5)
    writer = claim(tmp_path, spec, wait=False)
    assert writer is not None
    assert claim(tmp_path, spec, wait=False) is None
    writer.abandon()
    stored(tmp_path, arrays, 5)
    assert claim(tmp_path, spec, wait=False) is None


def test_the_key_changes_with_content_and_layout(arrays: Arrays) -> None:
    base = spec_of(arrays, 5, source="x")
    others = [
        spec_of(arrays, 6, source="x"),
        spec_of(arrays, 5, source="y"),
        spec_of(arrays, 5, source="x", topology="z"),
        spec_of({name: array[:-1] for name, array in arrays.items()}, 5, source="x"),
        spec_of({"features": arrays["features"]}, 5, source="x"),
    ]
    assert len({base.key, *(other.key for other in others)}) == 6
    assert spec_of(arrays, 5, source="x").key == base.key
