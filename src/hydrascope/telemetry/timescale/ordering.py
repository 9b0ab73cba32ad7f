"""Rows in the order of sensors and times."""

import numpy as np

from hydrascope.telemetry.timescale.tables import FetchedSamples, code_type


def in_order(parts: list[FetchedSamples], sensors: int) -> FetchedSamples:
    """Return rows by sensor and then by time, each instant once: of several the last wins.

    The server gives them in an order of its own, mostly by time within each sensor; it takes longer
    to sort than NumPy. Each part is sorted by itself and dealt out to where its sensors' rows
    belong, so that hardly more than the rows themselves and the result is in memory.

    Args:
        parts: In any order; the list is emptied, and each part freed once it is dealt out.
        sensors: How many there are.
    """
    counts = [np.bincount(part.sensor, minlength=sensors) for part in parts]
    total = np.sum(counts, axis=0, dtype=np.int64) if parts else np.zeros(sensors, dtype=np.int64)
    ends = total.cumsum()
    begin = ends.copy()  # of each sensor: where its rows begin that are dealt out already
    rows = int(total.sum())
    time_us, value = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.float64)
    # The last part first: it lies behind the others in memory, which can so be given back.
    while parts:
        part, count = parts.pop(), counts.pop()
        begin -= count
        # NumPy sorts integers of up to 16 bits by radix, in linear time.
        index = np.argsort(part.sensor, kind="stable")
        place = np.arange(len(index)) + np.repeat(begin - (count.cumsum() - count), count)
        time_us[place] = part.time_us[index]
        value[place] = part.value[index]
    sensor = np.repeat(np.arange(sensors, dtype=code_type(sensors)), total)
    ascending = time_us[1:] > time_us[:-1]
    ascending[ends[:-1][(ends[:-1] > 0) & (ends[:-1] < rows)] - 1] = True
    if ascending.all():
        return FetchedSamples(time_us, sensor, value)
    index = np.lexsort((time_us, sensor))
    time_us, sensor = time_us[index], sensor[index]
    differs = (np.diff(time_us) != 0) | (np.diff(sensor) != 0)
    last = np.append(differs, True)
    return FetchedSamples(time_us[last], sensor[last], value[index[last]])
