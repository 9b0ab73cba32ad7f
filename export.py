"""Ship a checkpoint as a bundle: `python export.py ckpt=PATH`."""

from pathlib import Path

from hydrascope.experiment.launch import launch
from hydrascope.experiment.settings import validate_export

if __name__ == "__main__":
    launch(
        "export", validate_export, "hydrascope.experiment.export", Path(__file__).parent / "conf"
    )
