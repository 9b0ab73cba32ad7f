"""Where measured tables are written to."""

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks._rows import Row

ROOT = Path(__file__).parents[1]
"""Of the project."""


def replace_section(path: Path, name: str, text: str) -> None:
    """Put `text` between `<!-- name -->` and `<!-- /name -->`."""
    content = path.read_text(encoding="utf-8")
    head, opening, rest = content.partition(f"<!-- {name} -->")
    _, closing, tail = rest.partition(f"<!-- /{name} -->")
    if not (opening and closing):
        raise ValueError(f"{path}: no section <!-- {name} --> … <!-- /{name} -->")
    path.write_text(f"{head}{opening}\n{text}\n{closing}{tail}", encoding="utf-8")


def write_rows(section: str, rows: Iterable[Row], note: str) -> Path:
    """Write rows as a table below a note into a section of docs/results.md; return its path."""
    lines = [note, "", "| measured | value | goal |", "|---|---|---|"]
    for row in rows:
        sign = "≥" if row["better"] == "higher" else "≤"
        missed = " **missed**" * (not row["ok"])
        goal = "" if row["goal"] is None else f"{sign} {row['goal']:g}{missed}"
        value = f"{row['value']:.3g}" if row["value"] < 100 else f"{row['value']:,.0f}"
        lines.append(f"| {row['name']} | {value} {row['unit']} | {goal} |")
    path = ROOT / "docs" / "results.md"
    replace_section(path, section, "\n".join(lines))
    return path


def how_measured(command: str) -> str:
    """Return date, machine and command."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, torch "
        f"{version('torch')}; `python -m benchmarks {command} --write`."
    )
