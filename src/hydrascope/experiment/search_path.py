"""Hydra's search path, with the user's own folder first."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin


class _OwnFiles(SearchPathPlugin):
    folder: ClassVar[Path | None] = None
    """The user's folder; a class variable, because Hydra creates the plugin without arguments."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if self.folder is not None:
            search_path.prepend("--config-dir", f"file://{self.folder}", anchor="main")


@contextmanager
def looking_first_into(own: Path | None) -> Iterator[None]:
    """Make Hydra search the user's folder before ours.

    Hydra's own `--config-dir` is searched last, so that an edited copy of a file would be ignored.
    """
    Plugins.instance().register(_OwnFiles)
    _OwnFiles.folder = own
    try:
        yield
    finally:
        _OwnFiles.folder = None
