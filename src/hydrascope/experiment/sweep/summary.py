"""A summary of how the trials of a grid or a search ended, as a file and a table."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hydrascope.schemas.whole_file import write_whole


def summarize(rows: Sequence[Mapping[str, str]], name: str, folder: Path, console: Console) -> None:
    """Write `summary.csv` into a sweep's folder and print it; all rows have the same columns."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(folder / "summary.csv", text.getvalue())
    table = Table(*rows[0], title=f"Sweep {name}", title_justify="left")
    for row in rows:
        table.add_row(*row.values())
    console.print(table)
