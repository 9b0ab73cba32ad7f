"""From a command line to Hydra; `--help` is answered before anything heavy is imported."""

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
"""The exit code for errors that the user can fix, as in argparse."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, as in shells."""


def start(name: str, conf: Path, command: str | None = None) -> None:
    """Run `train`, `evaluate` or `export` from `sys.argv`.

    Args:
        name: The job; `<name>.yaml` is its configuration.
        conf: Folder of the configuration groups.
        command: The command as typed, without its arguments, if it is not the script `<name>.py`.
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


def require(package: str, extra: str, command: str) -> None:
    """Exit with one line if a package is missing that comes with `extra`."""
    if find_spec(package) is None:
        print(
            f"{command}: needs the extra `{extra}`; write pip install 'hydrascope[{extra}]'",
            file=sys.stderr,
        )
        sys.exit(USAGE_ERROR)


@contextmanager
def one_line_errors(script: str, command: str) -> Iterator[None]:
    """Print a user error or Ctrl-C as one line and exit.

    `HYDRASCOPE_TRACEBACK=1` shows the full traceback of an error.

    Args:
        script: Name of the script, which is the source of its settings' errors.
        command: The source to print instead.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        print(
            f"{command}: {interrupt}" if interrupt.args else f"{command}: interrupted",
            file=sys.stderr,
        )
        sys.exit(INTERRUPTED)
    except Exception as error:
        # Imported only here: it imports pydantic, which `--help` does not need.
        from hydrascope.experiment.complaints import complaint, users
        from hydrascope.schemas.errors import SpecError

        traced = os.environ.get("HYDRASCOPE_TRACEBACK") == "1"
        if traced or not users(error):
            raise
        print(SpecError(*complaint(error, script).faults, source=command), file=sys.stderr)
        sys.exit(USAGE_ERROR)
