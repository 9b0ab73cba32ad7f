"""What a user can choose of the discriminant. No torch here: a wrong value answers at once."""

from pydantic import BaseModel, ConfigDict, Field


class DiscriminantConfig(BaseModel):
    """How the kernel discriminant is fitted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    draws: int = Field(default=3, ge=1, le=20)
    """Fits, each with transplants of its own, whose answers are averaged."""
    steps: int = Field(default=60, ge=0, le=10_000)
    """Steps of the metric's training."""
    learning_rate: float = Field(default=0.1, gt=0.0)
    """Of that training (Adam, cosine to 0)."""
    transplants: int = Field(default=5, ge=0, le=1000)
    """Rows added to each combination by drift transplant."""
    max_rows: int = Field(default=4000, ge=100, le=20_000)
    """Windows kept at most, before transplants; time grows with the square of it."""
