"""From a command line to Hydra; a help, and what it needs, come before anything else."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from hydrascope.console import print_anything
from hydrascope.experiment.config_files import take_own
from hydrascope.experiment.importing import load

USAGE_ERROR = 2
"""Exit code for what a user can mend, as argparse has it."""


def start(name: str, conf: Path, command: str | None = None) -> None:
    """Run `train`, `evaluate` or `export` from `sys.argv`.

    Args:
        name: Which; `<name>.yaml` is its configuration.
        conf: Folder of the configuration groups.
        command: What was typed before the arguments, if not the script of that name.
    """
    print_anything()
    script = f"{name}.py"
    require("hydra", "train", command or script)
    with one_line_errors(script, command or script):
        if {"--help", "-h"} & set(sys.argv[1:]):
            own, arguments = take_own(sys.argv[1:])
            overrides = [each for each in arguments if not each.startswith("-")]
            text = load(f"{__package__}.composing").help_text
            print(text(name, overrides, conf, own, command or f"python {script}"))
            return
    launch = load(f"{__package__}.launch")
    launch.launch(name, launch.VALIDATE[name], f"{__package__}.{name}", conf, command)


def require(package: str, extra: str, said_by: str) -> None:
    """End with one line where the extra that brings a package has not been installed."""
    if find_spec(package) is None:
        print(
            f"{said_by}: needs the extra `{extra}`; write pip install 'hydrascope[{extra}]'",
            file=sys.stderr,
        )
        sys.exit(USAGE_ERROR)


@contextmanager
def one_line_errors(script: str, said_by: str) -> Iterator[None]:
    """Print what a user got wrong and exit; `HYDRASCOPE_TRACEBACK=1` shows the whole trace.

    Args:
        script: The name of the script, which its settings' errors have as source.
        said_by: What it is to begin with.
    """
    try:
        yield
    except Exception as error:
        # Only here: it takes pydantic, which a help does without.
        from hydrascope.experiment.complaints import complaint, users
        from hydrascope.schemas.errors import SpecError

        traced = os.environ.get("HYDRASCOPE_TRACEBACK") == "1"
        if traced or not users(error):
            raise
        print(SpecError(*complaint(error, script).faults, source=said_by), file=sys.stderr)
        sys.exit(USAGE_ERROR)
