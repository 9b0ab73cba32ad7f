"""What a user can choose of the network. No torch here, so that a wrong value answers at once."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class NetworkConfig(BaseModel):
    """Sizes and switches of `UniversalTemporalGNN`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden_channels: int = Field(64, ge=8, le=4096)
    """Channels C of every embedding."""
    attention_heads: int = Field(4, ge=1, le=64)
    """Heads of every attention; divides `hidden_channels`."""
    spatial_layers: int = Field(2, ge=0, le=16)
    """GATv2 blocks: how many lines away a component hears; 0 leaves the graph out."""
    arma: Literal["linear", "gated", "softmax"] = "gated"
    """Form of the autoregressive attention over the steps."""
    sensor_identity: bool = True
    """Whether each sensor of a known topology has weights of its own beside its kind's. Good for
    machines of the builds trained on; unknown builds need it off."""
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    """Share of the channels dropped in training."""

    @field_validator("attention_heads")
    @classmethod
    def _divides_channels(cls, attention_heads: int, info: ValidationInfo) -> int:
        channels = info.data.get("hidden_channels")
        if channels is not None and channels % attention_heads:
            raise ValueError(f"expected a divisor of hidden_channels ({channels})")
        return attention_heads
