"""One trial, started by the sweep: `python -m hydrascope.experiment.sweep.trial SETTINGS.json`."""

import os
import signal
import sys
import traceback
from pathlib import Path
from threading import Thread

from hydrascope.console import print_anything
from hydrascope.experiment.complaints import complaint, users
from hydrascope.experiment.job_settings import TrainSettings
from hydrascope.experiment.start import USAGE_ERROR
from hydrascope.experiment.train import run


def _end_with_the_sweep() -> None:
    """End this trial and its other processes when the sweep ends.

    The sweep holds the other end of our standard input, which closes when it ends for any reason.
    """
    os.read(sys.stdin.fileno(), 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Run the training; the last line of a failed one says why, with exit code 2 for a user error.

    The sweep shows that line.
    """
    print_anything()
    Thread(target=_end_with_the_sweep, daemon=True).start()
    try:
        run(TrainSettings.model_validate_json(Path(sys.argv[1]).read_text("utf-8")))
    except Exception as error:  # noqa: BLE001 (all of them end here)
        by_user = users(error)
        if by_user:
            why = "; ".join(map(str.strip, str(complaint(error, "train.py")).splitlines()))
        else:
            traceback.print_exc()
            why = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        print(why, file=sys.stderr)
        sys.exit(USAGE_ERROR if by_user else 1)


if __name__ == "__main__":
    main()
