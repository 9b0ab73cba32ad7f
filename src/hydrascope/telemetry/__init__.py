"""Sources of signals: one protocol, and one file for each source."""

from hydrascope.telemetry.parquet import ParquetSource
from hydrascope.telemetry.source import Signal, TelemetrySource
from hydrascope.telemetry.zema import ZemaSource

__all__ = ["ParquetSource", "Signal", "TelemetrySource", "ZemaSource"]
