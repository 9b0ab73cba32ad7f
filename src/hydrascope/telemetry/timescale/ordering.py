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
    time_us, sensor, value = rows
    del rows  # each column is freed as soon as its ordered copy is there
    if not (sensor[1:] >= sensor[:-1]).all():
        # NumPy sorts 16-bit integers by radix, in linear time.
        index = np.argsort(sensor.astype(np.uint16) if sensors <= 2**16 else sensor, kind="stable")
        time_us = time_us[index]
        sensor = sensor[index]
        value = value[index]
        del index
    ascending = time_us[1:] > time_us[:-1]
    ascending |= sensor[1:] != sensor[:-1]
    if ascending.all():
        return Rows(time_us, sensor, value)
    index = np.lexsort((time_us, sensor))
    time_us, sensor = time_us[index], sensor[index]
    differs = (np.diff(time_us) != 0) | (np.diff(sensor) != 0)
    last = np.append(differs, True)
    return Rows(time_us[last], sensor[last], value[index[last]])
