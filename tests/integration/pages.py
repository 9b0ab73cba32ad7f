"""The pages of the documentation, and the code that they show."""

import re
from pathlib import Path

from jobs import ROOT

RUN = tuple(
    ROOT / page
    for page in (
        "README.md",
        "docs/start.md",
        "docs/own_machine.md",
        "docs/extending.md",
        "docs/package.md",
    )
)
"""Pages whose commands are run, on the files that they show."""
EXAMPLES = tuple(sorted((ROOT / "docs" / "examples").glob("*.md")))
"""Pages whose commands are run one after another, from raw files to a report."""
CHECKED = tuple(
    page
    for page in (*sorted((ROOT / "docs").glob("**/*.md")), ROOT / "deploy" / "README.md")
    if page not in (*RUN, *EXAMPLES)
)
"""Pages whose commands take too long, or need what is not here."""


def blocks(pages: tuple[Path, ...], language: str) -> list[str]:
    """Return the blocks of pages in a language."""
    block = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [found for page in pages for found in block.findall(page.read_text("utf-8"))]


def shown_files() -> dict[str, str]:
    """Return the files that the pages show, by the name that their first line begins with."""
    shown = {}
    for language in ("python", "yaml"):
        for block in blocks(RUN, language):
            if named := re.match(r"# ([\w/.]+)", block):
                shown[named[1]] = block
    return shown
