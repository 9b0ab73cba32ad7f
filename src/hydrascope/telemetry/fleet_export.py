"""Export of a simulated fleet to a folder, like the telemetry of real machines."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

from hydrascope.schemas import Machine, SpecError
from hydrascope.schemas.base import Spec
from hydrascope.schemas.whole_file import whole_file, write_whole
from hydrascope.simulation.build import DUTY_FILE, MACHINE_FILE, Build
from hydrascope.simulation.channels import PIECE_S
from hydrascope.simulation.recording import Run
from hydrascope.telemetry.fleet import FleetSource

_SCHEMA = pa.schema(
    [
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("equipment_id", pa.string()),
        ("sensor_id", pa.string()),
        ("value", pa.float32()),
    ]
)


BUILDS = "builds"
"""The folder of builds within that of a fleet."""


class Format(StrEnum):
    """The formats of telemetry files; labels and machine files are the same for all."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON = "json"
    """One JSON object per line; `data=parquet` does not read it."""


def export_fleet(
    source: FleetSource, folder: Path, form: Format, advance: Callable[[float], None]
) -> None:
    """Write telemetry (narrow), machine files, labels, builds and `fleet.json`.

    `builds/` has a folder for each build, with the files from which it can be simulated again:
    machine file with all estimates, duty, and what was estimated.

    Memory holds one minute of one machine, however long the recordings are. `ParquetSource` reads
    folders of Parquet and CSV files.

    Args:
        source: The fleet.
        folder: The folder; must be empty or not exist.
        form: The format of the telemetry.
        advance: Called with the hours of one machine that have been written since the last call.

    Raises:
        SpecError: The folder holds files.
    """
    export_builds(source, folder)
    for name in ("machines", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for equipment_id, machine in source.machines().items():
        write_whole(folder / "machines" / f"{equipment_id}.yaml", as_yaml(machine))
        labels = source.labels(equipment_id)
        labels.insert(0, "equipment_id", equipment_id)
        with whole_file(folder / "labels" / f"{equipment_id}.parquet") as part:
            labels.to_parquet(part, index=False)
        with whole_file(folder / f"{equipment_id}.{form}") as part:
            _write(part, form, _tables(source, machine, advance))
    write_whole(folder / "fleet.json", json.dumps(_metadata(source), indent=2) + "\n")


def export_builds(source: FleetSource, folder: Path) -> None:
    """Write the builds of a fleet alone, as `export_fleet` does.

    Args:
        source: The fleet.
        folder: The folder; must be empty or not exist.

    Raises:
        SpecError: The folder holds files.
    """
    if folder.exists() and any(folder.iterdir()):
        raise SpecError(f"{folder}: holds files; expected an empty folder or a new one")
    for build in source.builds.values():
        _write_build(build, folder / BUILDS / build.name)


def as_yaml(spec: Spec) -> str:
    """Return the content of a file that describes what `spec` does."""
    data = spec.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _write_build(build: Build, folder: Path) -> None:
    folder.mkdir(parents=True)
    write_whole(folder / MACHINE_FILE, as_yaml(build.circuit.machine))
    write_whole(folder / DUTY_FILE, as_yaml(build.duty))
    estimates = [each._asdict() for each in build.estimates]
    text = json.dumps(estimates, indent=2, ensure_ascii=False)
    write_whole(folder / "estimates.json", text + "\n")


def _tables(
    source: FleetSource, machine: Machine, advance: Callable[[float], None]
) -> Iterator[pa.Table]:
    """Yield the rows of one machine, minute by minute."""
    equipment_id = machine.equipment.equipment_id
    member = source.member(equipment_id)
    rates_hz = {each.sensor.id: each.sensor.rate_hz for each in member.build.channels}
    extents = source.extents(equipment_id)
    for recording, extent in zip(source.recordings(equipment_id), extents, strict=True):
        run = Run(member, recording.number, recording.hour)
        for minute, piece in enumerate(run.pieces(60.0 * source.recording_min)):
            start = extent.start + timedelta(seconds=minute * PIECE_S)
            yield pa.concat_tables(
                _rows(start, equipment_id, sensor, values, rates_hz[sensor])
                for sensor, values in piece.items()
            )
            advance(PIECE_S / 3_600.0)


def _rows(
    start: datetime, equipment_id: str, sensor: str, values: NDArray[np.float32], rate_hz: float
) -> pa.Table:
    known = np.flatnonzero(np.isfinite(values))  # gaps have no rows
    times = np.datetime64(start.replace(tzinfo=None), "us") + np.round(
        known / rate_hz * 1e6
    ).astype("timedelta64[us]")
    names = [pa.array([name] * len(known)) for name in (equipment_id, sensor)]
    stamps = pa.array(times).cast(_SCHEMA.field("timestamp").type)
    return pa.table([stamps, *names, pa.array(values[known])], schema=_SCHEMA)


def _write(path: Path, form: Format, tables: Iterator[pa.Table]) -> None:
    if form is Format.PARQUET:
        with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table)
        return
    with path.open("w", encoding="utf-8") as file:
        for number, table in enumerate(tables):
            frame = table.to_pandas()
            if form is Format.CSV:
                frame.to_csv(file, index=False, header=number == 0)
            else:
                frame.to_json(file, orient="records", lines=True, date_format="iso", date_unit="us")


def _metadata(source: FleetSource) -> dict[str, object]:
    """Return the fleet's parameters, topologies and the faults of each machine."""
    machines = source.machines()
    topologies = {each.topology.id: each.topology.model_dump(mode="json")
                  for each in machines.values()}  # fmt: skip
    return {
        "parameters": asdict(source),
        "fingerprint": source.fingerprint,
        "topologies": topologies,
        "machines": {
            name: {
                "topology": machine.topology.id,
                "age": source.member(name).age,
                "faults": [asdict(course) for course in source.member(name).courses],
            }
            for name, machine in machines.items()
        },
    }
