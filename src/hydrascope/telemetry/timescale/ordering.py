"""Rows in the order of sensors and times."""

import numpy as np

from hydrascope.telemetry.timescale.tables import Rows


def in_order(rows: Rows, sensors: int) -> Rows:
    """Return rows by sensor and then by time, each instant once: of several the last wins.

    The server gives them in an order of its own, mostly by time within each sensor; it takes longer
    to sort than NumPy.

    Args:
        rows: In any order.
        sensors: How many there are.
    """
    if not _sorted(rows.sensor):
        # NumPy sorts 16-bit integers by radix, in linear time.
        code = rows.sensor.astype(np.uint16) if sensors <= 2**16 else rows.sensor
        rows = _take(rows, np.argsort(code, kind="stable"))
    time_us, sensor = rows.time_us, rows.sensor
    ascending = time_us[1:] > time_us[:-1]
    ascending |= sensor[1:] != sensor[:-1]
    if ascending.all():
        return rows
    rows = _take(rows, np.lexsort((time_us, sensor)))
    differs = (np.diff(rows.time_us) != 0) | (np.diff(rows.sensor) != 0)
    return _take(rows, np.flatnonzero(np.append(differs, True)))


def _sorted(codes: np.ndarray[tuple[int], np.dtype[np.int32]]) -> bool:
    return bool((codes[1:] >= codes[:-1]).all())


def _take(rows: Rows, index: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Rows:
    return Rows(rows.time_us[index], rows.sensor[index], rows.value[index])
