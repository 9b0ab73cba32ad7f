"""Launchers of a sweep's trials, each as a separate command: locally, on Ray or on SLURM."""
