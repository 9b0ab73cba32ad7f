"""Columns of a batch of n rows as NumPy arrays."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hydrascope.schemas.errors import SpecError
from hydrascope.telemetry.folder.table_file import TIMESTAMP


def codes(batch: Any, name: str, empty: str | None = None) -> tuple[NDArray[np.int32], list[str]]:
    """Return codes [n] and the list of texts that they index.

    Raises:
        SpecError: A row is empty and `empty` gives no replacement.
    """
    column = batch.column(name)
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    code = column.indices
    names = column.dictionary.cast(pa.string()).to_pylist()
    if code.null_count:
        if empty is None:
            row = int(np.flatnonzero(code.is_null().to_numpy(zero_copy_only=False))[0])
            when = batch.column(TIMESTAMP)[row].as_py()
            raise SpecError(f"{name}: empty at {when}; expected an id in every row")
        code, names = pc.fill_null(code, len(names)), [*names, empty]
    return code.to_numpy(zero_copy_only=False), names


def numbers(batch: Any, name: str) -> NDArray[np.float64]:
    """Return [n], NaN where empty.

    Raises:
        SpecError: The column does not hold numbers.
    """
    column = batch.column(name)
    if pa.types.is_dictionary(column.type):  # what pandas calls categorical
        column = column.cast(column.type.value_type)
    kind = column.type
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    ):
        raise SpecError(f"{name}: of type {kind}; expected numbers")
    numbers: NDArray[np.float64] = pc.cast(column, pa.float64(), safe=False).to_numpy(
        zero_copy_only=False
    )
    return numbers


def numbers_if_any(batch: Any, name: str) -> NDArray[np.float64]:
    """Return [n], all NaN if the column holds anything but numbers, or numbers as text."""
    column = batch.column(name)
    try:
        if pa.types.is_string(column.type):
            given = pc.if_else(pc.equal(column, ""), None, column)
            text: NDArray[np.float64] = pc.cast(given, pa.float64()).to_numpy(zero_copy_only=False)
            return text
        return numbers(batch, name)
    except (pa.ArrowInvalid, SpecError):
        return np.full(batch.num_rows, np.nan)
