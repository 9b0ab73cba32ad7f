"""Where Hydra looks for a configuration file first."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin


class _OwnFiles(SearchPathPlugin):
    folder: ClassVar[Path | None] = None
    """Of a user; Hydra makes the plugin itself, so that nothing can be handed to it."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if self.folder is not None:
            search_path.prepend("--config-dir", f"file://{self.folder}", anchor="main")


@contextmanager
def looking_first_into(own: Path | None) -> Iterator[None]:
    """Have Hydra, when it starts, look into a user's folder before it looks into ours.

    Its own `--config-dir` looks there last, so that an edited copy of a file would change nothing.
    """
    Plugins.instance().register(_OwnFiles)
    _OwnFiles.folder = own
    try:
        yield
    finally:
        _OwnFiles.folder = None
