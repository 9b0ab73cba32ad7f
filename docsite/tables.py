"""Tables of Markdown."""

import re
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar within a cell does not end it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(each.replace('|', '&#124;') for each in row)} |" for row in lines
    )


def prose(text: str) -> str:
    """Return plain text as such: outside of its code nothing is a link, an element or emphasis."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([\[\]<*_])", r"\\\1", part) for part in parts
    )


def code(text: object) -> str:
    """Return it as code, whatever bars it has."""
    escaped = str(text).replace("&", "&amp;").replace("<", "&lt;")
    return f"<code>{escaped}</code>" if "|" in escaped else f"`{text}`"
