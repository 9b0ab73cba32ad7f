"""API keys: stored as hashes, each with its scopes."""

import hashlib
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hydrascope.schemas.base import Spec, Text
from hydrascope.schemas.errors import validate
from hydrascope.schemas.yaml_file import load_yaml


class Scope(StrEnum):
    """Permission of a key."""

    DIAGNOSE = "diagnose"
    """Ask for diagnoses."""
    READ = "read"
    """See machines, models, metrics and the last diagnoses."""
    OPERATE = "operate"
    """Acknowledge, close and comment alarms, and silence them."""
    MANAGE = "manage"
    """Add machines and their references, activate models."""


class ApiKey(Spec):
    """One key, by its hash."""

    name: Text
    """Owner of the key; stands in the log."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Hash of the key, which is random and long enough not to need a slow one."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]


class KeyFile(Spec):
    """Content of a file of keys."""

    keys: Annotated[tuple[ApiKey, ...], Field(min_length=1)]


ANYBODY = ApiKey(name="anybody", sha256="0" * 64, scopes=tuple(Scope))
"""Stands for every client where no keys are configured."""


def new_key() -> tuple[str, str]:
    """Return a new key and its hash."""
    key = f"hs_{secrets.token_urlsafe(32)}"
    return key, _hash(key)


class ApiKeys:
    """Finds the entry of a key.

    Args:
        file: YAML with a list `keys` of {name, sha256, scopes}; None: every client may do all.

    Raises:
        SpecError: The file is missing or not valid.
    """

    def __init__(self, file: Path | None) -> None:
        self._by_hash: dict[str, ApiKey] | None = None
        if file is not None:
            content = validate(KeyFile, load_yaml(file), source=str(file))
            self._by_hash = {key.sha256: key for key in content.keys}

    def find(self, key: str | None) -> ApiKey | None:
        """Return the entry of a key, or None if it is unknown."""
        if self._by_hash is None:
            return ANYBODY
        # Looked up by hash: the time it takes does not depend on the keys in the file.
        return None if key is None else self._by_hash.get(_hash(key))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
