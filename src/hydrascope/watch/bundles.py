"""The bundle of a watch, and the next one where its alias moves."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from hydrascope.packaging.bundle import Bundle, read_bundle
from hydrascope.packaging.following import locate
from hydrascope.schemas.errors import SpecError
from hydrascope.watch.settings import WatchSettings

_LOG = logging.getLogger(__name__)


class Bundles:
    """Opens the bundle that the settings name.

    Attributes:
        present: The bundle to work with.
        has_moved: Whether `present` is another one than when it was followed last.

    Args:
        settings: Of the watch.
        folder: Takes bundles of a registry.

    Raises:
        SpecError: There is no such bundle, or it is damaged.
    """

    def __init__(self, settings: WatchSettings, folder: Path) -> None:
        self._settings, self.has_moved = settings, False
        every_s = None if settings.once else settings.follow_s
        path, self._followed = locate(settings.bundle, settings.registry_uri, folder, every_s)
        self.present = self._opened(path.expanduser())

    @asynccontextmanager
    async def followed(self, stop: Callable[[], None]) -> AsyncIterator[None]:
        """Follow the alias inside the context; call `stop` when the next bundle is open.

        A bundle that cannot be opened is named in the log, and the present one stays.
        """
        self.has_moved = False
        following = asyncio.create_task(self._follow(stop))
        try:
            yield
        finally:
            following.cancel()
            await asyncio.wait([following])
        if not following.cancelled():
            following.result()  # raises what it failed with

    async def _follow(self, stop: Callable[[], None]) -> None:
        if self._followed is None or self._settings.follow_s is None:
            return
        async for path in self._followed.moves(self._settings.follow_s):
            try:
                self.present = await asyncio.to_thread(self._opened, path)
            except SpecError as error:
                _LOG.error("%s: not taken over: %s", path, error)
                continue
            self.has_moved = True
            stop()
            return

    def _opened(self, path: Path) -> Bundle:
        return read_bundle(path, self._settings.verify_key, self._settings.device)
