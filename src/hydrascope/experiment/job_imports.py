"""Imports what a training takes long to import, for processes that are forked into trainings."""

from hydrascope.experiment.importing import load

load("hydrascope.experiment.training_job")
