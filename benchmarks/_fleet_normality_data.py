"""The simulated machines of `fleet_normality`: those learned from, and those that are judged."""

from typing import NamedTuple

from benchmarks._document import ROOT
from benchmarks._fleet_runs import settings_of
from hydrascope.data.datamodule import HydraulicDataModule
from hydrascope.experiment.assemble import build_datamodule
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.graphs.input_spec import InputSpec

RUNS = ROOT / "outputs" / "fleet_normality"
EVERY_H = 4.0
"""Hours from one judged window to the next."""
SPREAD_H = 500.0
GROWTH_H = 500.0
"""Hours from the onset of a fault to failure."""
GROWING = "benchmarks._fleet_growing.Growing"
RECORDED_MIN = 2.0


class Size(NamedTuple):
    """The size of the measurement.

    Attributes:
        learned: Healthy machines of each kind that are learned from or set the thresholds.
        windows: Windows of each of these, spread over `SPREAD_H`.
        sound: Sound machines of each kind.
        growing: Machines of each kind with a growing fault.
        sound_h: For which the sound ones are observed, a window every `EVERY_H`.
        growing_h: For which the growing ones are.
    """

    learned: int = 60
    windows: int = 24
    sound: int = 25
    growing: int = 27
    sound_h: float = 200.0
    growing_h: float = 300.0


FULL = Size()
COMPARED = Size(sound=25, sound_h=200.0, growing=18)
"""The size of `alarm_tests`: fewer machines than settings were chosen on, so that it takes minutes
and not an hour. All tests are compared on the same machines."""


class Seeds(NamedTuple):
    """The seeds of the learned, the sound and the growing machines."""

    learned: int
    sound: int
    growing: int


JUDGED = Seeds(71, 82, 83)
"""The seeds of the tables. Settings were chosen on `TUNED`: the same learned machines, and other
sound and growing ones."""
TUNED = Seeds(71, 72, 72)


def training(size: Size, seeds: Seeds, *overrides: str) -> list[str]:
    """Return the overrides of a training on healthy machines."""
    return [
        *("data=fleet", "task=normality", "model=mahalanobis", "tracking=none"),
        *("task.normality.false_alarm_rate=null", "task.normality.false_alarms_per_1000_h=1.0"),
        f"task.normality.judged_every_h={EVERY_H}",
        *("data.normalise.by=machine", "data.normalise.clip=5.0", "data.window.steps=1"),
        *("data.split.folds=20", "data.split.val_fraction=0.45"),
        *("features.levels=true", "features.patch=false"),
        "features.percentiles=[5,25,50,75,95]",
        *("data.source.fault_rate=0.0", "data.source.commissioning=6"),
        *_recorded(size.learned, size.windows, SPREAD_H, seeds.learned),
        f"data.store.folder={RUNS / 'store'}",
        *overrides,
    ]


def sound(size: Size, seeds: Seeds) -> list[str]:
    """Return the overrides by which a training's settings are those of sound machines."""
    return _recorded(size.sound, size.sound_h / EVERY_H, size.sound_h, seeds.sound)


def growing(size: Size, seeds: Seeds) -> list[str]:
    """Return the overrides by which a training's settings are those of growing faults."""
    return [
        *_recorded(size.growing, size.growing_h / EVERY_H, size.growing_h, seeds.growing),
        f"data.source._target_={GROWING}",
        f"+data.source.growth_h={GROWTH_H}",
    ]


def _recorded(machines: int, windows: float, hours: float, seed: int) -> list[str]:
    return [
        f"data.source.machines_per_kind={machines}",
        f"data.source.hours={windows * RECORDED_MIN / 60.0}",
        f"data.source.recording_min={RECORDED_MIN}",
        f"data.source.life_h={hours}",
        f"data.source.seed={seed}",
    ]


def settings(*overrides: str) -> TrainSettings:
    """Return the settings of a training with these overrides, with the store of this benchmark."""
    found = settings_of(*overrides)
    store = found.data.store.model_copy(update={"folder": str(RUNS / "store")})
    data = found.data.model_copy(update={"store": store})
    return found.model_copy(update={"data": data})


def opened(found: TrainSettings, judged_by: InputSpec | None = None) -> HydraulicDataModule:
    """Return the windows of a training's data; with a vocabulary, all of them are judged."""
    data = build_datamodule(found.data, found.features, found.task, found.seed)
    if judged_by is not None:
        data.judge_all()
        data.read_as(judged_by)
    data.setup()
    return data
