"""What a user can choose of the linear model. No torch here: a wrong value answers at once."""

from pydantic import BaseModel, ConfigDict, Field


class LinearConfig(BaseModel):
    """How the linear model is fitted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ridge: float = Field(default=5.0, gt=0.0)
    """Penalty on the squares of the weights, as much as so many windows weigh."""
