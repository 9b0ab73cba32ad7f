"""Diagnosing in Python: a bundle or a checkpoint is loaded, a DataFrame goes in, another out."""

from hydrascope.notebook.frame_diagnoser import FrameDiagnoser
from hydrascope.notebook.loading import load

__all__ = ["FrameDiagnoser", "load"]
