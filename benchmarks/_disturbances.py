"""Ways in which the signals of a window go wrong, one at a time."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from hydrascope.schemas.signal import Signal

Signals = Mapping[str, Signal]
SHIFTS_S = (10, 20, 30, 40, 50)
FACTOR = 10.0


class Disturbance(NamedTuple):
    """One way of disturbing a window."""

    kind: str
    apply: Callable[[Signals], Signals]


def disturbances(sensors: list[str]) -> Iterator[Disturbance]:
    """Yield all: none; each sensor absent, scaled, stuck and swapped with the next; rotated."""
    yield Disturbance("none", dict)
    for sensor in sensors:
        yield Disturbance("one sensor absent", partial(absent, sensor=sensor))
        yield Disturbance(f"one sensor × {FACTOR:g}", partial(scaled, sensor=sensor))
        yield Disturbance("one sensor stuck", partial(stuck, sensor=sensor))
    for one, other in itertools.pairwise(sensors):
        yield Disturbance("two sensors swapped", partial(swapped, one=one, other=other))
    for shift_s in SHIFTS_S:
        yield Disturbance("window rotated by 10 to 50 s", partial(rotated, shift_s=shift_s))


def absent(signals: Signals, sensor: str) -> Signals:
    """Return the signals without a sensor."""
    return {name: signal for name, signal in signals.items() if name != sensor}


def scaled(signals: Signals, sensor: str) -> Signals:
    """Return the signals with a sensor in a wrong scale."""
    signal = signals[sensor]
    return {**signals, sensor: Signal(FACTOR * signal.values, signal.rate_hz)}


def stuck(signals: Signals, sensor: str) -> Signals:
    """Return the signals with a sensor that stays at its first sample."""
    signal = signals[sensor]
    return {
        **signals,
        sensor: Signal(np.full_like(signal.values, signal.values[0]), signal.rate_hz),
    }


def swapped(signals: Signals, one: str, other: str) -> Signals:
    """Return the signals with two sensors in each other's place."""
    return {**signals, one: signals[other], other: signals[one]}


def rotated(signals: Signals, shift_s: float) -> Signals:
    """Return the signals as if the window had begun later in a cycle of its length."""
    return {
        name: Signal(np.roll(signal.values, -round(shift_s * signal.rate_hz)), signal.rate_hz)
        for name, signal in signals.items()
    }
