"""Sorting of rows by sensor and time."""

import numpy as np

from hydrascope.telemetry.timescale.tables import FetchedSamples, code_type


def in_order(parts: list[FetchedSamples], sensors: int) -> FetchedSamples:
    """Sort rows by sensor and then by time; of several rows for an instant, keep the last.

    The server returns rows in its own order, mostly by time within each sensor, and sorts more
    slowly than NumPy. Each part is sorted separately and written to its place in the result, so
    memory holds little more than the rows and the result.

    Args:
        parts: Parts in any order; the list is emptied, so that each part is freed after use.
        sensors: Number of sensors.
    """
    counts = [np.bincount(part.sensor, minlength=sensors) for part in parts]
    total = np.sum(counts, axis=0, dtype=np.int64) if parts else np.zeros(sensors, dtype=np.int64)
    ends = total.cumsum()
    begin = ends.copy()  # where each sensor's rows that are already placed begin
    rows = int(total.sum())
    time_us, value = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.float64)
    # From the last part on: it is last in memory, so that memory can be returned.
    while parts:
        part, count = parts.pop(), counts.pop()
        begin -= count
        # NumPy sorts integers of up to 16 bits by radix sort, in linear time.
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
