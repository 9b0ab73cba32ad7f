"""The options of models. Does not import torch, so that a wrong value is reported quickly."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from hydrascope.schemas.base import CheckedModel

References = Literal["none", "beside", "alone"]

RowBy = Literal["build", "role"]


class NetworkConfig(CheckedModel):
    """The sizes and switches of `UniversalTemporalGNN`."""

    hidden_channels: int = Field(64, ge=8, le=4096)
    """The channels C of every embedding."""
    attention_heads: int = Field(4, ge=1, le=64)
    """The heads of every attention; must divide `hidden_channels`."""
    states: Literal["lstm", "linear", "spectral", "mlp"] = "lstm"
    """The layer that computes a component's state at each step. `lstm` is a recurrence, `linear`
    maps each step on its own, `spectral` is a learned filter on the window's spectrum, and `mlp`
    maps all steps at once. The last two are not causal."""
    arma: Literal["linear", "gated", "softmax"] = "gated"
    """The form of the autoregressive attention over the states."""
    use_ar: bool = True
    """Whether the attention has its autoregressive term."""
    use_ma: bool = True
    """Whether the attention has its moving-average term; without both terms there is no
    attention."""
    spatial_layers: int = Field(2, ge=0, le=16)
    """The number of GATv2 blocks, that is, how many lines away a component receives messages from;
    0 ignores the graph."""
    edge_features: bool = True
    """Whether the features of a line act on the messages along it."""
    order: Literal["time_then_space", "space_then_time", "interleaved"] = "time_then_space"
    """Where the graph blocks run: once after the steps, at every step before them, or at every step
    with a layer of states after each block."""
    machine_pooling: Literal["mean_max", "attention"] = "mean_max"
    """How the components are pooled into the machine."""
    cross_task: Literal["attention", "mlp", "none"] = "attention"
    """How heads exchange information; `mlp` has as many weights but no exchange."""
    sensor_identity: bool = True
    """Whether each sensor of a known build has its own weights in addition to those of its kind.
    Good for machines of the training builds; must be off for unknown builds."""
    step_identity: bool = False
    """Whether each step has its own weights and whitening. Suits windows that are aligned with a
    load cycle."""
    token_layers: int = Field(2, ge=0, le=16)
    """The number of attention blocks between all sensors and components of a machine; 0 for
    none."""
    row_channels: int = Field(0, ge=0, le=8192)
    """The channels of the branch that reads all sensors of a machine as one row; 0 for no
    branch."""
    row_by: RowBy = "build"
    """How the row is laid out. `build`: one place for each sensor of the build, whitened together;
    for machines of the training builds. `role`: one place for each kind of sensor on each family of
    components, as the difference from the reference windows; also for unknown builds."""
    row_features: tuple[str, ...] | None = Field(None, min_length=1)
    """The names of the features in a row by build; None for all."""
    row_layers: int = Field(2, ge=0, le=16)
    """The number of blocks on these channels."""
    row_levels: bool = False
    """Whether a row by roles also holds the levels of the reference windows themselves."""
    row_lines: int = Field(0, ge=0, le=16)
    """The number of lines away from which a component hears of others' sensors in a row by roles;
    0 for none."""
    row_own: bool = False
    """Adds weights of each single sensor to a row by roles after the training. They suit machines
    of one build or a few, and the network then answers only these."""
    references: References = "none"
    """How the difference from the machine's reference windows is read: not at all, beside the
    features, or alone (for machines of unknown builds)."""
    input_noise: float = Field(0.1, ge=0.0)
    """The standard deviation of the normal noise added to the whitened features in training."""
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    """The share of the channels dropped in training."""

    @property
    def of_any_build(self) -> bool:
        """Whether the network has no weights or statistics of single sensors."""
        by_role = self.row_by == "role" and not self.row_own
        return not self.sensor_identity and (not self.row_channels or by_role)

    @property
    def reads_references(self) -> References:
        """How the network reads references; a row by roles always reads them."""
        by_role = bool(self.row_channels) and self.row_by == "role"
        return "beside" if by_role and self.references == "none" else self.references

    @field_validator("attention_heads")
    @classmethod
    def _divides_channels(cls, attention_heads: int, info: ValidationInfo) -> int:
        channels = info.data.get("hidden_channels")
        if channels is not None and channels % attention_heads:
            raise ValueError(f"expected a divisor of hidden_channels ({channels})")
        return attention_heads


class LinearConfig(CheckedModel):
    """The options of the linear model's fit."""

    ridge: float = Field(default=5.0, gt=0.0)
    """The penalty on the squared weights, in units of the weight of one window."""
