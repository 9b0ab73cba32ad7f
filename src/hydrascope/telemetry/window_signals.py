"""The signals of one window, as the service and a watch read it from samples."""

from collections.abc import Mapping, Sequence

import numpy as np

from hydrascope.schemas import Machine, SensorSpec
from hydrascope.schemas.samples import Samples
from hydrascope.schemas.signal import Signal
from hydrascope.telemetry.resampling import ResampleSettings, margin_us, regular


def margin_beside_us(machine: Machine) -> int:
    """Return how far beside a window a sample can affect it, in microseconds."""
    return margin_us(min((s.rate_hz for _, s in machine.topology.sensors), default=1.0), None)


def window_signals(
    sensors: Sequence[SensorSpec], samples: Mapping[str, Samples], first_us: int, end_us: int
) -> dict[str, Signal]:
    """Return the samples of a window, resampled to the sensors' rates from its start on.

    They are those of a training with the default settings of `data.source`. Sensors without a
    sample in or beside the window are left out.

    Args:
        sensors: Those of the machine.
        samples: Good samples by sensor ID, in order of time, with a `margin_beside_us` on both
            sides of the window; perhaps more.
        first_us: Start of the window.
        end_us: End of the window, exclusive.
    """
    slowest_hz = min((sensor.rate_hz for sensor in sensors), default=1.0)
    beside = margin_us(slowest_hz, None)
    signals = {}
    for sensor in sensors:
        if sensor.id not in samples:
            continue
        own = samples[sensor.id]
        ends = np.searchsorted(own.time_us, [first_us - beside, end_us + beside])
        near = own.take(slice(*ends))
        if len(near.value):
            signals[sensor.id] = regular(
                near,
                sensor,
                origin_us=first_us,
                first_us=first_us,
                end_us=end_us,
                settings=ResampleSettings(),
            )
    return signals
