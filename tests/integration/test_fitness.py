"""Answers that say how far they can be trusted: evaluation, frames and service alike."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from jobs import ROOT
from serving_parts import cycle, cycle_json
from tests.support.rig_requests import ask
from tests.support.services import Served

from hydrascope import Diagnoser
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.packaging.bundle import read_bundle
from hydrascope.schemas import TimeWindow
from hydrascope.schemas.signal import Signal
from hydrascope.serving.diagnosis.diagnosis import Diagnosis, build_diagnosis
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import TelemetryWindow
from hydrascope.telemetry.zema import EPOCH, ZemaSource

HEADS = ("cooler", "valve", "pump", "accumulator", "stable")
READING = {"resample": {"rate_hz": 1}}


@pytest.fixture(scope="module")
def model(bundle: Path) -> ServedModel:
    return ServedModel(read_bundle(bundle))


def answered(model: ServedModel, *windows: TelemetryWindow) -> list[Diagnosis]:
    found, _ = model.answer(windows)
    return [
        build_diagnosis(window, answer, model.manifest, model.version)
        for window, answer in zip(windows, found, strict=True)
    ]


def changed(window: TelemetryWindow, **signals: Any) -> TelemetryWindow:
    """Return the window with other values for some sensors; None removes one."""
    own = {
        name: Signal(np.asarray(signals.get(name, each.values), np.float32), each.rate_hz)
        for name, each in window.signals.items()
        if signals.get(name, 0) is not None
    }
    return TelemetryWindow(window.machine, window.start, own)


def findings(diagnosis: Diagnosis) -> dict[str, Any]:
    places = [diagnosis.machine, *diagnosis.components.values()]
    return {head: found for heads in places for head, found in heads.items()}


@pytest.fixture(scope="module")
def windows(zema: ZemaSource, rig: HydraulicDataModule) -> list[TelemetryWindow]:
    """Every eighth test cycle of fold 0."""
    machine = zema.machines()["zema"]
    return [cycle(zema, row, machine) for row in rig.split.test[::8].tolist()]


def test_sound_windows_are_rarely_called_unreliable(
    model: ServedModel, windows: list[TelemetryWindow]
) -> None:
    judged = [found for each in answered(model, *windows) for found in findings(each).values()]
    assert {found.reliable for found in judged} <= {True, False}
    assert np.mean([found.reliable for found in judged]) >= 0.95


def test_a_sensor_in_psi_is_named_with_its_factor_and_left_out(
    model: ServedModel, windows: list[TelemetryWindow]
) -> None:
    (window, *_) = windows
    wrong = changed(window, PS3=14.5 * window.signals["PS3"].values)
    given, missing = answered(model, wrong, changed(window, PS3=None))
    assert given.fitness is not None
    sensor = given.fitness.sensors["PS3"]
    assert sensor.state == "doubtful"
    assert re.search(r"the other sensors suggest .* bar, 14\.\d times as much", sensor.reason)
    for head, found in findings(given).items():
        assert found.probabilities == pytest.approx(findings(missing)[head].probabilities, abs=1e-5)


@pytest.mark.parametrize("shift_s", [10, 30, 50])
def test_a_window_that_starts_within_the_cycle_gets_no_answer(
    model: ServedModel, windows: list[TelemetryWindow], shift_s: int
) -> None:
    (window, *_) = windows
    rolled = {
        name: np.roll(each.values, -round(shift_s * each.rate_hz))
        for name, each in window.signals.items()
    }
    (diagnosis,) = answered(model, changed(window, **rolled))
    assert diagnosis.health is None
    assert not diagnosis.component_health
    assert diagnosis.fitness is not None
    assert diagnosis.fitness.phase_s == pytest.approx(shift_s, abs=6)
    for found in findings(diagnosis).values():
        assert (found.outcome, found.flags, found.health) == ("cannot_tell", None, None)
        assert found.reasons == [
            f"the window seems to start {diagnosis.fitness.phase_s:.3g} s into the load cycle"
        ]


def test_the_request_of_the_documentation_is_answered_with_cannot_tell(
    served_process: Served,
) -> None:
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    (body,) = re.findall(r"curl localhost:8000/v1/diagnose --json '(.*?)'", page, re.DOTALL)
    assert len(json.loads(body)["signals"]["PS1"]["values"]) < 5
    answer = ask(served_process.port, body.encode())
    places = [answer["machine"], *answer["components"].values()]
    assert {found["outcome"] for heads in places for found in heads.values()} == {"cannot_tell"}
    assert answer["health"] is None
    assert answer["fitness"]["sensors"]["CE"] == {"state": "missing", "reason": "no samples"}


def test_windows_of_nothing_but_null_are_not_answered(
    served_process: Served, zema: ZemaSource
) -> None:
    body = cycle_json(zema, 0)
    for signal in body["signals"].values():
        signal["values"] = [None] * len(signal["values"])
    answer = ask(served_process.port, json.dumps(body).encode())
    for heads in (answer["machine"], *answer["components"].values()):
        for found in heads.values():
            assert (found["reliable"], found["right"], found["outcome"]) == (
                False,
                0.0,
                "cannot_tell",
            )


def test_an_evaluation_says_of_each_answer_what_the_service_says(
    judged: Path, best: str, model: ServedModel, windows: list[TelemetryWindow]
) -> None:
    table = pd.read_parquet(judged / "predictions.parquet")
    (valve,) = (
        number
        for number, each in enumerate(windows[0].machine.topology.components)
        if each.id == "valve"
    )
    own = table[(table["head"] == "valve") & (table["component"] == valve)].set_index("start")
    for window, diagnosis in zip(windows, answered(model, *windows), strict=True):
        right = findings(diagnosis)["valve"].right
        assert right == pytest.approx(own.loc[pd.Timestamp(window.start), "right"], abs=1e-5)
    report = json.loads((judged / "evaluation.json").read_text(encoding="utf-8"))
    assert set(report["reliability"]) == set(HEADS)
    least = {head: each["least"] for head, each in report["reliability"].items()}
    unreliable = table["right"] < table["head"].map(least)
    assert report["unreliable_windows"] == unreliable.groupby(table["start"]).any().mean()
    assert "What can be relied on" in (judged / "report.html").read_text(encoding="utf-8")


def test_a_limit_of_the_operator_replaces_that_of_the_bundle(
    model: ServedModel, windows: list[TelemetryWindow]
) -> None:
    (answer,), _ = model.answer(windows[:1])
    strict, lenient = (
        build_diagnosis(windows[0], answer, model.manifest, model.version, least)
        for least in (1.0, 0.0)
    )
    assert not any(found.reliable for found in findings(strict).values())
    assert all(found.reliable for found in findings(lenient).values())


def frame(source: ZemaSource, start: datetime, minutes: int) -> pd.DataFrame:
    """Return telemetry of the rig from an instant on, a row a sample."""
    extent = TimeWindow(start=start, end=start + timedelta(minutes=minutes))
    parts = []
    for name, signal in source.read("zema", extent).items():
        times = [start + timedelta(seconds=k / signal.rate_hz) for k in range(len(signal.values))]
        parts.append(pd.DataFrame({"timestamp": times, "sensor_id": name, "value": signal.values}))
    return pd.concat(parts)


def test_windows_of_a_frame_are_laid_from_the_start_of_a_cycle_on(
    bundle: Path, zema: ZemaSource
) -> None:
    diagnoser = Diagnoser.load(bundle)
    first = EPOCH + timedelta(minutes=100)
    there = diagnoser.predict(frame(zema, first, 5), reading=READING)
    late = diagnoser.predict(frame(zema, first + timedelta(seconds=23), 5), reading=READING)
    assert late["start"].min() == first + timedelta(minutes=1)
    keys = ["start", "head", "component", "label"]
    both = late.merge(there, on=keys, suffixes=("", "_there"))
    assert len(both) == len(HEADS) * 4
    assert (both["answer"] == both["answer_there"]).all()


def test_a_frame_without_most_sensors_cannot_be_told(bundle: Path, zema: ZemaSource) -> None:
    telemetry = frame(zema, EPOCH, 1)
    few = telemetry[telemetry["sensor_id"].isin(["PS1", "VS1"])]
    table = Diagnoser.load(bundle).predict(few, reading=READING)
    cooler = table[table["head"] == "cooler"].iloc[0]
    assert not cooler["reliable"]
    assert cooler["answer"] == "cannot_tell"
    assert "is missing" in cooler["reasons"]
