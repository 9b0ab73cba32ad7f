"""Telemetry of three fans with anomalies, and a training on it."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from jobs import Train

SECONDS, LEARNED, MACHINES = 600, 80, 3
WINDOW_S, STRIDE_S = 10, 5


def record(
    folder: Path, *, offset: float = 0.0, last_noise: float = 1.0, seconds: int = SECONDS
) -> Path:
    """Write `seconds` of three machines with an anomaly in each minute from 420 s on.

    Their levels of p differ by `offset`, and the noise of the last one is `last_noise`.
    """
    (folder / "machines").mkdir(parents=True)
    (folder / "labels").mkdir()
    random, time = np.random.default_rng(0), np.arange(seconds)
    anomaly = (time >= 420) & (time % 60 >= 20)
    stamps = pd.date_range("2026-01-01", periods=seconds + 1, freq="1s")
    changes = np.flatnonzero(np.diff(anomaly, prepend=not anomaly[0]))
    for number in range(MACHINES):
        name, noise = f"fan_{number}", last_noise if number == MACHINES - 1 else 1.0
        sensors = [
            {"id": "p", "kind": "pressure", "unit": "bar", "rate_hz": 1},
            {"id": "q", "kind": "flow", "unit": "l/min", "rate_hz": 1},
        ]
        motor = {"id": "motor", "kind": "pump", "sensors": sensors}
        machine = {
            "schema_version": 1,
            "equipment": {"equipment_id": name, "name": name},
            "topology": {"id": "fan", "components": [motor], "edges": []},
        }
        (folder / "machines" / f"{name}.yaml").write_text(yaml.safe_dump(machine), "utf-8")
        values = {
            "timestamp": stamps[:-1],
            "equipment_id": name,
            "p": random.normal(100 + offset * number, noise, seconds) + 30 * anomaly * (time % 3),
            "q": random.normal(20, noise, seconds),
        }
        pd.DataFrame(values).to_parquet(folder / f"{name}.parquet", index=False)
        labels = {
            "equipment_id": name,
            "start": stamps[changes],
            "end": stamps[np.append(changes[1:], seconds)],
            "anomaly": anomaly[changes].astype(int),
        }
        pd.DataFrame(labels).to_csv(folder / "labels" / f"{name}.csv", index=False)
    return folder


def learn(run_training: Train, folder: Path, *more: str) -> Path:
    """Learn from the first windows of each machine, with `more` overrides."""
    model = () if any(each.startswith("model=") for each in more) else ("model=mahalanobis",)
    return run_training(
        *model,
        "data=parquet",
        f"data.source.folder={folder}",
        "data.source.time_zone=UTC",
        "task=normality",
        f"task.normality.fit={{first_windows: {LEARNED}}}",
        "task.normality.truth={anomaly: 0}",
        "task.normality.false_alarm_rate=0.05",
        f"data.window.window_s={WINDOW_S}",
        f"data.window.stride_s={STRIDE_S}",
        "data.window.steps=5",
        "data.split.val_fraction=0.4",
        "features=short_windows",
        "features.patch_length=2",
        *more,
    )
