"""Search over configurations with Optuna: each trial a training in a process of its own."""
