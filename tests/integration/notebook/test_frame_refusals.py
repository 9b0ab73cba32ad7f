"""Frames, checkpoints and bundles that a notebook refuses, each with one line."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from frames import READING, narrow_of

from hydrascope import Diagnoser
from hydrascope.schemas import SpecError


@pytest.mark.parametrize(
    ("change", "more", "fault"),
    [
        ({"columns": "timestamp"}, {}, "frame: no column timestamp; it has: PS1"),
        (
            {"rename": ("PS1", "PS9")},
            {},
            "frame: column: 'PS9' is no sensor of zema; acc",
        ),
        ({"rename": ("PS1", "value")}, {}, "frame: no column sensor_id; it has: timestamp, value"),
        ({"naive": True}, {}, "frame: timestamp: '1970.*' has no time zone; give every time an"),
        ({"text": "PS1"}, {}, "frame: PS1: of type .*string; expected numbers"),
        ({"rows": 59}, {}, r"frame: the longest stretch .* of zema .* is 59 s; .* a window, 60 s"),
        ({"rows": 0}, {}, "frame: it has no rows; expected telemetry"),
        ({"machine": "rig"}, {}, "equipment_id: no machine 'rig'; there is: zema"),
        ({"machine": None}, {}, "frame: equipment_id: empty at 1970.*; expected an id in every"),
        ({}, {"equipment_id": "rig"}, "equipment_id: no machine 'rig'; there is: zema"),
        ({"machine": "zema"}, {"equipment_id": "zema"}, "equipment_id: 'zema' is given, and the"),
        ({}, {"stride_s": 0}, "stride_s: 0 is not accepted; expected seconds, above 0"),
        ({}, {"stride_s": float("nan")}, "stride_s: nan is not accepted; expected seconds"),
        ({}, {"stride_s": "x"}, "Diagnoser.predict: stride_s: 'x' is not accepted; expected a val"),
        ({}, {"reading": 5}, "Diagnoser.predict: reading: 5 is not accepted; expected a valid dic"),
        ({}, {"frame": None}, "Diagnoser.predict: frame: None is not accepted; expected an instan"),
        (
            {},
            {"reading": {"zone": "UTC"}},
            "reading: zone: unknown key; accepted keys: .*did you mean 'time_zone'",
        ),
        (
            {},
            {"reading": {"quality_accepted": [192]}},
            r"frame: reading: quality_accepted is \[192\], but there is no column of flags",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_what_is_accepted(
    change: Mapping[str, object],
    more: Mapping[str, object],
    fault: str,
    diagnoser: Diagnoser,
    wide: pd.DataFrame,
) -> None:
    frame = wide.iloc[:60]
    match change:
        case {"columns": str(name)}:
            frame = frame.drop(columns=name)
        case {"rename": (str(old), str(new))}:
            frame = frame.rename(columns={old: new})
        case {"naive": True}:
            frame = frame.assign(timestamp=frame["timestamp"].dt.tz_localize(None))
        case {"text": str(name)}:
            frame = frame.assign(**{name: "high"})
        case {"rows": int(count)}:
            frame = frame.iloc[:count]
        case {"machine": name}:
            frame = frame.assign(equipment_id=[name, *["zema"] * 59])
    with pytest.raises(SpecError, match=f"^{fault}") as refused:
        diagnoser.predict(**{"frame": frame, "reading": READING, **more})  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_a_sensor_that_the_machine_has_not_is_refused_in_a_narrow_frame(
    diagnoser: Diagnoser, wide: pd.DataFrame
) -> None:
    frame = narrow_of(wide.rename(columns={"TS1": "TS9"}))
    with pytest.raises(SpecError, match=r"^frame: sensor_id: 'TS9' is no sensor of zema; accepted"):
        diagnoser.predict(frame)


def test_a_sensor_that_was_recorded_slowly_is_refused_with_the_remedy(
    diagnoser: Diagnoser, wide: pd.DataFrame
) -> None:
    fault = r"^frame: sensor EPS1 of zema has samples at 1 Hz, its machine file says 100 Hz; name"
    with pytest.raises(SpecError, match=fault):
        diagnoser.predict(wide)


def test_a_value_that_is_no_number_is_named(diagnoser: Diagnoser, wide: pd.DataFrame) -> None:
    mixed = [*wide["PS1"].iloc[:59], "high"]
    with pytest.raises(SpecError, match=r"^frame: .*'high'.*PS1"):
        diagnoser.predict(wide.iloc[:60].assign(PS1=pd.Series(mixed, dtype=object)))


def test_a_machine_of_several_must_be_named(of_two: Diagnoser, wide: pd.DataFrame) -> None:
    with pytest.raises(SpecError, match=r"equipment_id: none is given.*accepted: zema, twin$"):
        of_two.predict(wide)


def test_no_bundle_and_no_checkpoint_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^bundle: .* holds no manifest.json"):
        Diagnoser.load(tmp_path)
    gone = r"^bundle: .*/gone' does not exist; expected the folder or"
    with pytest.raises(SpecError, match=gone):
        Diagnoser.load(tmp_path / "gone")
    wrong = r"^Diagnoser.load: source: 5 is not accepted; expected a p"
    with pytest.raises(SpecError, match=wrong):
        Diagnoser.load(5)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"^ckpt: .* cannot be read"):
        Diagnoser.load(tmp_path / "best.ckpt")
    registry = f"sqlite:///{tmp_path / 'registry.db'}"
    with pytest.raises(SpecError, match=r"^bundle: 'models:/rig@champion' is not in the registry"):
        Diagnoser.load("models:/rig@champion", registry_uri=registry)


def test_a_checkpoint_without_what_trains_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning", None)  # as Python has what cannot be imported
    with pytest.raises(SpecError, match=r"^a checkpoint needs the extra `train`; write pip instal"):
        Diagnoser.load("best.ckpt")
