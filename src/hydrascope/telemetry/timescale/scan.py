"""What must be known of a machine's telemetry before any window of it can be read.

One pass over its samples in order of time finds the extents and the digests. The result is kept
in a small file and found again for as long as the database says that nothing was written; where it
cannot say so (a view), and after every write, the pass is made anew.
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
"""Of what a scan holds and how it is found."""

_log = logging.getLogger(__name__)


class Scan(BaseModel):
    """The result of the pass over one machine."""

    model_config = ConfigDict(frozen=True)

    state: str | None
    """What the table said before the pass; see `tables.SampleTable.state`."""
    stretches_us: list[tuple[int, int]]
    digests: dict[str, str]
    """Of the sensors that have good samples."""


def find_or_scan(
    folder: Path,
    decides: Mapping[str, object],
    state: str | None,
    scanned: Callable[[], Scan],
) -> Scan:
    """Return a machine's scan, from its file in `folder` if nothing was written since.

    Args:
        folder: Of such files; made if need be.
        decides: All else that the result depends on, as JSON has it.
        state: What the table says now; None: it cannot say.
        scanned: Makes the pass.
    """
    text = json.dumps({"version": _VERSION, **decides}, sort_keys=True)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    try:
        kept = Scan.model_validate_json(path.read_bytes())
        if state is not None and kept.state == state:
            return kept
    except FileNotFoundError:
        pass
    except (OSError, ValidationError):
        _log.warning("%s is damaged; reading the telemetry again", path)
    scan = scanned()
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
        slices: Good samples by sensor id, slice after slice in order of time.
        rates_hz: By sensor id.
        max_gap_s: Longest silence within an extent.
        state: To be kept with the result.
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
