"""Machines of the rig's build whose telemetry comes window by window, some of it late."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from hydrascope.schemas import Machine, TimeWindow
from hydrascope.telemetry.timescale.connector import TimescaleConnector
from hydrascope.telemetry.timescale.settings import database_settings
from hydrascope.telemetry.zema import EPOCH, ZemaSource
from hydrascope.telemetry.zema_recording import CYCLE_S, SET_CYCLES

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
"""The first sample of every machine."""
MOST_LATE = 5
"""Windows by which telemetry may be late."""


def rig(equipment_id: str) -> Machine:
    """Return the rig, recorded at 1 Hz, as a machine of its own."""
    plain = ZemaSource().machines()["zema"].model_dump(mode="json")
    name = f"Rig {equipment_id.removeprefix('rig_')}"
    plain["equipment"] |= {"equipment_id": equipment_id, "name": name}
    for component in plain["topology"]["components"]:
        for sensor in component["sensors"]:
            sensor["rate_hz"] = 1.0
    return Machine.model_validate(plain)


class Part(NamedTuple):
    """Telemetry that comes together."""

    equipment_id: str
    comes_with: int
    """The window with whose telemetry it comes, or before it where it is late."""
    late: bool
    frame: pd.DataFrame


class WatchedRigs:
    """Some machines and their telemetry, made of cycles of the rig.

    Args:
        machines: How many.
        windows: Of each.
        seed: Of what is random: the cycles, and what is late.
        gap_after: Windows after which every third machine stands still for 90 s; None: none does.
    """

    def __init__(
        self, machines: int, windows: int, seed: int = 0, gap_after: int | None = None
    ) -> None:
        self.machines = {f"rig_{number}": rig(f"rig_{number}") for number in range(machines)}
        self.windows = windows
        self._gap_after = gap_after
        source = ZemaSource()
        random = np.random.default_rng(seed)
        self._cycles = random.integers(0, SET_CYCLES, (machines, windows))
        used = sorted({int(each) for each in self._cycles.ravel()})
        self._signals = {row: cycle(source, row) for row in used}
        self._random = random

    def start_of(self, number: int, window: int) -> datetime:
        """Return the start of a machine's window."""
        stands = self._gap_after is not None and number % 3 == 0 and window >= self._gap_after
        return START + timedelta(seconds=CYCLE_S * window + (90 if stands else 0))

    @property
    def expected(self) -> set[tuple[str, datetime]]:
        """All windows: machine and start."""
        return {
            (name, self.start_of(number, window))
            for number, name in enumerate(self.machines)
            for window in range(self.windows)
        }

    def frame(self, number: int, window: int) -> pd.DataFrame:
        """Return a window's telemetry."""
        signals = self._signals[int(self._cycles[number, window])]
        return telemetry(signals, self.start_of(number, window))

    def rounds(self, late_share: float) -> Iterator[list[Part]]:
        """Yield what comes window by window: first what is late, then the machines' present.

        Args:
            late_share: The share of a window's sensors and thirds that come later, by up to
                `MOST_LATE` windows.
        """
        waiting: list[Part] = []
        for window in range(self.windows + MOST_LATE):
            present = []
            if window < self.windows:
                for number, name in enumerate(self.machines):
                    frame = self.frame(number, window)
                    now, later = self._split(frame, late_share)
                    present.append(Part(name, window, False, now))
                    for delay, part in later:
                        waiting.append(Part(name, window + delay, True, part))
            due = [each for each in waiting if each.comes_with == window]
            waiting = [each for each in waiting if each.comes_with != window]
            yield [*due, *present]

    def _split(
        self, frame: pd.DataFrame, late_share: float
    ) -> tuple[pd.DataFrame, list[tuple[int, pd.DataFrame]]]:
        third = (np.arange(len(frame)) % int(CYCLE_S)) // (int(CYCLE_S) // 3)
        piece = frame["sensor_id"].astype(str) + third.astype(str)
        names = piece.unique()
        delays = self._random.integers(1, MOST_LATE + 1, len(names))
        delays[self._random.random(len(names)) >= late_share] = 0
        delay = piece.map(dict(zip(names, delays.tolist(), strict=True))).to_numpy()
        later = [(wait, frame[delay == wait]) for wait in range(1, MOST_LATE + 1)]
        return frame[delay == 0], [(wait, part) for wait, part in later if len(part)]


def cycle(source: ZemaSource, row: int) -> dict[str, np.ndarray]:
    """Return the signals of a load cycle by sensor id."""
    start = EPOCH + timedelta(seconds=CYCLE_S * row)
    window = TimeWindow(start=start, end=start + timedelta(seconds=CYCLE_S))
    return {
        name: signal.values.astype(float) for name, signal in source.read("zema", window).items()
    }


def telemetry(signals: Mapping[str, np.ndarray], start: datetime) -> pd.DataFrame:
    """Return the signals of a load cycle that starts at a time, one row a sample."""
    time = pd.date_range(start, periods=int(CYCLE_S), freq="1s", unit="us")
    return pd.DataFrame(
        {
            "time": np.tile(time, len(signals)),
            "sensor_id": np.repeat(list(signals), len(time)),
            "value": np.concatenate(list(signals.values())),
        }
    ).assign(time=lambda table: pd.to_datetime(table["time"], utc=True))


def save_machines(dsn: str, machines: Sequence[Machine]) -> None:
    """Save machines in a database with the present schema."""

    async def work() -> None:
        async with TimescaleConnector(database_settings(dsn=dsn)) as connector:
            for machine in machines:
                await connector.equipment.save(machine)

    asyncio.run(work())


def write(dsn: str, parts: Sequence[Part], retry_for_s: float = 60.0) -> None:
    """Write telemetry in the order in which it comes."""

    async def work() -> None:
        settings = database_settings(dsn=dsn, timeout_s=10, retry_for_s=retry_for_s)
        async with TimescaleConnector(settings) as connector:
            for part in parts:
                await connector.write_telemetry(part.equipment_id, part.frame)

    asyncio.run(work())
