"""Ingestion of a folder by the command."""

import pandas as pd
from typer.testing import CliRunner

from hydrascope.cli import app


def ingest(what: object, dsn: str, *options: str) -> str:
    arguments = ["ingest", str(what), "--dsn", dsn, *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


START = pd.Timestamp("2024-05-01T12:00:00Z")
