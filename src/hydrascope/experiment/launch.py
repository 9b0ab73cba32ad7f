"""From a command line to a running job: compose, validate, and only then import what is heavy."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from hydrascope.experiment.complaints import USER_ERRORS, complaint
from hydrascope.experiment.settings import Settings

USAGE_ERROR = 2
"""Exit code for what a user can mend, as argparse has it."""


def launch(
    script: str, validate: Callable[[dict[str, object]], Settings], job: str, conf: Path
) -> None:
    """Run a job from `sys.argv`.

    Args:
        script: The script's name: `conf/<script>.yaml` is its configuration.
        validate: Turns the composed configuration into settings; imports nothing heavy.
        job: Module whose `run(settings)` does the work; imported after validation.
        conf: Folder of the configuration groups.
    """
    # Hydra prints its own errors over many lines and exits with 1; with this it raises them to us.
    os.environ["HYDRA_FULL_ERROR"] = "1"

    @hydra.main(version_base="1.3", config_path=str(conf), config_name=script)
    def main(config: DictConfig) -> None:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        settings = validate({str(key): value for key, value in dict(plain).items()})
        import_module(job).run(settings)

    try:
        main()
    except USER_ERRORS as error:
        if os.environ.get("HYDRASCOPE_TRACEBACK") == "1":
            raise
        print(f"{script}.py: {complaint(error)}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
