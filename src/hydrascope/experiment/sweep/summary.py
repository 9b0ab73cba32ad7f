"""How the trials of a grid or a search ended, as a file and as a table."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table


def summarize(rows: Sequence[Mapping[str, str]], name: str, folder: Path, console: Console) -> None:
    """Write `summary.csv` into a sweep's folder and print it; rows have the same columns."""
    with (folder / "summary.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    table = Table(*rows[0], title=f"Sweep {name}", title_justify="left")
    for row in rows:
        table.add_row(*row.values())
    console.print(table)
