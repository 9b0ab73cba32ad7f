"""Where the trials of a sweep run: here, on a Ray cluster, on SLURM; each a command of its own."""
