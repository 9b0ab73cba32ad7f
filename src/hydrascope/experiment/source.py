"""A source of telemetry by itself, chosen as for a training."""

from collections.abc import Sequence

from omegaconf import OmegaConf

from hydrascope.experiment.assemble import build_source
from hydrascope.experiment.base import Target
from hydrascope.experiment.composing import composed
from hydrascope.experiment.config_files import CONF
from hydrascope.experiment.python_call import spec_errors
from hydrascope.schemas.errors import SpecError, validate
from hydrascope.telemetry.source import TelemetrySource

_ACCEPTED = ("data", "data.source")


def source_of(overrides: Sequence[str]) -> TelemetrySource:
    """Return the source that a training with these overrides would read.

    Args:
        overrides: `data=OPTION`, and keys of `data.source` as in `data.source.folder=PATH`.

    Raises:
        SpecError: Another key is given, or one is not accepted.
    """
    for override in overrides:
        key = override.partition("=")[0].lstrip("+")
        if not (key in _ACCEPTED or key.startswith("data.source.")):
            raise SpecError(
                f"{override}: is not accepted; expected a folder, or data=OPTION and keys of "
                "data.source"
            )
    with spec_errors("predict", "train.py"):
        config = composed("train", ["run_dir=.", *overrides], CONF)
        keys = OmegaConf.to_container(config.data.source, resolve=True, throw_on_missing=True)
        return build_source(validate(Target, keys, source="data.source"))
