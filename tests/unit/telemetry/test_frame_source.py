"""A DataFrame is the same telemetry as a file of the same rows."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from telemetry_folders import every, make_folder, narrow, write

from hydrascope.schemas import Machine, SpecError
from hydrascope.telemetry import ParquetSource
from hydrascope.telemetry.folder.settings import ReadingSettings
from hydrascope.telemetry.frame import FrameSource


def narrow_frame() -> pd.DataFrame:
    """Two machines with a gap, jitter, flags, other units, a repeated row and values too high."""
    rng = np.random.default_rng(0)
    times = every(0.1, 600)
    shaken = times + pd.to_timedelta(rng.integers(-20_000, 20_000, 600), unit="us")
    parts = [
        narrow("p", shaken, rng.uniform(0, 410, 600), unit="bar", quality="good"),
        narrow("T", every(1, 60), rng.uniform(290, 330, 60), unit="K", quality="good"),
        narrow("x", times.delete(slice(100, 300)), np.arange(400.0), unit="mm", quality="bad"),
        narrow("p", every(0.1, 50), 3.0, "other", unit="kPa", quality="good"),
        narrow("p", every(0.1, 50, "2024-05-01T13:00:00Z"), 4.0, unit="bar", quality="good"),
        narrow("p", shaken[:3], 5.0, unit="bar", quality="good"),
    ]
    return pd.concat(parts, ignore_index=True)


def wide_frame() -> pd.DataFrame:
    times = every(0.1, 300)
    slow = np.where(np.arange(300) % 10 == 0, 20.0, np.nan)
    flag = np.where(np.arange(300) < 100, "good", "bad")
    columns = {"p": np.arange(300.0), "T": slow, "p_quality": flag}
    return pd.DataFrame({"timestamp": times, "equipment_id": "press", **columns})


@pytest.mark.parametrize("frame", [narrow_frame(), wide_frame()], ids=["narrow", "wide"])
@pytest.mark.parametrize("accepted", [None, ["good"]])
@pytest.mark.parametrize("resample", [{}, {"method": "mean", "rate_hz": 2}, {"method": "hold"}])
def test_a_frame_is_the_telemetry_of_its_file(
    frame: pd.DataFrame, accepted: list[str] | None, resample: dict[str, object], tmp_path: Path
) -> None:
    names = frame["equipment_id"].unique()
    folder = make_folder(tmp_path, *names)
    write(frame, folder / "a.parquet")
    filed = ParquetSource(folder, quality_accepted=accepted, resample=resample)
    settings = ReadingSettings.model_validate({"quality_accepted": accepted, "resample": resample})
    framed = FrameSource(frame, filed.machines(), settings)
    assert framed.fingerprint == filed.fingerprint
    for name in names:
        assert framed.extents(name) == filed.extents(name)
        assert framed.labels(name).empty
        for extent in framed.extents(name):
            found, expected = framed.read(name, extent), filed.read(name, extent)
            assert found.keys() == expected.keys()
            for sensor, signal in found.items():
                assert signal.rate_hz == expected[sensor].rate_hz
                np.testing.assert_array_equal(signal.values, expected[sensor].values)


def test_a_column_that_is_no_sensor_is_refused(tmp_path: Path) -> None:
    machines = ParquetSource(_written(tmp_path, wide_frame())).machines()
    with pytest.raises(SpecError, match=r"^frame: column: 'q' is no sensor of press; accepted: p"):
        FrameSource(wide_frame().assign(q=1.0), machines, ReadingSettings())


def test_a_machine_that_is_unknown_is_refused(tmp_path: Path) -> None:
    machines = ParquetSource(_written(tmp_path, wide_frame())).machines()
    with pytest.raises(
        SpecError, match=r"^frame: equipment_id: no machine 'mill'; there is: press$"
    ):
        FrameSource(wide_frame().assign(equipment_id="mill"), machines, ReadingSettings())


def narrow_machines(folder: Path) -> Mapping[str, Machine]:
    return ParquetSource(_written(folder, wide_frame())).machines()


ROWS = pd.DataFrame({"timestamp": every(0.1, 300), "equipment_id": "press", "p": 1.0})


@pytest.mark.parametrize(
    "frame",
    [
        ROWS.set_index("timestamp"),
        ROWS.rename(columns={"timestamp": "time"}).set_index("time"),
        ROWS.assign(p=pd.Categorical(ROWS["p"])),
        ROWS.assign(p=ROWS["p"].astype("Int64")),
        ROWS.assign(p=ROWS["p"].convert_dtypes(dtype_backend="pyarrow")),
        ROWS.assign(timestamp=[each.tz_convert("Asia/Tokyo") for each in ROWS["timestamp"]]),
    ],
    ids=["index", "time index", "categorical", "nullable", "arrow", "other zone"],
)
def test_a_frame_of_any_dtype_is_read(frame: pd.DataFrame, tmp_path: Path) -> None:
    source = FrameSource(frame, narrow_machines(tmp_path), ReadingSettings())
    (extent,) = source.extents("press")
    assert np.isfinite(source.read("press", extent)["p"].values).sum() == 300


@pytest.mark.parametrize(
    "frame",
    [
        ROWS.assign(p=ROWS["p"].where(ROWS.index % 3 != 1)),
        ROWS.assign(p=ROWS["p"].where(ROWS.index % 3 != 1).astype("Float64")),
        ROWS.assign(quality=np.where(ROWS.index % 20, "bad", "good")),
        ROWS.assign(quality=np.where(ROWS.index % 20, "bad", "good"), status="running"),
    ],
)
def test_empty_and_flagged_samples_do_not_make_a_sensor_slow(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    settings = {"quality_accepted": ["good"]} if "quality" in frame else {}
    reading = ReadingSettings.model_validate(settings)
    source = FrameSource(frame, narrow_machines(tmp_path), reading)
    assert source.extents("press")


def test_a_slow_sensor_is_refused_with_both_rates(tmp_path: Path) -> None:
    slow = ROWS.assign(timestamp=every(1, 300))
    with pytest.raises(SpecError, match=r"sensor p of press has samples at 1 Hz, .* says 10 Hz"):
        FrameSource(slow, narrow_machines(tmp_path), ReadingSettings())


def test_flags_of_which_none_is_said_to_be_good_are_warned_of(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"'quality' holds quality flags, but which are good is"):
        FrameSource(ROWS.assign(quality=192), narrow_machines(tmp_path), ReadingSettings())


@pytest.mark.parametrize(
    "column", [pd.arrays.SparseArray(np.ones(300)), np.ones(300) * 1j, ["on"] * 300]
)
def test_a_column_that_holds_no_numbers_is_one_line(column: object, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^frame: .*\bp\b") as error:
        FrameSource(ROWS.assign(p=column), narrow_machines(tmp_path), ReadingSettings())
    assert "\n" not in str(error.value)


def _written(folder: Path, frame: pd.DataFrame) -> Path:
    write(frame, make_folder(folder) / "a.parquet")
    return folder
