"""The settings of operating regimes, which have statistics of their own."""

from typing import Annotated

from pydantic import Field, field_validator

from hydrascope.schemas.base import Spec, Text


class RegimeSpec(Spec):
    """Operating regimes, told apart by the means of setting sensors over a window."""

    sensors: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Ids of the setting sensors, such as speed and load. Every build must have them."""
    number: Annotated[int, Field(strict=True, ge=2, le=64)]
    """Number of regimes."""
    label: Text | None = None
    """Label column with the regime of a training window; the regimes' centres are its means. None:
    centres are found by k-means."""

    @field_validator("sensors")
    @classmethod
    def _each_once(cls, sensors: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(sensors)) < len(sensors):
            raise ValueError("expected each sensor once")
        return sensors
