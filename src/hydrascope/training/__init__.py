"""Lightning module, schedule, checkpoints."""
