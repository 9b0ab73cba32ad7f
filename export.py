"""Ship a checkpoint as a bundle: `python export.py ckpt=PATH`."""

from pathlib import Path

from hydrascope.experiment.start import start

if __name__ == "__main__":
    start("export", Path(__file__).parent / "conf")
