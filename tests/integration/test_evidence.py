"""Machines whose answers are made of their components': trained, judged, exported, served."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from jobs import CPU, Train, export_settings

from hydrascope.experiment import evaluate, export
from hydrascope.experiment.job_settings import EvaluateSettings
from hydrascope.experiment.restore import Restored, restore
from hydrascope.packaging.bundle import Bundle, read_bundle
from hydrascope.schemas import TimeWindow
from hydrascope.serving.diagnosis.diagnosis import build_diagnosis
from hydrascope.serving.model.served_model import ServedModel
from hydrascope.serving.windows import TelemetryWindow

FLEET = (
    "experiment=fleet",
    "data.source.kinds=[robot,machining_centre]",
    "data.source.machines_per_kind=6",
    "data.source.hours=0.1",
    "data.source.recording_min=1.0",
    "data.source.commissioning=1",
    "data.source.fault_rate=10.0",
    "data.window.window_s=60.0",
    "data.window.stride_s=60.0",
    "data.window.steps=2",
    "data.store.n_jobs=1",
    "model.spatial_layers=1",
    "trainer.max_epochs=2",
)


@pytest.fixture(scope="module")
def run_dir(run_training: Train) -> Path:
    return run_training(*FLEET)


@pytest.fixture(scope="module")
def best(run_dir: Path) -> str:
    return str(run_dir / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def restored(best: str) -> Restored:
    return restore(best)


@pytest.fixture(scope="module")
def opened(run_dir: Path, best: str) -> Bundle:
    export.run(export_settings(best, run_dir / "bundle"))
    return read_bundle(run_dir / "bundle")


@pytest.fixture(scope="module")
def judged(run_dir: Path, best: str) -> Path:
    folder = run_dir / "judged"
    evaluate.run(
        EvaluateSettings(
            ckpt=best,
            judge="test",
            compare=None,
            missing_sensors=False,
            run_dir=str(folder),
            hardware=CPU,
        )
    )
    return folder


def test_a_bundle_answers_with_machines_of_any_number_of_components(
    opened: Bundle, restored: Restored
) -> None:
    _, diagnoser, data = restored
    heads = {head.name: head for head in opened.manifest.task.heads}
    assert heads["health"].evidence == "component_health"
    for windows in (data.split.test[:1], data.split.test[::3]):
        inputs = data.dataset.gather(windows).inputs
        said, expected = opened.diagnoser.predict(inputs), diagnoser.predict(inputs)
        for name in heads:
            torch.testing.assert_close(said[name], expected[name], atol=1e-4, rtol=0)
        raw = diagnoser.raw(inputs).heads
        for graph in range(len(windows)):
            mine = inputs.component_graph == graph
            health = said["component_health"][mine].amin(0)
            torch.testing.assert_close(said["health"][graph], health)
            odds = raw["component_anomalies"][mine].exp().sum(0)
            torch.testing.assert_close(raw["anomalies"][graph], odds.log(), atol=1e-4, rtol=0)


def test_the_service_says_which_fault_of_which_component_and_how_severe(
    opened: Bundle, restored: Restored
) -> None:
    data, row = restored.data, int(restored.data.split.test[0])
    about = data.table.iloc[row]
    machine = data.machines[about["equipment_id"]]
    start = about["start"].to_pydatetime()
    window = TimeWindow(start=start, end=start + pd.Timedelta("60s").to_pytimedelta())
    signals = data.source.read(about["equipment_id"], window)
    (answer,), _ = ServedModel(opened).answer([TelemetryWindow(machine, start, signals)])
    told = build_diagnosis(TelemetryWindow(machine, start, signals), answer, opened.manifest, "1")
    assert set(told.components) == {component.id for component in machine.topology.components}
    labels = {head.name: head.labels for head in opened.manifest.task.heads}
    for findings in told.components.values():
        severity, anomalies = findings["severity"], findings["component_anomalies"]
        assert severity.values is not None
        assert tuple(severity.values) == labels["severity"]
        assert severity.value is None
        assert anomalies.probabilities is not None
        assert tuple(anomalies.probabilities) == labels["anomalies"]
    least = min(each["component_health"].value or 0.0 for each in told.components.values())
    assert told.machine["health"].value == pytest.approx(least)
    number = [component.id for component in machine.topology.components].index("pump")
    expected = restored.diagnoser.predict(data.dataset.gather([row]).inputs)["severity"][number]
    values = told.components["pump"]["severity"].values
    assert values is not None
    np.testing.assert_allclose(list(values.values()), expected.numpy(), atol=1e-4)


def test_the_localisation_is_that_of_a_loop_over_windows(
    judged: Path, run_dir: Path, restored: Restored
) -> None:
    data = restored.data
    table = pd.read_parquet(judged / "predictions.parquet")
    table = table[table["head"] == "component_anomalies"]
    labels = data.table.set_index(["equipment_id", "start"])
    kind_of = {name: machine.topology.id for name, machine in data.machines.items()}
    parts_of = {
        machine.topology.id: [component.id for component in machine.topology.components]
        for machine in data.machines.values()
    }
    faults = next(head for head in restored.diagnoser.heads if head.name == "anomalies").labels
    often: dict[str, Counter[str]] = {kind: Counter() for kind in parts_of}
    for row in data.split.train:
        truth = data.table.iloc[row]
        kind = kind_of[truth["equipment_id"]]
        often[kind].update(
            part for part in parts_of[kind] if any(truth[f"{part}.{fault}"] for fault in faults)
        )
    hits: dict[str, list[tuple[bool, bool]]] = {"gatv2_arma": [], "most frequent component": []}
    for place, rows in table.groupby(["equipment_id", "start"]):
        truth, kind = labels.loc[place], kind_of[place[0]]
        parts = parts_of[kind]
        faulty = [part for part in parts if any(truth[f"{part}.{fault}"] for fault in faults)]
        if not faulty:
            continue
        highest = {row.component: max(row.answer) for row in rows.itertuples()}
        said = parts[max(highest, key=lambda number: highest[number])]
        most = max(parts, key=lambda part: often[kind][part])
        least = min(truth[f"{part}.health"] for part in parts)
        for name, part in zip(hits, (said, most), strict=True):
            hits[name].append((part in faulty, truth[f"{part}.health"] == least))
    found = json.loads((judged / "evaluation.json").read_text())["localisation"]
    assert found["windows"] == len(hits["gatv2_arma"]) > 5
    assert found["heads"] == ["component_anomalies"]
    for name, right in hits.items():
        shares = {metric: each["value"] for metric, each in found["judged"][name].items()}
        top1, strict = np.mean(right, axis=0)
        assert shares == pytest.approx({"top1": top1, "top1_strict": strict})
        low, high = found["judged"][name]["top1"]["interval"]
        assert low <= top1 <= high
    assert json.loads((run_dir / "results.json").read_text())["localisation"] == found
    assert 'id="localisation"' in (judged / "report.html").read_text()
