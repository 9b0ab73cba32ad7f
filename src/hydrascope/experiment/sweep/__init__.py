"""Sweeps over configurations, as a grid or with Optuna; each trial trains in its own process."""
