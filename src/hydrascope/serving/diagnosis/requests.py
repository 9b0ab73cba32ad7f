"""Bodies of requests, and the windows that they bring."""

import math
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
from pydantic import (
    AwareDatetime,
    ConfigDict,
    FailFast,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hydrascope.schemas.base import Identifier, Number, Positive, Spec, Text
from hydrascope.schemas.component import SensorSpec
from hydrascope.schemas.errors import MOST_FAULTS, Fault, SpecError, closest
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.samples import GOOD, judge
from hydrascope.schemas.signal import Signal
from hydrascope.schemas.units import conversion
from hydrascope.serving.windows import TelemetryWindow

MAX_SAMPLES = 1_000_000
"""Samples of one sensor in one window, at most."""

_FREE_SAMPLES, _LEAST_FILLED = 10_000, 10
"""A window of one sensor with more samples than the first is at least filled to one part of so
many, or a few bytes would keep the model busy for seconds."""


def _few_faults(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Replace very many faults by their number: each takes a microsecond and a kilobyte."""
    try:
        return handler(value)
    except ValidationError as error:
        if error.error_count() <= MOST_FAULTS:
            raise
        count = {"count": error.error_count()}
        raise PydanticCustomError("many_faults", "{count} faults in this part", count) from None


FewFaults = WrapValidator(_few_faults)
"""Marks a body whose faults are named only if they are not very many."""


class _Body(Spec):
    model_config = ConfigDict(defer_build=False)  # built at the start, not by the first request

    @model_validator(mode="wrap")
    @classmethod
    def _named(cls, data: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return _few_faults(data, handler)


class SignalIn(_Body):
    """Equidistant samples of one sensor from the window's start on."""

    values: Annotated[list[Number | None], FailFast(), Field(min_length=1, max_length=MAX_SAMPLES)]
    """null where a sample is missing; a signal may end before the window."""
    rate_hz: Positive | None = None
    """Sampling rate; null: the machine file's, and then the signal fills half of the window or
    more, since fewer samples were probably taken at another rate."""
    unit: Text | None = None
    """Unit, converted to the machine file's; null: the machine file's."""


class WindowIn(_Body):
    """One window: its samples, or where in the database they are."""

    start: Annotated[
        AwareDatetime,
        Field(ge=datetime(1, 1, 2, tzinfo=UTC), lt=datetime(9999, 1, 1, tzinfo=UTC)),
    ]
    """Start of the window; its length is the model's."""
    signals: Annotated[dict[Text, SignalIn], Field(min_length=1)] | None = None
    """By sensor ID or alias of the machine file; null: read from the database."""


class DiagnoseRequest(WindowIn):
    """One window of one machine."""

    equipment_id: Identifier
    store: bool = False
    """Whether to save the answer in the database."""


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


def read_window(request: WindowIn, machine: Machine, window_s: float) -> TelemetryWindow:
    """Return the window of a request that brings its own signals.

    Samples outside the sensor's range become missing, as in every other source.

    Raises:
        SpecError: A sensor is unknown or given twice, a unit cannot be converted, a signal is
            longer than the window, or it is much shorter and does not say its rate.
    """
    sensors = {sensor.id: sensor for _, sensor in machine.topology.sensors}
    names = machine.sensor_names
    signals: dict[str, Signal] = {}
    faults: list[Fault] = []
    for name, given in (request.signals or {}).items():
        sensor_id = names.get(name, name)
        try:
            if sensor_id not in sensors:
                known = f"{', '.join(sensors)}{closest(name, [*sensors, *names])}"
                raise SpecError(f"no such sensor; has: {known}")
            if sensor_id in signals:
                raise SpecError(f"sensor {sensor_id} is given twice; expected one of its names")
            signals[sensor_id] = _read_signal(given, sensors[sensor_id], window_s)
        except SpecError as error:
            faults += error.under(f"signals.{name}").faults
    if faults:
        raise SpecError(*faults)
    return TelemetryWindow(machine, request.start, signals)


def _read_signal(given: SignalIn, sensor: SensorSpec, window_s: float) -> Signal:
    """Return a signal in the sensor's unit.

    Raises:
        SpecError: As `read_window`; the path is that in the signal.
    """
    rate_hz = given.rate_hz or sensor.rate_hz
    if rate_hz * window_s > MAX_SAMPLES:  # checked first: even a short signal would be filled up
        raise SpecError(
            f"{rate_hz:g} Hz in a window of {window_s:g} s are more than {MAX_SAMPLES} samples",
            path="rate_hz",
        )
    limit = max(1, math.ceil(rate_hz * window_s - 1e-6))
    if len(given.values) > limit:
        raise SpecError(
            f"{len(given.values)} samples at {rate_hz:g} Hz are more than the {limit} of a window "
            f"of {window_s:g} s",
            path="values",
        )
    if limit > max(_FREE_SAMPLES, _LEAST_FILLED * len(given.values)):
        raise SpecError(
            f"{len(given.values)} samples at {rate_hz:g} Hz fill less than 1/{_LEAST_FILLED} of a "
            f"window of {window_s:g} s; expected more of them, or none",
            path="values",
        )
    if given.rate_hz is None and 2 * len(given.values) < limit:
        raise SpecError(
            f"not given, and {len(given.values)} samples at the machine file's {rate_hz:g} Hz fill "
            f"less than half of a window of {window_s:g} s; expected the rate of these samples, "
            f"or {limit} samples",
            path="rate_hz",
        )
    values = np.array(given.values, dtype=np.float64)
    if given.unit is not None and given.unit != sensor.unit:
        try:
            unit = conversion(given.unit, sensor.unit)
        except SpecError as error:
            raise SpecError(str(error), path="unit") from None
        values = values * unit.scale + unit.offset
    values[judge(values, sensor) != GOOD] = np.nan
    return Signal(values.astype(np.float32), rate_hz)
