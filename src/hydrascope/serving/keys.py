"""API keys: kept as hashes, each with what it may do and how often."""

import hashlib
import secrets
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hydrascope.schemas.base import Spec, Text
from hydrascope.schemas.errors import validate
from hydrascope.schemas.yaml_file import load_yaml


class Scope(StrEnum):
    """What a key may do."""

    DIAGNOSE = "diagnose"
    """Ask for diagnoses."""
    READ = "read"
    """See machines, models, metrics and the last diagnoses."""
    MANAGE = "manage"
    """Add machines and their references, activate models."""


class ApiKey(Spec):
    """One key, by its hash."""

    name: Text
    """Whose it is; stands in the log."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of the key, which is random and long enough not to need a slow hash."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]


class KeyFile(Spec):
    """The content of a file of keys."""

    keys: Annotated[tuple[ApiKey, ...], Field(min_length=1)]


ANYBODY = ApiKey(name="anybody", sha256="0" * 64, scopes=tuple(Scope))
"""Who asks where no keys are configured."""


def new_key() -> tuple[str, str]:
    """Return a new key and its hash."""
    key = f"hs_{secrets.token_urlsafe(32)}"
    return key, _hash(key)


class Keys:
    """The keys of a service.

    Args:
        file: YAML with a list `keys` of {name, sha256, scopes}; None: whoever asks may do all.

    Raises:
        SpecError: The file is not as it should be.
    """

    def __init__(self, file: Path | None) -> None:
        self._by_hash: dict[str, ApiKey] | None = None
        if file is not None:
            content = validate(KeyFile, load_yaml(file), source=str(file))
            self._by_hash = {key.sha256: key for key in content.keys}

    def find(self, key: str | None) -> ApiKey | None:
        """Return whose key it is; None if nobody's."""
        if self._by_hash is None:
            return ANYBODY
        # Looked up by hash: how long it takes says nothing of the keys there are.
        return None if key is None else self._by_hash.get(_hash(key))


class RateLimit:
    """A token bucket a key: `rate_per_s` on the long run, `burst` at once.

    Args:
        rate_per_s: Tokens that come back a second.
        burst: Tokens that a bucket holds.
        clock: In seconds.
    """

    def __init__(
        self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate_per_s, burst, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, name: str, cost: int = 1) -> float:
        """Take tokens and return 0, or take none and return when there will be enough."""
        now = self._clock()
        tokens, before = self._buckets.get(name, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - before) * self._rate)
        if tokens < min(cost, self._burst):
            self._buckets[name] = (tokens, now)
            return (min(cost, self._burst) - tokens) / self._rate
        self._buckets[name] = (tokens - cost, now)
        return 0.0


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
