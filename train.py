"""Train a network: `python train.py [group=option] [key=value]`; `--help` lists them all."""

from pathlib import Path

from hydrascope.experiment.launch import launch
from hydrascope.experiment.settings import validate_train

if __name__ == "__main__":
    launch("train", validate_train, "hydrascope.experiment.train", Path(__file__).parent / "conf")
