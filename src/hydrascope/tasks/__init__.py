"""Losses and metrics of the heads."""
