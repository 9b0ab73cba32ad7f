"""First files for a folder of telemetry, as far as they can be guessed from it."""
