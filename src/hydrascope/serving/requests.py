"""What can be asked of the service, and how it becomes windows."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import AwareDatetime, ConfigDict, Field

from hydrascope.schemas.base import Identifier, Number, Positive, Spec, Text
from hydrascope.schemas.errors import SpecError, closest, validate
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.topology import GraphTopology
from hydrascope.schemas.units import conversion
from hydrascope.serving.windows import TelemetryWindow

MAX_SAMPLES = 1_000_000
"""Of one sensor in one window."""


class _Body(Spec):
    model_config = ConfigDict(defer_build=False)  # or the first request would wait for it


class SignalIn(_Body):
    """Equidistant samples of one sensor from the window's start on."""

    values: Annotated[list[Number | None], Field(min_length=1, max_length=MAX_SAMPLES)]
    """null where a sample is missing; a signal shorter than the window misses its end."""
    rate_hz: Positive | None = None
    """Of these samples; the machine file's if null."""
    unit: Text | None = None
    """Of these samples; the machine file's if null. Others of the same quantity are converted."""


class WindowIn(_Body):
    """One window: its samples, or where in the database they are."""

    start: AwareDatetime
    """First instant of the window; its length is the model's."""
    signals: Annotated[dict[Identifier, SignalIn], Field(min_length=1)] | None = None
    """By sensor id; null: read from the database."""


class DiagnoseRequest(WindowIn):
    """One window of one machine."""

    equipment_id: Identifier
    store: bool = False
    """Whether the answer is kept in the database."""


class BatchRequest(_Body):
    """Up to 100 requests; each is checked and answered by itself."""

    items: Annotated[
        list[Any],
        Field(
            min_length=1,
            max_length=100,
            json_schema_extra={"items": {"$ref": "#/components/schemas/DiagnoseRequest"}},
        ),
    ]


class ReferenceRequest(_Body):
    """Windows of one machine from a time when it was known to be sound."""

    windows: Annotated[list[WindowIn], Field(min_length=1, max_length=100)]


class TopologyRequest(_Body):
    """A topology to be checked."""

    topology: dict[str, Any]


def window_of(request: WindowIn, machine: Machine, window_s: float) -> TelemetryWindow:
    """Return the window of a request that brings its own signals.

    Samples outside the sensor's range are missing, as in every other source.

    Raises:
        SpecError: A sensor is unknown, a unit cannot be converted, a signal is longer than the
            window.
    """
    sensors = {sensor.id: sensor for _, sensor in machine.topology.sensors}
    signals: dict[str, Signal] = {}
    faults = []
    for name, given in (request.signals or {}).items():
        sensor = sensors.get(name)
        if sensor is None:
            known = ", ".join(sensors)
            faults.append(
                f"signals.{name}: no such sensor; has: {known}{closest(name, [*sensors])}"
            )
            continue
        rate_hz = given.rate_hz or sensor.rate_hz
        if rate_hz * window_s > MAX_SAMPLES:  # a few samples at it would still take as much room
            faults.append(
                f"signals.{name}.rate_hz: {rate_hz:g} Hz in a window of {window_s:g} s are more "
                f"than {MAX_SAMPLES} samples"
            )
            continue
        most = max(1, math.ceil(rate_hz * window_s - 1e-6))
        if len(given.values) > most:
            faults.append(
                f"signals.{name}.values: {len(given.values)} samples at {rate_hz:g} Hz are more "
                f"than the {most} of a window of {window_s:g} s"
            )
            continue
        values = np.array(given.values, dtype=np.float64)
        if given.unit not in (None, sensor.unit):
            try:
                unit = conversion(given.unit, sensor.unit)
            except SpecError as error:
                faults.append(f"signals.{name}.unit: {error}")
                continue
            values = values * unit.scale + unit.offset
        if sensor.range is not None:
            low, high = sensor.range
            values[(values < low) | (values > high)] = np.nan
        signals[name] = Signal(values.astype(np.float32), rate_hz)
    if faults:
        raise SpecError("\n".join(faults))
    return TelemetryWindow(machine, request.start, signals)


def topology_faults(content: Mapping[str, Any]) -> list[str]:
    """Return everything that is wrong with a topology, a line each."""
    try:
        validate(GraphTopology, dict(content), source="topology")
    except SpecError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        return lines[1:] if len(lines) > 1 else [lines[0].removeprefix("topology: ")]
    return []
