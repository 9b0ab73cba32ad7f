"""Imports what a trial takes long to import, for processes that are forked into trials."""

from hydrascope.experiment.importing import load

load("hydrascope.experiment.training_job")
