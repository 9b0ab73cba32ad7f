"""What a user can choose of the network. No torch here, so that a wrong value answers at once."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

References = Literal["none", "beside", "alone"]

RowBy = Literal["build", "role"]


class NetworkConfig(BaseModel):
    """Sizes and switches of `UniversalTemporalGNN`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden_channels: int = Field(64, ge=8, le=4096)
    """Channels C of every embedding."""
    attention_heads: int = Field(4, ge=1, le=64)
    """Heads of every attention; divides `hidden_channels`."""
    states: Literal["lstm", "linear", "spectral", "mlp"] = "lstm"
    """What gives a component's state at each step: a recurrence; each step by itself; a learned
    filter over the window's spectrum; all steps at once. The last two are not causal."""
    arma: Literal["linear", "gated", "softmax"] = "gated"
    """Form of the autoregressive attention over the states."""
    use_ar: bool = True
    """The attention's autoregressive term."""
    use_ma: bool = True
    """The attention's moving-average term; without both terms there is no attention."""
    spatial_layers: int = Field(2, ge=0, le=16)
    """GATv2 blocks: how many lines away a component hears; 0 leaves the graph out."""
    edge_features: bool = True
    """Whether the lines' features act on what components hear along them."""
    order: Literal["time_then_space", "space_then_time", "interleaved"] = "time_then_space"
    """Whether the graph blocks run once behind the steps, at every step before them, or at every
    step with states over the steps behind each."""
    machine_pooling: Literal["mean_max", "attention"] = "mean_max"
    """How components become a machine."""
    cross_task: Literal["attention", "mlp", "none"] = "attention"
    """How heads exchange what they see; the mlp has as many weights and no exchange."""
    sensor_identity: bool = True
    """Whether each sensor of a known topology has weights of its own beside its kind's. Good for
    machines of the builds trained on; unknown builds need it off."""
    step_identity: bool = False
    """Whether each step has weights and a whitening of its own: right where windows are aligned
    with a load cycle."""
    token_layers: int = Field(2, ge=0, le=16)
    """Blocks of attention between all sensors and components of a machine; 0 leaves it out."""
    row_channels: int = Field(0, ge=0, le=8192)
    """Channels of what is made of a machine's sensors as one row; 0 leaves it out."""
    row_by: RowBy = "build"
    """How the row is laid out: by the sensors of the build, whitened together, for machines of
    builds trained on; or by what sensors measure on which family of components, as they differ
    from the reference windows, which machines of unknown builds have too."""
    row_features: tuple[str, ...] | None = Field(None, min_length=1)
    """Names of the features that a build's row holds; None: all."""
    row_layers: int = Field(2, ge=0, le=16)
    """Blocks on these channels."""
    references: References = "none"
    """Whether what differs from the machine's reference windows stands beside the features or
    alone, for machines of unknown builds; or is not read."""
    input_noise: float = Field(0.1, ge=0.0)
    """Deviation of the normal noise on the whitened features, in training."""
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    """Share of the channels dropped in training."""

    @property
    def of_any_build(self) -> bool:
        """Whether such a network has no weights or statistics of single sensors."""
        return not self.sensor_identity and (not self.row_channels or self.row_by == "role")

    @property
    def reads_references(self) -> References:
        """How such a network reads references; a row by roles does so in any case."""
        by_role = bool(self.row_channels) and self.row_by == "role"
        return "beside" if by_role and self.references == "none" else self.references

    @field_validator("attention_heads")
    @classmethod
    def _divides_channels(cls, attention_heads: int, info: ValidationInfo) -> int:
        channels = info.data.get("hidden_channels")
        if channels is not None and channels % attention_heads:
            raise ValueError(f"expected a divisor of hidden_channels ({channels})")
        return attention_heads
