"""Scan of a machine's telemetry, needed before any window can be read.

One pass over its samples in order of time finds the extents and the digests. The result is kept in
a small file and is valid until the database reports a write. If it cannot report writes (a view),
every use makes a new pass.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from hydrascope.schemas.samples import Samples
from hydrascope.schemas.whole_file import write_whole
from hydrascope.telemetry.coverage import Coverage
from hydrascope.telemetry.fingerprint import SampleDigest

_VERSION = 1
"""The version of a scan's content and computation."""

_log = logging.getLogger(__name__)


class Scan(BaseModel):
    """The result of the pass over one machine."""

    model_config = ConfigDict(frozen=True)

    state: str | None
    """The state of the table before the pass; see `tables.SampleTable.state`."""
    stretches_us: list[tuple[int, int]]
    digests: dict[str, str]
    """The digests of the sensors with good samples."""


def find_or_scan(
    folder: Path,
    inputs: Mapping[str, object],
    state: str | None,
    make_scan: Callable[[], Scan],
) -> Scan:
    """Return a machine's scan, from its file in `folder` if nothing was written since.

    Args:
        folder: Folder of the scan files; created if necessary.
        inputs: Everything else that determines the result, as JSON values.
        state: Current state of the table; None: unknown.
        make_scan: Makes the pass.
    """
    text = json.dumps({"version": _VERSION, **inputs}, sort_keys=True)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    try:
        kept = Scan.model_validate_json(path.read_bytes())
        if state is not None and kept.state == state:
            return kept
    except FileNotFoundError:
        pass
    except (OSError, ValidationError):
        _log.warning("%s is damaged; reading the telemetry again", path)
    scan = make_scan()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, scan.model_dump_json())
    except OSError as error:
        _log.warning("%s cannot be written (%s): telemetry is read each time", path, error)
    return scan


def scan(
    slices: Iterable[Mapping[str, Samples]],
    rates_hz: Mapping[str, float],
    max_gap_s: float,
    state: str | None,
) -> Scan:
    """Make the pass.

    Args:
        slices: Slices of good samples by sensor id, in order of time.
        rates_hz: Rates by sensor id.
        max_gap_s: Longest gap within an extent.
        state: State of the table, kept with the result.
    """
    digests: dict[str, SampleDigest] = {}
    coverage = Coverage(round(max_gap_s * 1e6))
    for slice_ in slices:
        recorded = {name: samples for name, samples in slice_.items() if len(samples.value)}
        for name, samples in recorded.items():
            digests.setdefault(name, SampleDigest()).update(samples.time_us, samples.value)
        coverage.add(
            (samples.time_us, round(1e6 / rates_hz[name])) for name, samples in recorded.items()
        )
    found = {name: digests[name].hexdigest() for name in sorted(digests)}
    return Scan(state=state, stretches_us=coverage.stretches, digests=found)
