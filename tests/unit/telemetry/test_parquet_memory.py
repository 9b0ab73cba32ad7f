"""A long recording is scanned and read in bounded memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from telemetry_folders import make_folder

ROWS = 30_000_000
ROW_GROUP = 1_000_000
SCRIPT = """
import resource, sys
from datetime import timedelta
from hydrascope.schemas import TimeWindow
from hydrascope.telemetry import ParquetSource

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before = peak_mb()
source = ParquetSource(sys.argv[1])
(extent,) = source.extents("press")
start = extent.start + timedelta(hours=50)
read = source.read("press", TimeWindow(start=start, end=start + timedelta(hours=1)))
print(peak_mb() - before, extent.duration.total_seconds(), len(read["p"].values))
"""


@pytest.mark.slow
def test_thirty_million_rows_take_less_than_300_mb(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "f")
    machine = folder / "machines" / "press.yaml"
    machine.write_text(machine.read_text().replace("rate_hz: 10", "rate_hz: 100"))
    ids = pa.dictionary(pa.int32(), pa.string())
    fields = {"timestamp": pa.timestamp("us", "UTC"), "equipment_id": ids, "sensor_id": ids}
    schema = pa.schema([*fields.items(), ("value", pa.float32())])
    zeros = np.zeros(ROW_GROUP, dtype=np.int32)
    rng = np.random.default_rng(0)
    with pq.ParquetWriter(folder / "year.parquet", schema) as file:
        for first in range(0, ROWS, ROW_GROUP):
            time_us = 1_714_564_800_000_000 + np.arange(first, first + ROW_GROUP) * 10_000
            columns = [
                pa.array(time_us).cast(fields["timestamp"]),
                pa.DictionaryArray.from_arrays(zeros, ["press"]),
                pa.DictionaryArray.from_arrays(zeros, ["p"]),
                pa.array(rng.random(ROW_GROUP, dtype=np.float32)),
            ]
            file.write_table(pa.table(columns, schema=schema))
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    growth_mb, duration_s, samples = map(float, done.stdout.split())
    assert growth_mb < 300
    assert duration_s == ROWS / 100
    assert samples == 360_000
