"""Planning a million windows of a synthetic fleet: what is known before any telemetry is read."""

import gc
import time

import pandas as pd

from benchmarks._fleet import FEATURES, SyntheticFleet
from benchmarks._rows import Row, at_least, at_most, resident_mb
from hydrascope.data.content import store_spec
from hydrascope.data.split_spec import SplitSpec
from hydrascope.data.splits import make_split
from hydrascope.data.windows import plan_windows, window_table
from hydrascope.features.engineer import FeatureEngineer
from hydrascope.features.sub_windows import WindowSpec

MACHINES = 1_000
WINDOWS = 1_000


def run(machines: int = MACHINES, windows: int = WINDOWS) -> list[Row]:
    """Plan the stores, join the labels and split the windows of so many machines."""
    gc.collect()
    before_mb = resident_mb()
    fleet = SyntheticFleet(machines, windows)
    spec, engineer = WindowSpec(fleet.window_s, fleet.window_s, 10), FeatureEngineer(FEATURES)
    start = time.perf_counter()
    plans = [plan_windows(fleet, machine, spec) for machine in fleet.machines().values()]
    stores = [store_spec(fleet, plan, engineer) for plan in plans]
    planned_s = time.perf_counter() - start
    tables = [window_table(plan, fleet.labels(plan.equipment_id)) for plan in plans]
    table = pd.concat(tables, ignore_index=True)
    split = make_split(table, SplitSpec("by_machine", folds=5, fold=0, val_fraction=0.1))
    whole_s = time.perf_counter() - start
    count = sum(len(plan) for plan in plans)
    assert count == len(table) == sum(len(part) for part in split)
    raw = sum(store.windows * store.window_bytes for store in stores)
    return [
        at_least("windows planned", count, "windows"),
        at_most("plan every store", planned_s, "s"),
        at_most("plan, join labels, split by machine", whole_s, "s", 60),
        at_most("memory", resident_mb() - before_mb, "MB"),
        at_most("disk these stores will take", raw / 1e9, "GB"),
    ]
