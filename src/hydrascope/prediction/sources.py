"""From the words of a command line to a source of telemetry."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from hydrascope.notebook.loading import need
from hydrascope.schemas.errors import SpecError
from hydrascope.schemas.machine import Machine
from hydrascope.telemetry.parquet import ParquetSource
from hydrascope.telemetry.source import TelemetrySource


@contextmanager
def open_source(
    words: Sequence[str],
    settings: Mapping[str, object],
    known: Sequence[Machine],
    max_gap_s: float,
) -> Iterator[TelemetrySource]:
    """Open a folder, or what the configuration group `data` names.

    Args:
        words: A folder; or `data=OPTION` and keys of `data.source`, as in a training.
        settings: Keys of `FolderSettings`, None where not given; of a folder alone.
        known: Machines that apply where neither the folder nor the settings name any.
        max_gap_s: A longer time without samples ends a recording, unless settings say otherwise.

    Raises:
        SpecError: It is neither, or a key is not accepted.
    """
    given = {key: each for key, each in settings.items() if each}
    if len(words) == 1 and "=" not in words[0]:
        of_folder = {"max_gap_s": max_gap_s} | given
        with _folder(Path(words[0]).expanduser(), of_folder, known) as source:
            yield source
        return
    if given:
        raise SpecError(
            f"{next(iter(given))}: describes a folder; expected a key of data.source beside "
            f"{' '.join(words)}"
        )
    need("hydra", "train", words[0])
    from hydrascope.experiment.source import source_of

    yield source_of(words)


@contextmanager
def _folder(
    folder: Path, given: Mapping[str, Any], known: Sequence[Machine]
) -> Iterator[ParquetSource]:
    if not folder.is_dir():
        raise SpecError(f"folder: {str(folder)!r} is not a folder, seen from {Path.cwd()}")
    if "machines" in given or (folder / "machines").is_dir():
        yield ParquetSource(folder, **given)
        return
    with TemporaryDirectory(prefix="hydrascope-machines-") as files:
        for machine in known:
            text = yaml.safe_dump(machine.model_dump(mode="json"), sort_keys=False)
            file = Path(files) / f"{machine.equipment.equipment_id}.yaml"
            file.write_text(text, encoding="utf-8")
        yield ParquetSource(folder, **given, machines=files)
