"""Trainings on the simulated fleet, each in a folder of its own: what is there is not repeated."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarks._document import ROOT
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.assemble import build_datamodule
from hydrascope.experiment.job_settings import TrainSettings, validate_train

RUNS = ROOT / "outputs" / "fleet"
STORE = f"data.store.folder={RUNS / 'store'}"
"""One store for all runs, so that no machine is simulated twice."""
EXPERIMENT = "experiment=fleet"
NETWORK, LINEAR = "gatv2_arma", "linear"


class Figures(NamedTuple):
    """The test figures of a model; None where it does not answer."""

    macro_f1: float | None = None
    """The mean F1 of the nine anomalies."""
    health: float | None = None
    """The mean absolute error of the health."""
    life: float | None = None
    """The mean absolute error of the remaining life, in 1000 h."""
    located: float | None = None
    """The share of the windows with a fault whose faulty component is named first."""

    def cells(self) -> str:
        """Return the cells of a table's row."""
        return " | ".join("–" if value is None else f"{value:.3f}" for value in self)


def train(run_dir: Path, *overrides: str, store: Path | None = None) -> Mapping[str, Any]:
    """Return the results of a training, which is begun unless it has ended.

    Beside them lies how many seconds it took, `seconds.json`. `store` replaces the common one.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    results = run_dir / "results.json"
    if not results.exists():
        started = time.perf_counter()
        stored = STORE if store is None else f"data.store.folder={store}"
        where = (f"run_dir={run_dir}", f"hydra.run.dir={run_dir}", stored)
        subprocess.run([sys.executable, "train.py", *overrides, *where], cwd=ROOT, check=True)
        seconds = json.dumps(time.perf_counter() - started)
        (run_dir / "seconds.json").write_text(seconds, encoding="utf-8")
    found: Mapping[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return found


def figures(results: Mapping[str, Any], model: str) -> Figures:
    """Return what a training's results say of a model."""
    found = results["test"][model]
    located = results.get("localisation", {}).get("judged", {}).get(model, {})
    return Figures(
        found.get("anomalies", {}).get("macro_f1"),
        found.get("health", {}).get("mae"),
        found.get("remaining_life", {}).get("mae"),
        located.get("top1", {}).get("value"),
    )


def settings_of(*overrides: str) -> TrainSettings:
    """Return the settings of a training that is not begun."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", [*overrides, "run_dir=none", STORE])
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return validate_train({key: plain[key] for key in plain if key != "hydra"})


def open_data(*overrides: str) -> HydraulicDataModule:
    """Open the windows that a training with these overrides reads."""
    settings = settings_of(*overrides)
    data = build_datamodule(settings.data, settings.features, settings.task, settings.seed)
    data.setup()
    return data
