"""What `hydrascope init` can write a task for."""

from enum import StrEnum


class Learn(StrEnum):
    """What a task is about."""

    LABELS = "labels"
    """The labels that are frequent enough."""
    NORMALITY = "normality"
    """What is normal; labels only judge it."""
    REMAINING_LIFE = "remaining_life"
    """The time to the end of each recording, at which the machine failed."""
