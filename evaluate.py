"""Judge a checkpoint on its test split: `python evaluate.py ckpt=PATH`."""

from pathlib import Path

from hydrascope.experiment.launch import launch
from hydrascope.experiment.settings import validate_evaluate

if __name__ == "__main__":
    conf = Path(__file__).parent / "conf"
    launch("evaluate", validate_evaluate, "hydrascope.experiment.evaluate", conf)
