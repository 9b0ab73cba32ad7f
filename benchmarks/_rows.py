"""Rows of a benchmark's table, and how time and memory are measured."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypedDict


class Row(TypedDict):
    """One line of the table; `goal` is a bound, None where there is none."""

    name: str
    value: float
    unit: str
    goal: float | None
    ok: bool
    better: Literal["lower", "higher"]


def at_most(name: str, value: float, unit: str, goal: float | None = None) -> Row:
    """Return a row of which less is better."""
    ok = goal is None or value <= goal
    return Row(name=name, value=value, unit=unit, goal=goal, ok=ok, better="lower")


def at_least(name: str, value: float, unit: str, goal: float | None = None) -> Row:
    """Return a row of which more is better."""
    ok = goal is None or value >= goal
    return Row(name=name, value=value, unit=unit, goal=goal, ok=ok, better="higher")


def median_times_s(repeats: int, calls: int, *functions: Callable[[], object]) -> list[float]:
    """Return the median time of each function on the one thread that calls it.

    Times of the processor, not of the clock, and in turns of so many calls, so that a busy machine
    disturbs them less. As in `for batch in loader`, an answer is held until the next one is there.
    The first round warms caches and is not counted.
    """
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats + 1):
        for function, taken in zip(functions, times, strict=True):
            start = time.thread_time()
            held = None
            for _ in range(calls):
                held = function()
            taken.append((time.thread_time() - start) / calls)
            del held
    return [statistics.median(taken[1:]) for taken in times]


def resident_mb() -> float:
    """Return what this process has in memory, mapped files included (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
