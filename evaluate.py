"""Judge a checkpoint on its test split: `python evaluate.py ckpt=PATH`."""

from pathlib import Path

from hydrascope.experiment.start import start

if __name__ == "__main__":
    start("evaluate", Path(__file__).parent / "conf")
