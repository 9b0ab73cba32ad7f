"""Where measured tables are written to."""

from pathlib import Path

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
