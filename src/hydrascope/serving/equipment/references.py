"""Reference windows that the service is given: their requests, their files, how they are shown."""

from collections.abc import Mapping

import numpy as np
from pydantic import AwareDatetime, BaseModel

from hydrascope.schemas.base import Identifier, Number, Positive, Spec
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.schemas.json_file import parse_json
from hydrascope.schemas.machine import Machine
from hydrascope.schemas.signal import Signal
from hydrascope.serving.windows import GivenReference, ReferenceUse, TelemetryWindow


class KeptSignal(Spec):
    """Samples of one sensor, as a request has them."""

    values: list[Number | None]
    """null where a sample is missing."""
    rate_hz: Positive
    unit: str
    """The machine file's."""


class KeptWindow(Spec):
    """One reference window, as a request has it."""

    start: AwareDatetime
    signals: dict[Identifier, KeptSignal]


class KeptReference(Spec):
    """A machine's reference windows, in a file or a database."""

    machine: Machine
    """As it was when they were given."""
    window_s: Positive
    windows: list[KeptWindow]


class EquipmentReference(BaseModel):
    """A machine's reference windows."""

    equipment_id: str
    window_s: float
    """Their length: that of the model active when they were given."""
    windows: list[KeptWindow]
    """As a later PUT takes them."""
    silent: list[str]
    """Sensors without a sample in any window: they are compared with nothing."""


class ReferenceVerdict(BaseModel):
    """What became of reference windows."""

    equipment_id: str
    windows: int
    reference: ReferenceUse | None
    """`given`: the active model compares with them from now on; null: it reads no references."""
    silent: list[str]
    """Sensors without a sample in any window: they are compared with nothing."""


def dump_reference(reference: GivenReference) -> bytes:
    """Return the JSON that `load_reference` reads."""
    content = KeptReference(
        machine=reference.machine,
        window_s=reference.window_s,
        windows=dump_windows(reference),
    )
    return content.model_dump_json().encode()


def dump_windows(reference: GivenReference) -> list[KeptWindow]:
    """Return windows as a request has them, each sample in the machine file's unit."""
    units = {sensor.id: sensor.unit for _, sensor in reference.machine.topology.sensors}
    return [
        KeptWindow(
            start=window.start,
            signals={
                name: KeptSignal(
                    values=[None if np.isnan(each) else each for each in signal.values.tolist()],
                    rate_hz=signal.rate_hz,
                    unit=units[name],
                )
                for name, signal in window.signals.items()
            },
        )
        for window in reference.windows
    ]


def load_reference(content: bytes, source: str) -> GivenReference:
    """Read what `dump_reference` returned.

    Raises:
        SpecError: The content is not valid; names `source`.
    """
    found = validate(KeptReference, parse_json(content, source), source=source)
    windows = (
        TelemetryWindow(found.machine, window.start, _signals(window.signals))
        for window in found.windows
    )
    return GivenReference(found.machine, found.window_s, tuple(windows))


def silent_sensors(reference: GivenReference) -> list[str]:
    """Return the sensors without a sample in any window."""
    seen = {
        name
        for window in reference.windows
        for name, signal in window.signals.items()
        if np.isfinite(signal.values).any()
    }
    sensors = [sensor.id for _, sensor in reference.machine.topology.sensors]
    return [name for name in sensors if name not in seen]


def check_use(use: ReferenceUse | None, equipment_id: str) -> None:
    """Check that the model can answer with the reference there is.

    Raises:
        SpecError: It reads only differences from reference windows, and there are none.
    """
    if use is ReferenceUse.NEEDED:
        raise SpecError(
            "the model reads what differs from a machine's reference windows alone, "
            f"and there are none of {equipment_id!r}; PUT some from a time when it was sound to "
            f"/v1/equipment/{equipment_id}/reference",
            path="reference",
        )


def check_length(reference: GivenReference, window_s: float) -> None:
    """Check that reference windows are as long as the active model's.

    Raises:
        SpecError: They are not; names both lengths.
    """
    if reference.window_s != window_s:
        raise SpecError(
            f"its windows are {reference.window_s:g} s long, and the active model's "
            f"{window_s:g} s; PUT such ones",
            path="reference",
        )


def _signals(signals: Mapping[str, KeptSignal]) -> dict[str, Signal]:
    return {
        name: Signal(
            np.array([np.nan if v is None else v for v in each.values], np.float32), each.rate_hz
        )
        for name, each in signals.items()
    }
