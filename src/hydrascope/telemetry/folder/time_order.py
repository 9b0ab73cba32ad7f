"""All samples of a folder in order of time, in slices that fit into memory.

Files may overlap, and rows may be in any order. Sorted files are read once. If many blocks cover
the same time, as in shuffled files, they are read again for each slice. This is slower, but keeps
memory bounded.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hydrascope.schemas.samples import Ordered, Samples, SensorKey, in_order
from hydrascope.telemetry.folder.blocks import Block
from hydrascope.telemetry.folder.rows import Pieces

SLICE_CELLS = 2_000_000
"""The target size of a slice in samples; with sorting, each takes some 50 bytes."""
LARGEST_SLICE_CELLS = 4_000_000
"""The size up to which a slice grows to hold a whole block, which is then decoded only once."""

ReadBlock = Callable[[Block, int, int | None], Pieces]
"""(block, first_us, end_us) → the block's samples in that time."""

_Kept = list[tuple[tuple[int, int], SensorKey, Samples]]


def in_time_order(
    blocks: Sequence[Block],
    read: ReadBlock,
    progress: Callable[[int], object] | None = None,
) -> Iterator[dict[SensorKey, Ordered]]:
    """Yield slices; no sample is earlier than any sample of a previous slice.

    Args:
        blocks: Blocks of all files.
        read: Reads a block.
        progress: Called after each slice with the number of cells processed.
    """
    if not blocks:
        return
    plan = _Plan(blocks)
    kept: _Kept = []
    begin = plan.begin_us
    while begin < plan.end_us:
        end = plan.cut(begin)
        room = plan.budget - sum(len(samples.value) for _, _, samples in kept)
        now: dict[SensorKey, list[tuple[tuple[int, int], Samples]]] = {}
        later: _Kept = []
        for ordinal, key, samples in kept:
            _split(ordinal, key, samples, end, now, later)
        for index in plan.within(begin, end).tolist():
            block = plan.blocks[index]
            rest = plan.cells_after(index, end)
            whole = rest <= room
            for key, pieces in read(block, begin, None if whole else end).items():
                for samples in pieces:
                    _split(block.ordinal, key, samples, end, now, later)
            if whole:
                room -= rest
                plan.done[index] = True
        kept = later
        yield {
            key: in_order([samples for _, samples in sorted(found, key=lambda each: each[0])])
            for key, found in now.items()
        }
        if progress is not None:
            progress(plan.cells_before(end))
        begin = end


def _split(
    ordinal: tuple[int, int],
    key: SensorKey,
    samples: Samples,
    end: int,
    now: dict[SensorKey, list[tuple[tuple[int, int], Samples]]],
    later: _Kept,
) -> None:
    """Add the samples before `end` to `now` and the others to `later`."""
    after = samples.time_us >= end
    if not after.any():
        now.setdefault(key, []).append((ordinal, samples))
        return
    later.append((ordinal, key, samples.take(after)))
    if not after.all():
        now.setdefault(key, []).append((ordinal, samples.take(~after)))


class _Plan:
    """Blocks in order of time. Estimates cells in a time range as if they were evenly spread."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = sorted(blocks, key=lambda block: (block.first_us, block.ordinal))
        self._first = np.array([block.first_us for block in self.blocks], dtype=np.int64)
        self._end = np.array([block.last_us + 1 for block in self.blocks], dtype=np.int64)
        self._cells = np.array([block.cells for block in self.blocks], dtype=np.float64)
        self.done = np.zeros(len(blocks), dtype=np.bool_)
        self.begin_us, self.end_us = int(self._first[0]), int(self._end.max())
        self.budget = int(self._cells.max().clip(SLICE_CELLS, LARGEST_SLICE_CELLS))

    def within(self, begin: int, end: int) -> NDArray[np.intp]:
        """Return the blocks with unread samples in [begin, end)."""
        upto = int(np.searchsorted(self._first, end))
        open_ = ~self.done[:upto] & (self._end[:upto] > begin)
        return np.flatnonzero(open_)

    def cells_after(self, index: int, time_us: int) -> int:
        """Estimate the cells of a block at `time_us` or later."""
        share = (self._end[index] - time_us) / (self._end[index] - self._first[index])
        return int(self._cells[index] * min(1.0, max(0.0, float(share))))

    def cells_before(self, time_us: int) -> int:
        """Estimate the cells of all blocks before `time_us`."""
        share = (time_us - self._first) / (self._end - self._first)
        return int((self._cells * share.clip(0.0, 1.0)).sum())

    def cut(self, begin: int) -> int:
        """Return the end of the slice from `begin`: the start of a block, if one is suitable."""
        if self._between(begin, self.end_us) <= self.budget:
            return self.end_us
        starts = self._first[np.searchsorted(self._first, begin, side="right") :].tolist()

        def cells(start: int) -> float:
            return self._between(begin, start)

        # Double the reach until it exceeds the budget, then bisect.
        reach = 1
        while reach < len(starts) and cells(starts[reach]) <= self.budget:
            reach *= 2
        high = min(reach, len(starts))
        low = bisect_right(starts, float(self.budget), reach // 2, high, key=cells)
        if low > 0 and cells(starts[low - 1]) >= self.budget / 4:
            return int(starts[low - 1])
        stop = starts[low] if low < len(starts) else self.end_us
        return begin + max(1, int((stop - begin) * self.budget / cells(stop)))

    def _between(self, begin: int, end: int) -> float:
        """Estimate the unread cells in [begin, end)."""
        index = self.within(begin, end)
        first, last = self._first[index], self._end[index]
        overlap = np.minimum(last, end) - np.maximum(first, begin)
        return float((self._cells[index] * overlap / (last - first)).sum())
