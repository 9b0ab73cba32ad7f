"""The duty of a machine: a cycle of phases, which varies from one time to the next."""

from typing import Annotated

from pydantic import Field, field_validator

from hydrascope.schemas.base import Identifier, Number, Positive, Spec, Text

Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
_Deviation = Annotated[float, Field(strict=True, ge=0.0)]
_PositiveShare = Annotated[float, Field(strict=True, gt=0.0, le=1.0)]


class PumpCommand(Spec):
    """What a controller asks of a pump, from the start of a phase on until it asks otherwise.

    Before the first command of a cycle the last one of the cycle holds.
    """

    pressure: _PositiveShare = 1.0
    """Cut-off pressure, as a share of what is set for the job."""
    speed: _PositiveShare = 1.0
    """Speed, as a share of what is set for the job."""


class Phase(Spec):
    """A part of a cycle."""

    name: Text
    """For people."""
    duration_s: Positive
    """Nominal duration."""
    to: dict[Identifier, Number] = Field(default_factory=dict)
    """Targets at the end of the phase: shares of a cylinder's stroke, or a motor's rad."""
    hold: dict[Identifier, Number] = Field(default_factory=dict)
    """Valve openings of `open_loop` actuators from the start of the phase on, −1 to 1."""
    process: dict[Identifier, Share] = Field(default_factory=dict)
    """Shares of the process load during the phase; 0 for actuators that are not named."""
    pumps: dict[Identifier, PumpCommand] = Field(default_factory=dict)
    """Commands of pumps."""


class Pause(Spec):
    """A rest after so many cycles."""

    every_cycles: Annotated[int, Field(ge=1)]
    """Number of cycles from one rest to the next."""
    duration_s: Positive
    """Nominal duration."""


class SettingRange(Spec):
    """What an operator sets for a job, each as the lowest and the highest share.

    The setting of each recording is drawn between them.
    """

    pressure: tuple[_PositiveShare, _PositiveShare] = (1.0, 1.0)
    """Cut-off pressure of the pumps of oil, as a share of the nominal one; loads follow."""
    speed: tuple[_PositiveShare, _PositiveShare] = (1.0, 1.0)
    """Speed of the pumps of oil, as a share of the nominal one; the pace follows."""
    reach: tuple[_PositiveShare, _PositiveShare] = (1.0, 1.0)
    """Share of the cycle's travel from the initial position."""

    @field_validator("pressure", "speed", "reach")
    @classmethod
    def _ascending(cls, shares: tuple[float, float]) -> tuple[float, float]:
        if shares[0] > shares[1]:
            raise ValueError("expected [low, high] with low <= high")
        return shares


class OperatorSpread(Spec):
    """How operators and cycles differ, as standard deviations of logarithms.

    All 0 for a controller that repeats its cycle exactly.
    """

    pace: _Deviation = 0.12
    """Durations, from one machine's operator to another's."""
    load: _Deviation = 0.15
    """Loads of the process, from one machine's operator to another's."""
    cycle: _Deviation = 0.08
    """Durations and loads from one cycle to the next; targets differ by 0.3 of it."""


class Weather(Spec):
    """The temperature of air and coolant, drawn for each recording from a normal distribution."""

    mean_c: Number = 23.0
    """Mean; by default that of a hall."""
    deviation_c: _Deviation = 6.0
    """Standard deviation."""


class DutyCycle(Spec):
    """The content of a duty file."""

    initial: dict[Identifier, Number]
    """Position at which each actuator begins; names all actuators."""
    open_loop: tuple[Identifier, ...] = ()
    """Actuators whose valve opening is commanded; of the others the position is."""
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    """Parts of a cycle, one after the other; the cycle then begins again."""
    pause: Pause | None = None
    """Rest after some cycles."""
    setting: SettingRange = SettingRange()
    """What differs from one recording to the next because it was set so."""
    weather: Weather = Weather()
    """Temperature of air and coolant."""
    operator: OperatorSpread = OperatorSpread()
    """How operators and cycles differ."""

    @property
    def duration_s(self) -> float:
        """The nominal duration of one cycle."""
        return sum(phase.duration_s for phase in self.phases)

    @property
    def in_step(self) -> bool:
        """Whether every cycle takes the same time, so that times in a cycle can be compared."""
        steady = self.operator.pace == self.operator.cycle == 0.0
        return steady and self.pause is None and self.setting.speed == (1.0, 1.0)
