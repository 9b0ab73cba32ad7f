"""Links between files of the repository, which become links between pages of the site."""

import logging
import posixpath
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

_LOG = logging.getLogger("mkdocs.plugins.docsite")  # below it, warnings fail a strict build
_FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_TARGET = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")


@dataclass(frozen=True)
class Repository:
    """Knows which of its files are pages.

    Args:
        root: Its folder.
        url: Where its host shows it.
        top: Files outside `docs/` that are pages: file → page.
        pages: All pages and pictures of the site.
    """

    root: Path
    url: str
    top: Mapping[str, str]
    pages: AbstractSet[str]

    def rewritten(self, markdown: str, file: str, page: str) -> str:
        """Return the text of a file as that of a page; a link to nothing is a warning."""
        parts = _FENCED.split(markdown)
        for index in range(0, len(parts), 2):  # the others are code
            parts[index] = _TARGET.sub(lambda found: self._led(found[1], file, page), parts[index])
        return "".join(parts)

    def _led(self, target: str, file: str, page: str) -> str:
        """Return what a link of a page has to be, where that of its file is `target`.

        A file of the repository is read on its host too, where pages that are made are not.
        """
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
        inside = self.top.get(path, path.removeprefix("docs/"))
        is_page = (path in self.top or path.startswith("docs/")) and inside in self.pages
        there = self.root / path
        made = is_page and not (self.root / file).is_file()
        if path.startswith("..") or not (made or there.exists()):
            _LOG.warning("%s: a link leads to %s, which is not there", file, target)
            return target
        if is_page:
            return posixpath.relpath(inside, posixpath.dirname(page) or ".")
        return f"{self.url}/{'tree' if there.is_dir() else 'blob'}/main/{path}"
