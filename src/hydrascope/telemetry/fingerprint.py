"""Content hash of a source.

It covers the samples, not the files. A recording has the same fingerprint in one Parquet file, a
hundred of them, CSV or a database, so a graph store built from it is found again.
"""

import hashlib
import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydrascope.schemas import Machine

_RECORD = np.dtype([("time_us", "<i8"), ("value", "<f4")])


class SampleDigest:
    """BLAKE2b of one sensor's good samples: (int64 microseconds, float32 value), little-endian.

    Samples come in order of time, each instant once, in the machine file's unit. How they are
    divided into calls does not matter.
    """

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=32)

    def update(self, time_us: NDArray[np.int64], value: NDArray[np.float32]) -> None:
        """Add samples [n] that are later than all previous ones."""
        records = np.empty(len(time_us), dtype=_RECORD)
        records["time_us"] = time_us
        records["value"] = value + np.float32(0.0)  # −0.0 equals 0.0, but not bit for bit
        self._hash.update(records.tobytes())

    def hexdigest(self) -> str:
        """Return the hash of all samples added so far."""
        return self._hash.hexdigest()


def fingerprint(
    machines: Mapping[str, Machine],
    samples: Mapping[str, Mapping[str, str]],
    labels: Mapping[str, pd.DataFrame],
    answers: Mapping[str, object],
) -> str:
    """Return the fingerprint of a source.

    Args:
        machines: Machines by equipment id.
        samples: Digest of each sensor that has good samples, by equipment id and sensor id.
        labels: Label tables by equipment id, as returned by a source.
        answers: Settings that determine how samples become signals and extents.
    """
    names = {"equipment": {"aliases"}}  # what the files call a sensor makes no difference
    content = {
        "machines": {
            name: machine.model_dump(mode="json", exclude=names)
            for name, machine in machines.items()
        },
        "samples": samples,
        "labels": {name: _plain(table) for name, table in labels.items() if len(table)},
        "answers": answers,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _plain(table: pd.DataFrame) -> dict[str, list[object]]:
    """Return the columns as JSON: times in microseconds, numbers as floats, missing as null."""
    table = table.sort_values(["start", "end"])
    return {str(name): _plain_column(table, str(name)) for name in table}


def _plain_column(table: pd.DataFrame, name: str) -> list[object]:
    column = table[name]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return list(column.dt.as_unit("us").astype("int64").tolist())
    numeric = pd.api.types.is_numeric_dtype(column)
    values = [float(each) if numeric else str(each) for each in column]
    return [None if absent else each for absent, each in zip(column.isna(), values, strict=True)]
