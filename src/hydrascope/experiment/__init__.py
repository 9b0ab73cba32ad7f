"""Compose, validate, assemble, run: the only room that knows Hydra."""
