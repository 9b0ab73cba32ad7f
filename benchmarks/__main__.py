"""`python -m benchmarks NAME [--json]`: measure, print a table or one JSON object per row."""

import json
import pkgutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import benchmarks


def names() -> list[str]:
    """Return the modules of this package that have a `run`."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return [name for name in found if not name.startswith("_") and hasattr(_module(name), "run")]


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    name: Annotated[str, typer.Argument(help="Name of a benchmark, or all.")] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per row.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Write the benchmark's page in docs/, if it has one.")
    ] = False,
) -> None:
    """Measure; exit with 1 if a goal is missed."""
    known = names()
    if name not in ("all", *known):
        print(f"benchmarks: no {name!r}; there are: all, {', '.join(known)}", file=sys.stderr)
        raise SystemExit(2)
    met = True
    for each in known if name == "all" else [name]:
        module = _module(each)
        if write and hasattr(module, "write"):
            path: Path = module.write()
            print(f"{each}: wrote {path}", file=sys.stderr)
            continue
        rows = module.run()
        met = met and all(row["ok"] for row in rows)
        if as_json:
            for row in rows:
                print(json.dumps(row, ensure_ascii=False), flush=True)
        else:
            Console().print(_table(each, rows))
    raise SystemExit(not met)


def _module(name: str) -> Any:
    return import_module(f"benchmarks.{name}")


def _table(title: str, rows: list[Any]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("measured")
    for column in ("value", "unit", "goal", "ok"):
        table.add_column(column, justify="right")
    for row in rows:
        goal = row["goal"]
        sign = "≥" if row.get("better") == "higher" else "≤"
        table.add_row(
            row["name"],
            f"{row['value']:,.4g}" if abs(row["value"]) < 1000 else f"{row['value']:,.0f}",
            row["unit"],
            "" if goal is None else f"{sign} {goal:g}",
            "" if goal is None else ("yes" if row["ok"] else "NO"),
        )
    return table


if __name__ == "__main__":
    app()
