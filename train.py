"""Train a network: `python train.py [group=option] [key=value]`; `--help` lists them all."""

from pathlib import Path

from hydrascope.experiment.start import start

if __name__ == "__main__":
    start("train", Path(__file__).parent / "conf")
