"""The training: Lightning module, schedule, checkpoints, closed-form fit."""
