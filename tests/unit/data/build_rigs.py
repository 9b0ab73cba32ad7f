"""A program that builds the stores of two rigs, to be killed: FOLDER SECONDS_A_READ N_JOBS."""

import sys
import time
from pathlib import Path

from rig_parts import RigParts, cycles

from hydrascope.data.build import StoreConfig, open_stores
from hydrascope.data.windows import plan_windows
from hydrascope.features.config import FeatureConfig
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec
from hydrascope.schemas import TimeWindow
from hydrascope.telemetry import Signal, ZemaSource

SPEC = WindowSpec(window_s=60.0, stride_s=60.0, steps=10)
CONFIG = FeatureConfig(patch=False)


class SlowRigs(RigParts):
    """Reads slowly, so that a build can be interrupted."""

    seconds = 0.0

    def read(self, equipment_id: str, window: TimeWindow) -> dict[str, Signal]:
        time.sleep(self.seconds)
        return super().read(equipment_id, window)


def slow_rigs(seconds: float) -> SlowRigs:
    source = SlowRigs(
        ZemaSource(), {"a": [cycles(0, 700)], "b": [cycles(700, 300), cycles(1100, 200)]}
    )
    source.seconds = seconds
    return source


def build(folder: Path, source: RigParts, n_jobs: int = 1) -> None:
    engineer = FeatureEngineer(CONFIG)
    plans = [plan_windows(source, machine, SPEC) for machine in source.machines().values()]
    open_stores(source, plans, engineer, StoreConfig(folder, n_jobs=n_jobs))


if __name__ == "__main__":
    where, seconds, jobs = sys.argv[1:]
    rigs = slow_rigs(float(seconds))
    print("building", flush=True)
    build(Path(where), rigs, int(jobs))
    print("built", flush=True)
