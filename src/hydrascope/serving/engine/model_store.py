"""The models at hand: which one is active, and how another takes its place."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from hydrascope.packaging.files import MANIFEST, read_manifest
from hydrascope.packaging.manifest import Manifest, sha256
from hydrascope.schemas.errors import SpecError
from hydrascope.serving.engine.engine import Engine
from hydrascope.serving.observability.metrics import Metrics
from hydrascope.serving.windows import Model

_LOG = logging.getLogger(__name__)
PROBATION_S = 300.0
"""A model that trips the breaker within this time of its activation is rolled back."""


class ModelStore:
    """Holds the active model, the one before it, and a folder of bundles.

    Args:
        engine: Answers with the active model.
        folder: Bundles that may be activated; None: only a model that was active before.
        verify_key: Public key that they must be signed with.
        open_model: Opens a bundle that is signed with that key.
        metrics: Names the active model.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path | None,
        verify_key: Path | None,
        open_model: Callable[[Path], Awaitable[Model]],
        metrics: Metrics,
    ) -> None:
        self._engine, self._folder, self._key, self._open = engine, folder, verify_key, open_model
        self._metrics = metrics
        self._previous: Model | None = None
        self._activated_at = time.monotonic()
        self._lock = asyncio.Lock()
        self._manifests: dict[Path, tuple[int, str, Manifest]] = {}
        self._retired: dict[asyncio.Task[None], Model] = {}
        metrics.model.labels(engine.model.version).set(1)
        engine.breaker.on_trip = self._on_trip

    @property
    def active(self) -> Model:
        """Model that answers."""
        return self._engine.model

    async def manifests(self) -> dict[str, Manifest]:
        """Return the manifests of all models at hand, by version."""
        found = {each.version: each.manifest for each in (self.active, self._previous) if each}
        for _, version, manifest in (await asyncio.to_thread(self._scan)).values():
            found.setdefault(version, manifest)
        return found

    async def activate(self, version: str) -> None:
        """Answer new requests by another model; those that wait are still the old one's.

        Raises:
            SpecError: No such version, a bundle that was changed, or one whose golden answers
                differ from those at export; the old model stays active.
        """
        async with self._lock:
            if version == self.active.version:
                return
            if self._previous is not None and version == self._previous.version:
                self._switch(self._previous)
            else:
                await self._take_over(await self._path(version))

    async def activate_bundle(self, path: Path) -> None:
        """Answer new requests by a bundle that need not be in the folder.

        Raises:
            SpecError: As `activate`.
        """
        async with self._lock:
            await self._take_over(path)

    async def close(self) -> None:
        """Close every model."""
        for task in self._retired:
            task.cancel()
        for model in filter(None, (self.active, self._previous, *self._retired.values())):
            await model.close()

    async def _take_over(self, path: Path) -> None:
        model = await self._open(path)
        try:
            if model.version == self.active.version:
                await model.close()
                return
            await warm_up(model, self._engine.config.max_batch)
        except BaseException:  # a cancelled request must not leave a process behind
            await model.close()
            raise
        before = self._previous
        self._switch(model)
        if before is not None:
            self._retire(before)

    def _retire(self, model: Model) -> None:
        """Close a model that answers no more, once no request waits for it."""
        task = asyncio.create_task(self._close_later(model))
        self._retired[task] = model
        task.add_done_callback(lambda done: self._retired.pop(done, None))

    async def _close_later(self, model: Model) -> None:
        await asyncio.sleep(self._engine.config.deadline_s)
        await model.close()

    def _switch(self, model: Model) -> None:
        self._metrics.model.labels(self.active.version).set(0)
        self._previous, self._engine.model = self._engine.model, model
        self._activated_at = time.monotonic()
        self._metrics.model.labels(model.version).set(1)
        _LOG.info("model %s is active", model.version)

    def _on_trip(self) -> None:
        recent = time.monotonic() - self._activated_at < PROBATION_S
        if self._previous is not None and recent:
            _LOG.error("model %s failed; rolled back", self.active.version)
            failed = self.active
            self._switch(self._previous)
            self._previous = None  # failures of the old model must not bring this one back
            self._retire(failed)
            self._engine.breaker.reset()

    async def _path(self, version: str) -> Path:
        for path, (_, known, _) in (await asyncio.to_thread(self._scan)).items():
            if known == version:
                return path
        raise SpecError(f"no model {version!r} at hand", path="version")

    def _scan(self) -> dict[Path, tuple[int, str, Manifest]]:
        """Look into the folder; a bundle is read again when its manifest changed."""
        if self._folder is None or not self._folder.is_dir():
            return {}
        try:
            paths = sorted(self._folder.iterdir())
        except OSError as error:
            _LOG.warning("%s: %s", self._folder, error.strerror)
            return {}
        for path in paths:
            manifest = path / MANIFEST
            try:
                if path.name.startswith(".") or not manifest.is_file():
                    continue
                changed = manifest.stat().st_mtime_ns
                if path not in self._manifests or self._manifests[path][0] != changed:
                    content = read_manifest(path, self._key)
                    self._manifests[path] = (changed, sha256(manifest)[:12], content)
            except (SpecError, OSError) as error:
                _LOG.warning("%s", error)
        return {path: each for path, each in self._manifests.items() if path.exists()}


async def warm_up(model: Model, max_batch: int) -> None:
    """Warm a model up with all its machines, in batches of 1, 2, 4, … and `max_batch` windows.

    Raises:
        SpecError: As `Model.warm_up`.
    """
    powers = (2**exponent for exponent in range(max_batch.bit_length()))
    sizes = [size for size in powers if size < max_batch]
    await model.warm_up([*sizes, max_batch], model.manifest.machines)
