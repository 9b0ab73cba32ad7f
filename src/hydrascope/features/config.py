"""Configuration of features; imports no torch.

It determines the names and number of features, so a network can be sized before any signal is read.
`FeatureEngineer` extracts exactly these features in this order.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, model_validator

from hydrascope.schemas.base import CheckedModel
from hydrascope.schemas.errors import IMPORT_PATH, WORD, closest

STATISTICS_BESIDE_PERCENTILES = ("mean", "std", "min", "max")
SHAPE_STATISTICS = ("skewness", "kurtosis")
SPECTRUM_SUMMARIES = ("dominant_frequency_hz", "spectral_entropy")
LEVEL_NAMES = ("level", "log_level")
HYDRAULIC_NAMES = ("pressure_ratio", "temperature_delta", "flow_efficiency", "cavitation_index")

Method = Literal["standardize", "minmax", "robust", "none"]
"""The method by which `features.normalizer` scales features."""

NormaliseBy = Literal["sensor", "kind", "machine"]
"""Whether the statistics are per sensor of a known build, per kind of sensor, or per sensor of a
build and relative to each machine's own reference windows."""

Short = Literal["stop", "skip", "pad"]
"""What becomes of machines whose recordings are all shorter than a window."""

TestWindows = Literal["all", "last"]
"""The test windows that are judged: all, or the last one of each machine."""

FeatureName = Annotated[str, Field(pattern=WORD)]
ImportPath = Annotated[str, Field(pattern=IMPORT_PATH)]
Percentile = Annotated[float, Field(ge=0, le=100)]
SampleCount = Annotated[int, Field(ge=1)]


class Fill(StrEnum):
    """Methods of filling gaps; see `features.cleaning`."""

    MASK = "mask"
    FORWARD = "forward"
    BACKWARD = "backward"
    INTERPOLATE = "interpolate"


class CleaningConfig(CheckedModel):
    """Cleaning of the samples of a window before its features are computed."""

    fill: Fill = Fill.MASK
    max_gap_s: float | None = Field(default=1.0, gt=0)
    """Longest gap to fill, in seconds; None: any."""
    outlier_threshold: float | None = Field(default=None, gt=0)
    """Modified z-score from which a sample counts as missing; None: off."""

    @property
    def active(self) -> bool:
        """Whether the cleaning changes anything."""
        return self.fill is not Fill.MASK or self.outlier_threshold is not None


def _group(name: str, *, on: bool) -> Any:
    """Return a switch with the key `name` in files and a name with `use_` in Python."""
    accepted = AliasChoices(name, f"use_{name}")
    return Field(on, validation_alias=accepted, serialization_alias=name)


class FeatureConfig(CheckedModel):
    """The feature groups of each sensor and sub-window, and their parameters.

    `conf/features/default.yaml` has the same defaults; there, the switches are called
    `statistical`, `frequency`, `temporal` and `hydraulic`.
    """

    names: tuple[str, ...] | None = Field(default=None, min_length=1)
    """The features of a sensor in this order, whatever groups are on; None: all of the groups that
    are on."""
    use_statistical: bool = _group("statistical", on=True)
    use_frequency: bool = _group("frequency", on=False)
    use_temporal: bool = _group("temporal", on=False)
    levels: bool = False
    """Mean of the samples (also in the statistical group) and its signed logarithm."""
    own: dict[FeatureName, ImportPath] | None = None
    """The user's own features by name, each with the import path of its function."""
    patch: bool = True
    use_hydraulic: bool = _group("hydraulic", on=False)
    """Machine-level features, which relate the quantities of one machine to each other."""
    edge_dynamic: bool = False
    """Dynamic features of each line, from the telemetry of its two ends."""

    percentiles: tuple[Percentile, ...] = (5, 25, 50, 75, 95)
    """Percentiles in percent."""
    num_frequencies: int = Field(default=10, ge=1)
    """Number of the largest spectral amplitudes."""
    window_sizes: tuple[SampleCount, ...] = (5, 10, 30)
    """Lengths of the rolling windows, in samples."""
    ema_span: int = Field(default=10, ge=1)
    """Span of the exponential moving average in samples; its weight is 2 / (span + 1)."""
    autocorrelation_lags: tuple[SampleCount, ...] = (1, 5, 10)
    """Lags of the autocorrelation in samples."""
    patch_length: int = Field(default=6, ge=1)
    """Number of samples that a sub-window is resampled to; 1: its first sample."""
    cleaning: CleaningConfig = CleaningConfig()
    """Cleaning of whole windows, before they are divided into sub-windows."""
    min_valid_fraction: float = Field(default=0.5, gt=0, le=1)
    """A sub-window with a smaller share of finite samples counts as unobserved."""
    normalization: Method | None = None
    """Scaling of the features in a training (`features.normalizer`); None: `data.normalise.method`.
    The stored features keep the units of their sensors."""

    @model_validator(mode="after")
    def _something_is_extracted_once(self) -> Self:
        for field in ("names", "percentiles", "window_sizes", "autocorrelation_lags"):
            values = getattr(self, field) or ()
            if len(set(values)) != len(values):
                raise ValueError(f"{field}={values} holds a value twice; give each once")
        every = [name for names in self._every_group.values() for name in names]
        if taken := [name for name in self.own or () if every.count(name) > 1]:
            raise ValueError(f"own.{taken[0]}: a feature has this name already; choose another")
        for name in self.names or ():
            if name not in every:
                listed = ", ".join(every)
                raise ValueError(
                    f"names: no feature {name!r}; there is: {listed}{closest(name, every)}"
                )
        if self.sensor_feature_count == 0:
            raise ValueError(
                "every sensor group is switched off; switch on at least one of "
                "statistical, frequency, temporal, levels, patch, or give names"
            )
        if (self.use_hydraulic or self.edge_dynamic) and "mean" not in self.sensor_feature_names:
            raise ValueError(
                "hydraulic and edge_dynamic are computed from the sensors' means; "
                "switch on statistical (or name mean), or both of them off"
            )
        return self

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The groups that are extracted, each with all of its features, in the order of extraction.

        - statistical: mean, std, min, max, the percentiles, skewness, excess kurtosis
        - frequency: the largest spectral amplitudes, descending, and summaries of the spectrum
        - temporal: rolling means, rolling stds, EMA, autocorrelations, linear trend
        - levels: the level and its signed logarithm
        - own: the user's own
        - patch: the resampled samples
        """
        if self.names is not None:
            chosen = set(self.names)
            return {group: each for group, each in self._every_group.items() if chosen & set(each)}
        on = {
            "statistical": self.use_statistical,
            "frequency": self.use_frequency,
            "temporal": self.use_temporal,
            "levels": self.levels,
            "own": bool(self.own),
            "patch": self.patch,
        }
        return {group: each for group, each in self._every_group.items() if on[group]}

    @property
    def _every_group(self) -> dict[str, tuple[str, ...]]:
        return {
            "statistical": (
                *STATISTICS_BESIDE_PERCENTILES,
                *(f"percentile_{p:g}" for p in self.percentiles),
                *SHAPE_STATISTICS,
            ),
            "frequency": (
                *(f"amplitude_{rank}" for rank in range(1, self.num_frequencies + 1)),
                *SPECTRUM_SUMMARIES,
            ),
            "temporal": (
                *(f"rolling_mean_{size}" for size in self.window_sizes),
                *(f"rolling_std_{size}" for size in self.window_sizes),
                f"ema_{self.ema_span}",
                *(f"autocorrelation_{lag}" for lag in self.autocorrelation_lags),
                "trend_per_s",
            ),
            "levels": LEVEL_NAMES,
            "own": tuple(self.own or ()),
            "patch": tuple(f"patch_{i}" for i in range(self.patch_length)),
        }

    def _count(self, group: str) -> int:
        extracted = self.groups.get(group, ())
        return len(extracted if self.names is None else set(extracted) & set(self.names))

    @property
    def hydraulic_names(self) -> tuple[str, ...]:
        """The features of the whole machine, in the order of `features.hydraulic`."""
        return HYDRAULIC_NAMES if self.use_hydraulic else ()

    @property
    def sensor_feature_names(self) -> tuple[str, ...]:
        """All features of one sensor: `names`, or those of the groups in their order."""
        if self.names is not None:
            return self.names
        return tuple(name for names in self.groups.values() for name in names)

    @property
    def statistical_count(self) -> int:
        """The number of features in the statistical group, 11 by default."""
        return self._count("statistical")

    @property
    def frequency_count(self) -> int:
        """The number of features in the frequency group: 0 by default (off), else 12."""
        return self._count("frequency")

    @property
    def temporal_count(self) -> int:
        """The number of features in the temporal group: 0 by default (off), else 11."""
        return self._count("temporal")

    @property
    def levels_count(self) -> int:
        """The number of features in the levels group: 0 by default (off), else 2."""
        return self._count("levels")

    @property
    def patch_count(self) -> int:
        """The number of samples in the patch, 6 by default."""
        return self._count("patch")

    @property
    def hydraulic_count(self) -> int:
        """The number of features of the whole machine: 0 by default (off), else 4."""
        return len(self.hydraulic_names)

    @property
    def sensor_feature_count(self) -> int:
        """The number of features of one sensor, 17 by default."""
        return len(self.sensor_feature_names)
