"""Following an alias: whoever answers by models:/NAME@ALIAS takes the next version over."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from hydrascope.packaging.registry import RegisteredName, fetch, is_registered, version_of
from hydrascope.schemas.errors import SpecError

_LOG = logging.getLogger(__name__)


class FollowedBundle:
    """A bundle in a registry whose alias may move.

    Args:
        bundle: models:/NAME@ALIAS.
        uri: Of the registry.
        folder: Takes the bundles; each stays, as a model may be opened from it again.

    Raises:
        SpecError: As `registry.fetch`.
    """

    def __init__(self, bundle: str, uri: str, folder: Path) -> None:
        self._bundle, self._uri, self._folder = bundle, uri, folder
        self._name = RegisteredName.read(bundle)
        self._version = version_of(bundle, uri)
        self.path = self._fetch(self._version)
        """The present bundle."""

    async def moves(self, every_s: float) -> AsyncIterator[Path]:
        """Look every so often; yield each bundle to which the alias has moved.

        A registry that does not answer is named in the log and asked again.
        """
        complaint = ""
        while True:
            await asyncio.sleep(every_s)
            try:
                version = await asyncio.to_thread(version_of, self._bundle, self._uri)
                if version == self._version:
                    continue
                path = await asyncio.to_thread(self._fetch, version)
            except (SpecError, OSError) as error:
                if str(error) != complaint:
                    complaint = str(error)
                    _LOG.warning("%s; asking again every %g s", error, every_s)
                continue
            complaint, self._version, self.path = "", version, path
            _LOG.info("%s is version %d now", self._bundle, version)
            yield path

    def _fetch(self, version: int) -> Path:
        folder = self._folder / str(version)
        folder.mkdir(exist_ok=True)
        return fetch(str(RegisteredName(self._name.name, None, version)), self._uri, folder)


def locate(
    bundle: str, uri: str, folder: Path, every_s: float | None
) -> tuple[Path, FollowedBundle | None]:
    """Return where a bundle is, and how to follow it if it is an alias and `every_s` is given.

    A bundle of the registry at `uri` is downloaded into `folder`.

    Raises:
        SpecError: As `fetch`.
    """
    if not is_registered(bundle):
        return Path(bundle), None
    if every_s is None or RegisteredName.read(bundle).alias is None:
        return fetch(bundle, uri, folder), None
    followed = FollowedBundle(bundle, uri, folder)
    return followed.path, followed
