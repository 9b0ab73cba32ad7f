"""Ingestion of a folder by the command, and the comparison of two sources."""

import numpy as np
import pandas as pd
from typer.testing import CliRunner

from hydrascope.cli import app
from hydrascope.schemas import TimeWindow
from hydrascope.telemetry import TelemetrySource


def ingest(what: object, dsn: str, *options: str) -> str:
    arguments = ["ingest", str(what), "--dsn", dsn, *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


START = pd.Timestamp("2024-05-01T12:00:00Z")


def same(a: TelemetrySource, b: TelemetrySource) -> bool:
    """Whether two sources answer alike, bit for bit."""
    for name in a.machines():
        assert a.extents(name) == b.extents(name)
        assert len(a.extents(name)) >= 1
        for extent in a.extents(name):
            third = (extent.end - extent.start) / 3
            part = TimeWindow(start=extent.start + third, end=extent.end - third)
            for window in (extent, part):
                left, right = a.read(name, window), b.read(name, window)
                assert left.keys() == right.keys()
                for sensor, signal in left.items():
                    assert signal.rate_hz == right[sensor].rate_hz
                    np.testing.assert_array_equal(signal.values, right[sensor].values)
        pd.testing.assert_frame_equal(
            a.labels(name).sort_index(axis=1), b.labels(name).sort_index(axis=1)
        )
    return a.fingerprint == b.fingerprint
