"""Training from the database equals training from the files."""

import json
from pathlib import Path

from jobs import Train
from stored_source import ingest

from hydrascope.telemetry.fleet import FleetSource
from hydrascope.telemetry.fleet_export import Format, export_fleet


def assert_trains_alike(
    run_training: Train, folder: Path, dsn: str, tmp_path: Path, flagged: bool, *overrides: str
) -> None:
    """Training from the database has the stores and the results of training from the files.

    Those hold flags of quality, or none.
    """
    results, stores = {}, {}
    sources = {
        "parquet": (f"data.source.folder={folder}",),
        "timescale": (f"data.source.dsn={dsn}", f"data.source.scans={tmp_path}/scans"),
    }
    for name, own in sources.items():
        store = tmp_path / name
        own = (f"data={name}", *own, f"data.store.folder={store}")
        if name == "parquet" and flagged:
            own = (*own, "data.source.quality_accepted=[good]")
        run = run_training(*own, *overrides)
        results[name] = json.loads((run / "results.json").read_text())["test"]
        stores[name] = sorted(path.name for path in store.iterdir() if path.is_dir())
    assert results["timescale"] == results["parquet"]
    assert stores["timescale"] == stores["parquet"]
    assert stores["parquet"]


def test_training_from_the_database_is_training_from_the_files(
    ingested: str, folder: Path, tmp_path: Path, run_training: Train
) -> None:
    assert_trains_alike(
        run_training,
        folder,
        ingested,
        tmp_path,
        True,
        "data.window.window_s=10",
        "data.window.stride_s=10",
        "data.window.steps=2",
        "task.heads=[{name: wear, level: machine, kind: binary}]",
        "trainer.max_epochs=2",
    )


def test_a_fleet_trains_from_the_database_as_from_its_files(
    dsn: str, tmp_path: Path, run_training: Train
) -> None:
    folder = tmp_path / "fleet"
    fleet = FleetSource(machines_per_kind=3, kinds=["robot"], hours=0.2, recording_min=4.0)
    export_fleet(fleet, folder, Format.PARQUET, lambda _: None)
    ingest(folder, dsn)
    assert_trains_alike(
        run_training,
        folder,
        dsn,
        tmp_path,
        False,
        "experiment=fleet",
        "data.window.window_s=120",
        "data.window.stride_s=120",
        "data.window.steps=4",
        "data.split.name=by_machine",
        "data.split.folds=3",
        "trainer.max_epochs=1",
    )
