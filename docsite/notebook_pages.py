"""Pages of the notebooks, with the outputs that they were committed with."""

import re
from pathlib import Path

from nbconvert import MarkdownExporter

FOLDER = "notebooks"
_STYLE = re.compile(r"<style scoped>.*?</style>\n?", re.DOTALL)
_TABLE = re.compile(r'<table border="\d+" class="dataframe">')


def notebook_files(root: Path) -> dict[str, str]:
    """Return the notebooks of a repository, each with its page: file → page."""
    return {
        f"docs/{FOLDER}/{file.name}": f"{FOLDER}/{file.stem}.md"
        for file in sorted((root / "docs" / FOLDER).glob("*.ipynb"))
    }


def notebook_pages(root: Path) -> dict[str, str | bytes]:
    """Return the page of each notebook, and its pictures."""
    made: dict[str, str | bytes] = {}
    for file, page in notebook_files(root).items():
        text, resources = MarkdownExporter().from_filename(
            str(root / file), resources={"unique_key": Path(file).stem}
        )
        # Tables as the theme draws them, not as pandas would.
        made[page] = _TABLE.sub("<table>", _STYLE.sub("", text))
        for name, picture in resources["outputs"].items():
            made[f"{FOLDER}/{name}"] = picture
    return made
