"""Composing, validating and running jobs; the only room that knows Hydra."""
