"""The simulated fleet: how fast it is made, and how well its faults are found on unseen machines.

`python -m benchmarks fleet` measures the simulator. `python -m benchmarks fleet --write` simulates
and trains `experiment=fleet`, with the network and with `model=linear`, if they have not been
(outputs/fleet), fits LightGBM on the same windows, features and split, asks how far a single
feature gets, and writes the tables into docs/results.md.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from numpy.typing import NDArray
from omegaconf import OmegaConf
from sklearn.metrics import f1_score, roc_auc_score

from benchmarks._document import replace_section
from benchmarks._rows import Row, at_most, resident_mb
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.evaluation.calibrate import best_threshold
from hydrascope.experiment.assemble import build_datamodule
from hydrascope.experiment.settings import validate_train
from hydrascope.graphs.window_fields import SENSOR_FEATURES, SENSOR_OBSERVED
from hydrascope.simulation.faults import Fault
from hydrascope.simulation.fleet import KINDS, draw_member
from hydrascope.simulation.recording import Run

ROOT = Path(__file__).parents[1]
RUN = ROOT / "outputs" / "fleet"
STORE = f"data.store.folder={RUN / 'store'}"
"""Empty before the run: what is timed simulates all machines."""
NETWORK, LINEAR = "gatv2_arma", "linear"
BATCH = 32
GOAL_S = 0.5
Figures = tuple[float | None, ...]
"""Macro-F1 of the anomalies, errors of health and of remaining life, share of windows with a fault
whose faulty component is named first; None is not answered."""
_TREES = {
    "n_estimators": 200,
    "num_leaves": 15,
    "learning_rate": 0.05,
    "colsample_bytree": 0.3,
    "random_state": 42,
    "n_jobs": 1,
    "verbose": -1,
}


def run(hours: float = 0.25, batch: int = BATCH, turns: int = 5) -> list[Row]:
    """Simulate a batch of machines of each kind for so long, on one core.

    Each kind's fastest of some turns counts: what else a computer does only makes code slower.
    """
    rows = []
    start = time.thread_time()
    next(Run(draw_member("robot", 0, seed=0, fault_rate=0.0, life_h=1.0), 0, 0.0).pieces(1.0))
    rows.append(at_most("first call: compiling, or reading numba's cache", _since(start), "s"))
    taken = [[_machine_hour_s(kind, hours, batch) for kind in KINDS] for _ in range(turns)]
    for kind, times in zip(KINDS, zip(*taken, strict=True), strict=True):
        name = f"{kind}: a machine-hour in a batch of {batch}, fastest of {turns}"
        rows.append(at_most(name, min(times), "s", GOAL_S))
    pieces = Run(draw_member("robot", 0, seed=0, fault_rate=2.5, life_h=2e3), 0, 0.0).pieces(86_400)
    for _ in range(60):
        next(pieces)
    before = resident_mb()
    for _ in pieces:
        pass
    grown = resident_mb() - before
    rows.append(at_most("memory that a day takes beyond its first hour", grown, "MB", 5))
    return rows


def _machine_hour_s(kind: str, hours: float, batch: int) -> float:
    taken = 0.0
    for number in range(batch):
        member = draw_member(kind, number, seed=0, fault_rate=2.5, life_h=2e3)
        # Of one long recording: warming up is paid once, as in a day's telemetry.
        pieces = Run(member, 0, 1_000.0).pieces(3_600.0 * hours)
        next(pieces)
        start = time.thread_time()
        for _ in pieces:
            pass
        taken += _since(start)
    return taken / (batch * (hours - 1 / 60))


def _since(start: float) -> float:
    return time.thread_time() - start


def write() -> Path:
    """Train, compare, write docs/results.md."""
    models = {**_trained(NETWORK), **_trained(LINEAR)}
    data = _data()
    forest, mean = (*_lightgbm(data), None), (*_mean(data), None)
    single = _single_features(data)
    minutes = json.loads((RUN / NETWORK / "seconds.json").read_text()) / 60
    note = (
        f"Machines never seen in training ({len(data.machines)} machines of {len(KINDS)} kinds, "
        f"{len(data.split.test)} test windows of {data.window.window_s:g} s); `python train.py "
        f"experiment=fleet`, simulation and training {minutes:.1f} min; "
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, torch "
        f"{torch.__version__}; `python -m benchmarks fleet --write`."
    )
    lines = [
        "| model | macro-F1 of nine anomalies | health, MAE | remaining life, MAE in 1000 h | "
        "faulty component named first |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {' | '.join(_figure(value) for value in values)} |"
            for name, values in {
                **models,
                "LightGBM, one for each kind and target": forest,
                "the mean of the training windows": mean,
            }.items()
        ),
        "",
        "The best single feature of a single sensor, by the area under its ROC curve (the highest "
        "of four kinds, over all windows; chance is 0.5):",
        "",
        "| " + " | ".join(single) + " |",
        "|---" * len(single) + "|",
        "| " + " | ".join(f"{value:.3f}" for value in single.values()) + " |",
    ]
    path = ROOT / "docs" / "results.md"
    replace_section(path, "fleet", "\n".join((note, "", *lines)))
    return path


def _trained(model: str) -> dict[str, Figures]:
    """Return the figures of a model, trained if it has not been, and of guessing components."""
    folder = RUN / model
    if not (folder / "results.json").exists():
        command = [
            *(sys.executable, "train.py", "experiment=fleet", f"model={model}"),
            *(f"hydra.run.dir={folder}", STORE),
        ]
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True)
        (folder / "seconds.json").write_text(json.dumps(time.perf_counter() - started))
    results = json.loads((folder / "results.json").read_text())
    found = results["test"][model]
    figures: Figures = tuple(
        found.get(head, {}).get(metric)
        for head, metric in (
            ("anomalies", "macro_f1"),
            ("health", "mae"),
            ("remaining_life", "mae"),
        )
    )
    located = results.get("localisation", {}).get("judged", {})
    named = {name: judged["top1"]["value"] for name, judged in located.items()}
    guesses: dict[str, Figures] = {
        f"the {name} of each kind": (None, None, None, share)
        for name, share in named.items()
        if name != model
    }
    return {model: (*figures, named.get(model)), **guesses}


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _data() -> HydraulicDataModule:
    """Open the windows that the network was trained on."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", ["experiment=fleet", "run_dir=none", STORE])
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    settings = validate_train({key: plain[key] for key in plain if key != "hydra"})
    data = build_datamodule(settings.data, settings.features, settings.task, settings.seed)
    data.setup()
    return data


def _rows_by_kind(
    data: HydraulicDataModule,
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Yield each kind's windows as rows of sensors × steps × features, and their numbers."""
    for kind in KINDS:
        of_kind = (data.table["kind"] == kind).to_numpy()
        rows = np.flatnonzero(of_kind & ~data.reference)
        parts = []
        for machine, mine in data.dataset.locate(rows):
            features = machine.read(SENSOR_FEATURES, mine).numpy()
            observed = machine.read(SENSOR_OBSERVED, mine).numpy()
            parts.append(np.where(observed[..., None], features, np.nan))
        yield np.concatenate(parts), rows


def _truth(data: HydraulicDataModule) -> Mapping[str, NDArray[np.float64]]:
    columns = [*(fault.value for fault in Fault), "health", "remaining_life"]
    return {name: data.table[name].to_numpy(np.float64) for name in columns}


def _lightgbm(data: HydraulicDataModule) -> tuple[float, float, float]:
    """Return macro-F1 and the two errors of gradient-boosted trees.

    Anomalies are flagged from the probability that is best on the validation windows, by trees
    that are fitted without them, as ours are.
    """
    import lightgbm  # of the extra `bench`; the speeds need it not

    truth = _truth(data)
    answer = {name: np.full(len(data.table), np.nan) for name in truth}
    held_out = {fault.value: np.full(len(data.table), np.nan) for fault in Fault}

    def said(name: str, flat: NDArray[np.float32], known: NDArray[np.float64],
             fitted: NDArray[np.bool_]) -> NDArray[np.float64]:  # fmt: skip
        if len(np.unique(known[fitted])) < 2:
            return np.full(len(known), known[fitted][0])
        if name not in held_out:
            trees = lightgbm.LGBMRegressor(**_TREES).fit(flat[fitted], known[fitted])
            value: NDArray[np.float64] = trees.predict(flat)
            return value
        trees = lightgbm.LGBMClassifier(**_TREES).fit(flat[fitted], known[fitted])
        probability: NDArray[np.float64] = trees.predict_proba(flat)[:, 1]
        return probability

    for features, rows in _rows_by_kind(data):
        flat = features.reshape(len(rows), -1)
        trains, validates = (np.isin(rows, part) for part in (data.split.train, data.split.val))
        for name, target in truth.items():
            answer[name][rows] = said(name, flat, target[rows], trains | validates)
            if name in held_out:
                held_out[name][rows] = said(name, flat, target[rows], trains)
    val = data.split.val
    for name, probability in held_out.items():
        threshold = best_threshold(probability[val], truth[name][val] == 1)
        answer[name] = (answer[name] >= threshold).astype(np.float64)
    return _scores(data, truth, answer)


def _mean(data: HydraulicDataModule) -> tuple[float, float, float]:
    truth = _truth(data)
    answer = {
        name: np.full(len(values), values[data.split.train].mean())
        for name, values in truth.items()
    }
    return _scores(data, truth, answer)


def _scores(
    data: HydraulicDataModule,
    truth: Mapping[str, NDArray[np.float64]],
    answer: Mapping[str, NDArray[np.float64]],
) -> tuple[float, float, float]:
    test = data.split.test
    f1 = [f1_score(truth[fault][test], answer[fault][test] > 0.5, zero_division=0.0)
          for fault in Fault]  # fmt: skip
    errors = [np.abs(truth[name] - answer[name])[test].mean()
              for name in ("health", "remaining_life")]  # fmt: skip
    return float(np.mean(f1)), float(errors[0]), float(errors[1])


def _single_features(data: HydraulicDataModule) -> dict[str, float]:
    """Return each fault's best area under the ROC curve over all sensors and features."""
    truth, best = _truth(data), dict.fromkeys((fault.value for fault in Fault), 0.5)
    for features, rows in _rows_by_kind(data):
        columns = np.nanmean(features, axis=2).reshape(len(rows), -1)
        for fault in Fault:
            known = truth[fault][rows]
            if len(np.unique(known)) < 2:
                continue
            for column in columns.T:
                if np.isfinite(column).all():
                    area = roc_auc_score(known, column)
                    best[fault.value] = max(best[fault.value], area, 1.0 - area)
    return best
